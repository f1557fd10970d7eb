"""Events as integrations are handed them, and a client that keeps what it was to send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from widget_server.contract import Destination, Event, LetterFacts, Response, Tools
from widget_server.domain.ids import new_id

NOW = datetime(2026, 6, 20, 12, 0, 0, 123456, tzinfo=UTC)
LETTER = LetterFacts(
    slug="letter",
    title="A <Letter> & more",
    url="https://letters.example.org/letters/letter",
    goal=5000,
    counts={"total": 1204, "individuals": 1153, "organizations": 51, "by_statement": {"ca": 1204}},
    statements={"ca": "Signed in Canada"},
)


def event(type_: str = "signature.confirmed", *, test: bool = False, at: datetime = NOW, **data: Any) -> Event:
    return Event(new_id(), type_, at, LETTER, {**SHOWN.get(type_.partition(".")[0], {}), **data}, test)


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


class RecordingClient:
    """Answers every post with what it was given."""

    def __init__(self, answer: Response | Exception | None = None) -> None:
        self.answer = answer or Response(200, {}, b"ok")
        self.posts: list[tuple[str, bytes, Mapping[str, str]]] = []

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response:
        self.posts.append((url, content, headers))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def tools(client: RecordingClient) -> Tools:
    return Tools(client, lambda key, locale, **values: key, lambda: NOW)


def destination(url: str, *, signed: bool, locale: str = "en", **options: str) -> Destination:
    secrets = ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"] if signed else []
    return Destination("d1", url, options, secrets, locale)
