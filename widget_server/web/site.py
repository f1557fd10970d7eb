"""What handlers are handed: one object, made by app.py, that holds the parts they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from widget_server.domain.tokens import Seals
from widget_server.flows.consents import ConsentBook
from widget_server.flows.directory import Directory
from widget_server.flows.limit import ClientLimit
from widget_server.flows.reading import Reading
from widget_server.flows.sightings import Sightings
from widget_server.flows.sign import Signing
from widget_server.flows.turn import Turns
from widget_server.i18n import Texts
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.web.clients import Clients
from widget_server.web.scripts import Scripts
from widget_server.web.widget_file import WidgetFiles

if TYPE_CHECKING:
    from widget_server.web.health import Probe
    from widget_server.web.pages import Pages


@dataclass(frozen=True, slots=True)
class Site:
    """`public_url` has no trailing slash. `asking` limits how often a client asks for mail. `now` gives aware UTC
    times."""

    public_url: str
    db: Db
    seals: Seals
    texts: Texts
    directory: Directory
    ingest: Ingest
    turns: Turns
    signing: Signing
    asking: ClientLimit
    clients: Clients
    pages: Pages
    consents: ConsentBook
    reading: Reading
    widget_files: WidgetFiles
    scripts: Scripts
    sightings: Sightings
    probe: Probe
    now: Callable[[], datetime]


def site_of(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)
    return site
