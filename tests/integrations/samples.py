"""Events as integrations are handed them, and a client that keeps what it was to send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.integrations.people_samples import PEOPLE
from widget_server.contract import Client, Destination, Event, Integration, Kept, LetterFacts, Response, Tools
from widget_server.domain.ids import new_id
from widget_server.i18n import Texts

NOW = datetime(2026, 6, 20, 12, 0, 0, 123456, tzinfo=UTC)
LETTER = LetterFacts(
    slug="letter",
    title="A <Letter> & more",
    url="https://letters.example.org/letters/letter",
    goal=5000,
    counts={"total": 1204, "individuals": 1153, "organizations": 51, "by_statement": {"ca": 1204}},
    statements={"ca": "Signed in Canada"},
)


def event(
    type_: str = "signature.confirmed",
    *,
    test: bool = False,
    at: datetime = NOW,
    opted_in: bool = False,
    ended: bool = False,
    doubtful: bool = False,
    note: str | None = None,
    **data: Any,
) -> Event:
    shown = {**SHOWN.get(type_.partition(".")[0], {}), **data}
    return Event(new_id(), type_, at, LETTER, shown, test, opted_in, ended, doubtful, note)


SIGNED = {
    "id": "01900000-0000-7000-8000-000000000001",
    "letter": "letter",
    "statement": "ca",
    "kind": "individual",
    "status": "confirmed",
    "listing": "listed",
    "name": "Zoë Gagné",
    "organization": None,
    "role": None,
    "email": None,
    "country": "CA",
    "city": "Montréal",
    "postal_code": None,
    "comment": None,
    "locale": "fr",
    "public": True,
    "contact_opt_in": False,
    "partner_opt_in": False,
    "partner": {"slug": "maple", "name": "Maple House"},
    "source": None,
    "page": None,
    "created_at": "2026-06-20T12:00:00.000000Z",
    "confirmed_at": "2026-06-20T12:00:00.000000Z",
}
NOTHING = dict.fromkeys(SIGNED) | {"id": SIGNED["id"], "letter": "letter"}
SHOWN: Mapping[str, Mapping[str, Any]] = {
    "signature": SIGNED,
    "letter": {
        "letter": "letter",
        "status": "open",
        "milestone": 1000,
        "goal": 5000,
        "counts": LETTER.counts,
    },
    "destination": {"letter": "letter", "destination": "d1", "kind": "webhook", "error": "http_500"},
    "abuse": {"letter": "letter", "of": "domain", "domain": "spam.example", "number": 1200, "minutes": 10},
}


LISTED = {"email": "zoe@example.org", "contact_opt_in": True}
"""What a signer who opted in adds to `SIGNED`."""


def heard_by(kind: Integration, type_: str, /, **changes: Any) -> Event:
    """An event as the server would hand it to this kind: a mailing list hears of those who opted in only."""
    if not kind.lists or not type_.startswith("signature."):
        return event(type_, **changes)
    if type_ in ("signature.withdrawn", "signature.rejected"):
        return event(type_, **{"ended": True, "email": LISTED["email"], **changes})
    return event(type_, **{"opted_in": True, **LISTED, **changes})


CONFIGURED: dict[str, Mapping[str, str]] = {
    **PEOPLE,
    "email": {"recipients": "zoe@letters.example.org, sam@letters.example.org"},
}
"""Options that a kind needs, by kind: enough for a destination without problems."""

URLS: dict[str, str] = {
    "discord": "https://discord.com/api/webhooks/123/secret",
    "mattermost": "https://chat.example.org/hooks/secret",
    "rocketchat": "https://chat.example.org/hooks/id/secret",
    "teams": "https://prod-1.canadacentral.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=secret",
}
"""A destination's address, for kinds whose own is not `https://HOST/services/T0/B0/secret`."""


def options_of(kind: Integration) -> Mapping[str, str]:
    return CONFIGURED.get(kind.kind, {})


def url_of(kind: Integration) -> str:
    """An address that a destination of this kind could have; empty where it has none."""
    if kind.kind in URLS:
        return URLS[kind.kind]
    if kind.url == "none":
        return kind.address(options_of(kind))
    hosts = kind.limits(options_of(kind)).hosts
    host = sorted(hosts)[0] if hosts else "hooks.example.org"
    return f"https://{'x' if host.startswith('.') else ''}{host}/services/T0/B0/secret"


class RecordingClient:
    """Answers every request with what it was given, or asks `answer` what to answer. `posts`: address, body and headers
    of each, whatever its method; `methods`: these."""

    def __init__(self, answer: Response | Exception | Callable[[str, str, bytes], Response] | None = None) -> None:
        self.answer = answer or Response(200, {}, b"ok")
        self.methods: list[str] = []
        self.posts: list[tuple[str, bytes, Mapping[str, str]]] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        read_bytes: int = 16 * 1024,
        once: bool = False,
    ) -> Response:
        self.methods.append(method)
        self.posts.append((url, content, headers or {}))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Response) else self.answer(method, url, content)

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response:
        return await self.request("POST", url, content=content, headers=headers)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as an integration handed it over."""

    to: Sequence[str]
    subject: str
    text: str
    html: str
    locale: str
    reference: str


class RecordingMailer:
    """Takes every mail, or raises what it was given."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.mails: list[Mail] = []

    async def __call__(
        self, *, to: Sequence[str], subject: str, text: str, html: str, locale: str, reference: str
    ) -> Response:
        self.mails.append(Mail(tuple(to), subject, text, html, locale, reference))
        if self.answer is not None:
            raise self.answer
        return Response(250, {}, b"taken")


class Keeper:
    """What `Tools.remember` and `Tools.renew` keep: `notes` by event id, and `kept`."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.notes: dict[str, str] = {}
        self.kept: Kept = kept or {}

    def remember(self, event_id: str, note: str) -> None:
        self.notes[event_id] = note

    async def renew(self, stale: Kept, make: Callable[[Kept], Awaitable[Kept]]) -> Kept:
        if self.kept == stale:
            self.kept = await make(self.kept)
        return self.kept


def tools(
    client: Client | None = None,
    *,
    mail: RecordingMailer | None = None,
    keeper: Keeper | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> Tools:
    """Real texts; everything else as given, or else keeping what it was handed."""
    keeper = keeper or Keeper()
    return Tools(
        client=client or RecordingClient(),
        text=Texts(),
        now=now,
        mail=mail or RecordingMailer(),
        remember=keeper.remember,
        renew=keeper.renew,
    )


def destination(url: str, *, signed: bool, locale: str = "en", kept: Kept | None = None, **options: str) -> Destination:
    secrets = ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"] if signed else []
    return Destination("d1", url, options, secrets, locale, kept or {})
