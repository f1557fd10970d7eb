"""Kind `google-sheets`: one row a signature in a Google Sheets spreadsheet.

One thing must stay true: a cell holds text and is never read as a formula; and a signature that has a row gets no
second one, since the rows are read before one is added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.google_sheets.account import Account, BadKeyFile
from integrations.google_sheets.sheet import Sheet
from integrations.mapping import OPTION, Reading, Targets, map_option, read_map
from integrations.people import TRIED, is_trial, runs
from widget_server.contract import (
    Destination,
    Event,
    Integration,
    Limits,
    NotAuthorized,
    Option,
    Permanent,
    Problem,
    Response,
    Suppressed,
    Tools,
)

ADDRESS = "https://sheets.googleapis.com"
_HOSTS = frozenset({"sheets.googleapis.com", "oauth2.googleapis.com"})
_SPREADSHEET = re.compile(r"[A-Za-z0-9_-]{20,100}")
_DEFAULT = """\
id = id
signed_at = signed_at
status = status
kind = kind
name = display_name
organization = organization
city = city
country = country
statement = statement
language = language
partner = partner
source = source
opted_in = opted_in
email = email
postal_code = postal_code
comment = comment
"""
_COLUMNS = Targets(frozenset(), custom=re.compile(r"[^=]{1,100}"), needed=frozenset({"id"}), custom_help="any heading")
_CONTACT = {"email": None, "postal_code": None, "comment": None}
BATCH = 200


class GoogleSheets(Integration):
    kind: ClassVar[str] = "google-sheets"
    summary: ClassVar[str] = "one row a signature in a Google Sheets spreadsheet"
    url: ClassVar[Literal["needed", "optional", "none"]] = "optional"
    events: ClassVar[Sequence[str] | None] = (
        "signature.confirmed",
        "signature.assisted",
        "signature.updated",
        "signature.withdrawn",
        "signature.rejected",
    )
    options: ClassVar[Sequence[Option]] = (
        Option(
            "credentials", "the JSON key file of a service account, as @FILE", required=True, secret=True, form="lines"
        ),
        Option("spreadsheet", "the spreadsheet's id, from its address: …/spreadsheets/d/ID/edit", required=True),
        Option("sheet", "name of the sheet (tab) in it", default="Sheet1"),
        Option(
            "contact_details",
            "`all` writes e-mail, postal code and comment of every signer, not only of those who opted in;"
            " the audit log keeps that you asked for it",
            form="choice",
            choices=("all",),
        ),
        map_option(_DEFAULT),
    )

    @override
    def address(self, options: Mapping[str, str]) -> str:
        return ADDRESS

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """60 writes and 60 reads a minute for one account; never two appends at once, which may interleave."""
        return Limits(batch=BATCH, pace_seconds=2.0, in_flight=1, hosts=_HOSTS)

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = list(_map(options).problems)
        if options.get("credentials"):
            found += _credentials_problems(options["credentials"], stand_in=bool(url))
        if options.get("spreadsheet") and not _SPREADSHEET.fullmatch(options["spreadsheet"]):
            found.append(Problem("spreadsheet", "only the id, without the address round it"))
        return found

    @override
    def plan(
        self,
        events: Sequence[Event],
        *,
        options: Mapping[str, str],
        quiet_seconds: float,
        now: datetime,
    ) -> Sequence[Sequence[Event]]:
        return runs(events, BATCH)

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        sheet = Sheet(destination, tools)
        try:
            problem = await sheet.problem()
        except NotAuthorized as error:
            return [Problem("credentials", f"{error.detail}: {error.response}"[:300])]
        if problem:
            return [problem]
        headings = (await sheet.read()).headings
        found = []
        if not headings or headings[0] != "id":
            found.append(Problem("sheet", "cell A1 must hold the heading id: column A holds the signatures' ids"))
        missing = [name for name in self._columns(destination) if name not in headings]
        return found + [Problem("map", f"the sheet has no column with the heading `{name}`") for name in missing]

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        """What came last of each signature, into the row that it has or else into a new one."""
        if is_trial(events[0]):
            if found := await self.probe(destination, tools):
                raise Permanent("check_failed", "; ".join(f"{one.option}: {one.message}" for one in found))
            return TRIED
        rows: dict[str, tuple[Event, dict[str, str]]] = {}
        for event in events:
            if event.type.startswith("signature.") and not event.test:
                rows[str(event.data["id"])] = (event, self._row(event, destination))
        if not rows:
            raise Suppressed("nobody", "there is nobody to write down")
        sheet = Sheet(destination, tools)
        table = await sheet.read()
        table.must_have(self._columns(destination))
        known = {number: row for id_, (_, row) in rows.items() if (number := table.rows.get(id_)) is not None}
        new = [
            row
            for id_, (event, row) in rows.items()
            if id_ not in table.rows and not event.ended and event.data.get("status") == "confirmed"
        ]
        response = table.response
        if known:
            response = await sheet.change(table, known)
        if new:
            response = await sheet.append(table, new)
        return response

    def _columns(self, destination: Destination) -> Sequence[str]:
        return _map(destination.options).targets

    def _row(self, event: Event, destination: Destination) -> dict[str, str]:
        """Every mapped column, with nothing where there is nothing: what may no longer be kept is wiped by it."""
        if event.ended:
            data: dict[str, Any] = {**event.data, **_CONTACT}
            event = Event(event.id, event.type, event.occurred_at, event.letter, data)
        reading = _map(destination.options)
        return dict.fromkeys(reading.targets, "") | reading.apply(event, destination.locale)


def _map(options: Mapping[str, str]) -> Reading:
    return read_map(options.get(OPTION) or _DEFAULT, _COLUMNS)


def _credentials_problems(text: str, *, stand_in: bool) -> list[Problem]:
    """`stand_in`: an address was given, of a server that takes Google's place."""
    try:
        account = Account.read(text)
    except BadKeyFile as error:
        return [Problem("credentials", str(error))]
    if not stand_in and urlsplit(account.token_uri)[:2] != ("https", "oauth2.googleapis.com"):
        return [Problem("credentials", "its token_uri is not Google's, https://oauth2.googleapis.com/token")]
    return []
