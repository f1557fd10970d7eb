"""What the kinds share whose target keeps people: a mailing list, a CRM.

One thing must stay true: nobody is added who has not opted in, whoever's consent has ended is taken out, and of anybody
else not a byte is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from typing_extensions import override

from integrations.mapping import OPTION, Reading, Targets, read_map
from widget_server.contract import (
    Client,
    Clock,
    DeliveryError,
    Destination,
    Event,
    Integration,
    NotAuthorized,
    Permanent,
    Problem,
    Report,
    Response,
    Suppressed,
    Temporary,
    Tools,
    judge_api,
)

TRIED = Response(200, {}, b"credentials and options checked; nobody was added")
NOBODY = Response(200, {}, b"not there: nobody to take out")
MANY_BYTES = 1024 * 1024
"""For answers that are long when all is well: lists, results of a batch."""
_SHOWN = 1000
_FEW_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to add. `values` is what the map makes of the event, by target."""

    event: Event
    email: str
    values: Mapping[str, str]

    def under(self, prefix: str) -> dict[str, str]:
        """The values whose target begins with `prefix`, by the rest of it."""
        return {name.removeprefix(prefix): value for name, value in self.values.items() if name.startswith(prefix)}

    def named(self, *names: str) -> dict[str, str]:
        return {name: self.values[name] for name in names if name in self.values}


@dataclass(frozen=True, slots=True)
class Api:
    """The interface of one target: where it is, and what goes with each request."""

    client: Client
    base: str
    headers: Mapping[str, str]
    now: Clock

    async def call(
        self, method: str, path: str, body: Any = None, *, read_bytes: int = _FEW_BYTES, once: bool = False
    ) -> Response:
        """The answer, whatever it is. `body` goes as JSON."""
        content, headers = b"", dict(self.headers)
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            headers.setdefault("content-type", "application/json")
        url = f"{self.base.rstrip('/')}{path}"
        return await self.client.request(
            method, url, content=content, headers=headers, read_bytes=read_bytes, once=once
        )

    async def ask(self, method: str, path: str, body: Any = None, *, read_bytes: int = _FEW_BYTES) -> Response:
        """The answer, where it means success; else raises, as `judge_api` reads it."""
        return self.judged(await self.call(method, path, body, read_bytes=read_bytes))

    def judged(self, response: Response) -> Response:
        return judge_api(response, now=self.now())


class People(Integration):
    """A kind that keeps people. Say `targets`, `default_map`, `add` and `take_out`; `problems` and `probe` besides."""

    url: ClassVar[Literal["needed", "optional", "none"]] = "optional"
    lists: ClassVar[bool] = True
    events: ClassVar[Sequence[str] | None] = ("signature.confirmed", "signature.assisted", "signature.updated")
    targets: ClassVar[Targets]
    default_map: ClassVar[str]

    def reading(self, options: Mapping[str, str]) -> Reading:
        return read_map(options.get(OPTION) or self.default_map, self.targets)

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        return [*self.problems(url, options), *self.reading(options).problems]

    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:  # noqa: ARG002
        """What is wrong with the options other than the map."""
        return ()

    async def add(self, person: Person, destination: Destination, tools: Tools) -> Response:
        """Adds one person, or brings the entry of the same address up to date: doing it twice is doing it once."""
        raise NotImplementedError

    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        """Ends what we began: no mail to this address by us. That it is not there is success too (`NOBODY`)."""
        raise NotImplementedError

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response | Report:
        """One person a send. Kinds that take many at once override it, and ask `refused` first."""
        (event,) = events
        if is_trial(event):
            return await self.trial(destination, tools)
        if trouble := refused(event):
            raise trouble
        if event.ended:
            return await self.take_out(event.data["email"], event, destination, tools)
        return await self.add(self.person(event, destination), destination, tools)

    def person(self, event: Event, destination: Destination) -> Person:
        values = self.reading(destination.options).apply(event, destination.locale)
        return Person(event, event.data["email"], values)

    async def trial(self, destination: Destination, tools: Tools) -> Response:
        """What a test of the destination does: asks, adds nobody."""
        found = await self.probe(destination, tools)
        if found:
            raise Permanent("check_failed", "; ".join(f"{one.option}: {one.message}" for one in found)[:_SHOWN])
        return TRIED


def is_trial(event: Event) -> bool:
    return event.type == "destination.test"


def refused(event: Event) -> DeliveryError | None:
    """Why nothing is sent of this event, or None. The server hands over nobody else than it says; this is the second
    lock on the same door."""
    if event.ended:
        return None if event.data.get("email") else Permanent("no_address", "the address is no longer known", item=True)
    if event.test or not event.type.startswith("signature."):
        return Suppressed("nobody", "there is nobody to add")
    if not event.opted_in or not event.data.get("email") or event.data.get("status") != "confirmed":
        return Suppressed("no_consent", "nothing is sent of somebody who has not opted in")
    return None


def parsed(response: Response) -> Any:
    """The JSON of an answer, or None where it is none (or was longer than what is read)."""
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def an_object(response: Response, *needed: str) -> Mapping[str, Any]:
    """The JSON object of an answer that means success, with what it must hold. Raises `Temporary`: a page of a proxy is
    no answer."""
    found = parsed(response)
    if not isinstance(found, dict) or any(not found.get(name) for name in needed):
        raise Temporary("unreadable_answer", **facts_of(response))
    return found


def facts_of(response: Response) -> dict[str, Any]:
    """What every error says of its answer."""
    return {"status_code": response.status_code, "response": response.text[:_SHOWN]}


def mismatch(option: str, what: str, response: Response) -> NotAuthorized:
    """The target no longer has what an option names. Nothing can be sent until somebody mends it, and nothing need be
    lost: the destination is paused and keeps its work, as where credentials are refused."""
    return NotAuthorized("not_there", f"{option}: {what}", **facts_of(response))


def runs(events: Sequence[Event], most: int) -> list[list[Event]]:
    """The events in groups of at most `most`, in their order; a trial and the end of a consent are alone, so that
    whoever comes back after it is added after it."""
    groups: list[list[Event]] = []
    for event in events:
        alone = event.ended or is_trial(event)
        last = groups[-1] if groups else None
        if alone or last is None or len(last) >= most or last[0].ended or is_trial(last[0]):
            groups.append([event])
        else:
            last.append(event)
    return groups


def header_problems(options: Mapping[str, str], *names: str) -> list[Problem]:
    """Keys that go into a header must fit into one."""
    return [
        Problem(name, "letters, digits and signs of ASCII in one line, as the target shows it")
        for name in names
        if options.get(name) and not re.fullmatch(r"[!-~]+", options[name].strip())
    ]


def words(text: str) -> list[str]:
    """The entries of an option that holds several, separated by commas."""
    return [word for word in (one.strip() for one in text.split(",")) if word]
