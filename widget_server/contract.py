"""All that an integration may import: what it is handed, what it hands back.

One thing must stay true: an integration never sees a raw signature, a database or an unguarded HTTP client.
Whatever personal data an `Event` carries has already passed the consent rule for the destination it goes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """The letter an event is about: names and numbers that anybody may see.

    `title` and `statements` (code → title of its list) are in the destination's locale. `counts` has the
    shape of the public contract: total, individuals, organizations, by_statement. `url` is the hosted
    letter's.
    """

    slug: str
    title: str
    url: str
    goal: int | None
    counts: Mapping[str, Any]
    statements: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event on its way to one destination.

    `id` is the event's own and stays the same on every attempt and replay. `data` is the `data` object of the
    public contract, section 8, filtered for this destination. `test` marks a webmaster's test signature or a
    destination test.
    """

    id: str
    type: str
    occurred_at: datetime
    letter: LetterFacts
    data: Mapping[str, Any]
    test: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a delivery goes. `secrets` are the signing secrets in force, newest first (`whsec_…`); `locale`
    is the owner's language, for what people read."""

    id: str
    url: str
    options: Mapping[str, str]
    secrets: Sequence[str]
    locale: str


@dataclass(frozen=True, slots=True)
class Response:
    """What a target answered: status, lower-case header names, the first 16 KiB of the raw body."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class Client(Protocol):
    """The guarded HTTP client: no redirects, no cookies, no private addresses, one deadline for it all."""

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response:
        """Send `content` as it is. Raises `Temporary` when no answer came, `Permanent` when none may be
        had."""
        ...


class Renderer(Protocol):
    """Text in a reader's language, for what an integration writes to people."""

    def __call__(self, key: str, locale: str, **values: Any) -> str: ...


class Clock(Protocol):
    """Now, aware and in UTC."""

    def __call__(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """The capabilities an integration is handed for one send."""

    client: Client
    text: Renderer
    now: Clock


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a destination's configuration: which option, and what is expected."""

    option: str
    message: str


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be configured: for `destination kinds`, for a form, for `check`."""

    name: str
    help: str
    required: bool = False
    secret: bool = False
    default: str | None = None


class DeliveryError(Exception):
    """A send that did not succeed. `code` is from a closed list (`http_500`, `timeout`, `dns_error`, …)."""

    def __init__(self, code: str, detail: str = "", *, status_code: int | None = None, response: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.status_code = status_code
        self.response = response


class Temporary(DeliveryError):
    """Worth another try. `retry_after_seconds` is what the target asked for; None: as the schedule says."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status_code: int | None = None,
        response: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(code, detail, status_code=status_code, response=response)
        self.retry_after_seconds = retry_after_seconds


class Permanent(DeliveryError):
    """A repeat cannot mend it. `gone` says that the target is no more and the destination is to be disabled;
    `item` that only this item was refused, which says nothing about the destination's health."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status_code: int | None = None,
        response: str = "",
        gone: bool = False,
        item: bool = False,
    ) -> None:
        super().__init__(code, detail, status_code=status_code, response=response)
        self.gone = gone
        self.item = item


class NotAuthorized(DeliveryError):
    """The target refuses our credentials: the destination is paused, keeps its work, its owner is told."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a target bears.

    `batch`: most events in one send; 1 means that `plan` is never asked. `pace_seconds`: least time between
    two sends to one destination, whichever process makes them (0: none). `in_flight`: most sends at once to
    one destination from one process; one at a time where there is a pace or a batch. `hosts`: the only hosts
    a URL may have (None: any public one); networks that the operator allows are exempt.
    """

    batch: int = 1
    pace_seconds: float = 0.0
    in_flight: int = 4
    hosts: frozenset[str] | None = None


class Integration(Protocol):
    """One kind of destination. Stateless: one instance serves every destination of its kind."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[Sequence[Option]]
    signed: ClassVar[bool]
    """Whether each destination gets a signing secret of its own."""
    url_is_secret: ClassVar[bool]
    """Whether whoever knows the URL can post there: it is then shown by its host and last characters only."""
    events: ClassVar[Sequence[str] | None]
    """The event types taken when none are named; None: every type."""
    contact_details: ClassVar[bool]
    """Whether the kind may ever be handed e-mail, postal code and comment. Chat kinds, which post into a
    room: False; they are not handed a name that its signer keeps private either."""

    def limits(self, options: Mapping[str, str]) -> Limits:
        """What the target bears, as far as the options of one destination say (`{}`: the kind's own)."""
        ...

    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        """Every problem of a configuration at once, without network. Unknown and missing options, and
        addresses, are checked by the server."""
        ...

    def plan(
        self, events: Sequence[Event], *, options: Mapping[str, str], quiet_seconds: float, now: datetime
    ) -> Sequence[Sequence[Event]]:
        """Which of the waiting events go now, grouped into sends in the order to send them. Pure.

        `quiet_seconds` is the time since the last successful send to this destination (inf: never). Events in
        no group stay waiting and are offered again within a second or so.
        """
        ...

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        """Deliver one group. Returns the answer that means success; raises `Temporary`, `Permanent` or
        `NotAuthorized`. Anything else it raises is a bug of ours: logged, and tried again on the schedule."""
        ...


_FAILS_AT_ONCE = frozenset({400, 405, 409, 411, 413, 414, 415, 422})
_THIS_ITEM_ONLY = frozenset({400, 413, 422})
_SHOWN = 1000


def judge(response: Response, *, now: datetime) -> Response:
    """The default reading of an answer: returns it on any 2xx, else raises.

    3xx and what a repeat cannot mend are `Permanent`, 410 is `Permanent(gone)`, all else is `Temporary`;
    `Retry-After` (seconds or an HTTP date) is read on 429 and 503.
    """
    status = response.status_code
    if 200 <= status < 300:
        return response
    code, text = f"http_{status}", response.text[:_SHOWN]
    if status == 410:
        raise Permanent(code, "the target says it is gone", status_code=status, response=text, gone=True)
    if 300 <= status < 400:
        raise Permanent(
            "redirect", "redirects are not followed: give the new address", status_code=status, response=text
        )
    if status in _FAILS_AT_ONCE:
        raise Permanent(code, status_code=status, response=text, item=status in _THIS_ITEM_ONLY)
    after = retry_after_seconds(response.headers.get("retry-after"), now) if status in (429, 503) else None
    raise Temporary(code, status_code=status, response=text, retry_after_seconds=after)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), or None when it is not readable."""
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds < float("inf") else (0.0 if seconds < 0 else None)


__all__ = [
    "Client",
    "Clock",
    "DeliveryError",
    "Destination",
    "Event",
    "Integration",
    "LetterFacts",
    "Limits",
    "NotAuthorized",
    "Option",
    "Permanent",
    "Problem",
    "Renderer",
    "Response",
    "Temporary",
    "Tools",
    "judge",
    "retry_after_seconds",
]
