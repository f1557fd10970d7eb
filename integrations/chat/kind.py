"""What is the same for every kind that posts into a room.

One thing must stay true: a room is handed no contact details and no private name, and whoever knows its address can
post there, so the address is a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.chat.gathering import gather
from integrations.chat.texts import LOCALES
from widget_server.contract import (
    Client,
    Destination,
    Event,
    Integration,
    Limits,
    Option,
    Problem,
    Response,
    Tools,
    retry_after_seconds,
)

EVENTS = (
    "signature.confirmed",
    "letter.milestone",
    "abuse.spike",
    "destination.failing",
    "destination.disabled",
)
LOCALE = Option(
    "locale",
    f"language of the messages: {' or '.join(LOCALES)}; by default the letter's or partner's",
    form="choice",
    choices=LOCALES,
)
BATCH = 1000
"""Most events in one message, so that an outage ends in one or few."""
_LONGEST_DIGEST_SECONDS = 3600.0


class Chat(Integration):
    """A room with an address to post to. A kind says its pace, its hosts, how its address looks, what it is sent and
    how it answers."""

    url_is_secret: ClassVar[bool] = True
    contact_details: ClassVar[bool] = False
    events: ClassVar[Sequence[str] | None] = EVENTS

    pace_seconds: ClassVar[float]
    digest_seconds: ClassVar[float] = 15.0
    hosts: ClassVar[frozenset[str] | None] = None
    address_looks: ClassVar[str]
    """How its address looks, for whoever gave another."""
    further_options: ClassVar[Sequence[Option]] = ()
    options: ClassVar[Sequence[Option]] = ()

    @override
    def __init_subclass__(cls) -> None:
        gathers = Option(
            "digest_seconds",
            f"how long people are gathered into one message, 0 to {_LONGEST_DIGEST_SECONDS:g}",
            default=f"{cls.digest_seconds:g}",
            form="number",
        )
        cls.options = (gathers, LOCALE, *cls.further_options)

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:  # the target's own, whatever the options
        return Limits(batch=BATCH, pace_seconds=self.pace_seconds, in_flight=1, hosts=self.hosts)

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = []
        if not self.looks_right(url):
            found.append(Problem("url", f"its address looks like {self.address_looks}"))
        if self._digest_seconds(options) is None:
            found.append(Problem("digest_seconds", f"a number of seconds from 0 to {_LONGEST_DIGEST_SECONDS:g}"))
        return found

    def looks_right(self, url: str) -> bool:
        """Whether an address is one of this kind's, as far as can be seen. One on another host is a network that the
        operator allows, or is refused for its host."""
        raise NotImplementedError

    def is_at_home(self, url: str) -> bool:
        """Whether an address is on one of the kind's own hosts."""
        host = urlsplit(url).hostname or ""
        return any(host == one or (one.startswith(".") and host.endswith(one)) for one in self.hosts or ())

    @override
    def plan(
        self, events: Sequence[Event], *, options: Mapping[str, str], quiet_seconds: float, now: datetime
    ) -> Sequence[Sequence[Event]]:
        wait = self._digest_seconds(options)
        return gather(events, digest_seconds=wait or 0.0, quiet_seconds=quiet_seconds, now=now)

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        content = as_json(self.message(events, destination))
        response = await self.post(tools.client, destination, content)
        return self.judged(response, tools.now())

    async def post(self, client: Client, destination: Destination, content: bytes) -> Response:
        return await client.post(
            destination.url, content=content, headers={"content-type": "application/json; charset=utf-8"}
        )

    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        """The body that tells of a group of events."""
        raise NotImplementedError

    def judged(self, response: Response, now: datetime) -> Response:
        """The answer where it means success; raises as `send` does."""
        raise NotImplementedError

    def _digest_seconds(self, options: Mapping[str, str]) -> float | None:
        try:
            seconds = float(options.get("digest_seconds") or self.digest_seconds)
        except ValueError:
            return None
        return seconds if 0 <= seconds <= _LONGEST_DIGEST_SECONDS else None


def as_json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read_json(response: Response) -> Mapping[str, Any]:
    """The answer's body where it is a JSON object, else nothing."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def wait_asked_for(response: Response, now: datetime, *seconds: object) -> float | None:
    """The longest of the waits that an answer asks for: `Retry-After`, and `seconds` from wherever else it says so."""
    asked = [retry_after_seconds(response.headers.get("retry-after"), now)]
    for each in seconds:
        try:
            asked.append(float(str(each)))
        except ValueError:
            continue
    found = [one for one in asked if one is not None and 0 <= one < float("inf")]
    return max(found, default=None)
