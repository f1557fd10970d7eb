"""Kind `email`: mail to coordinators, at once or as a daily digest.

One thing must stay true: what it says is what a chat room may read: no address, no private name. The addresses of
signers are in the console, for those who may see them, and not in mailboxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from typing_extensions import override

from integrations.chat.kind import BATCH, EVENTS, LOCALE
from integrations.chat.texts import LOCALES, say
from integrations.chat.told import Told, tell
from integrations.email.schedule import at_once, daily, known_zones
from widget_server.contract import Destination, Event, Integration, Limits, Option, Problem, Response, Tools

MODES = ("at_once", "daily")
MOST_RECIPIENTS = 20
NAMES_SHOWN = 100
_ROOM = 30_000
_PACE_SECONDS = 60.0


class Email(Integration):
    kind: ClassVar[str] = "email"
    summary: ClassVar[str] = "mail to coordinators, at once or as a daily digest"
    url: ClassVar[Literal["needed", "optional", "none"]] = "none"
    events: ClassVar[Sequence[str] | None] = EVENTS
    contact_details: ClassVar[bool] = False
    options: ClassVar[Sequence[Option]] = (
        Option(
            "recipients",
            f"who gets the mails: addresses, one a line or with commas between them, at most {MOST_RECIPIENTS}",
            required=True,
            form="lines",
        ),
        Option(
            "mode",
            "`at_once`: the first mail at once, further ones a quarter of an hour apart; `daily`: one digest a day",
            default=MODES[0],
            form="choice",
            choices=MODES,
        ),
        Option("hour", "of a daily digest: the hour at which it goes, 0 to 23", default="8", form="number"),
        Option("timezone", "of a daily digest: whose hour that is, such as America/Toronto", default="America/Toronto"),
        LOCALE,
    )

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:  # the same in either mode
        return Limits(batch=BATCH, pace_seconds=_PACE_SECONDS, in_flight=1)

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:  # it has none
        found = []
        recipients = _recipients(options)
        wrong = [one for one in recipients if not _is_address(one)]
        if wrong:
            found.append(Problem("recipients", f"not an address: {', '.join(wrong)}"))
        if len(recipients) > MOST_RECIPIENTS:
            found.append(Problem("recipients", f"at most {MOST_RECIPIENTS}"))
        if not recipients and options.get("recipients"):
            found.append(Problem("recipients", "one address at least"))
        if _hour(options) is None:
            found.append(Problem("hour", "a whole number from 0 to 23"))
        if _zone(options) not in known_zones():
            found.append(Problem("timezone", "a name of the time zone database, such as America/Toronto"))
        return found

    @override
    def plan(
        self, events: Sequence[Event], *, options: Mapping[str, str], quiet_seconds: float, now: datetime
    ) -> Sequence[Sequence[Event]]:
        if options.get("mode") == "daily":
            return daily(events, hour=_hour(options) or 0, zone=ZoneInfo(_zone(options)), now=now)
        return at_once(events, quiet_seconds=quiet_seconds, now=now)

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        locale = destination.locale if destination.locale in LOCALES else LOCALES[0]
        told = tell(events, locale, room=_ROOM, names=NAMES_SHOWN)
        why = say("why", locale, id=destination.id)
        ids = ",".join(sorted(event.id for event in events))
        return await tools.mail(
            to=_recipients(destination.options),
            subject=say("subject", locale, title=told.title, headline=told.headline.rstrip(" \u00a0:")),
            text=as_text(told, why),
            html=as_html(told, why, locale),
            locale=locale,
            reference=f"{destination.id}-{sha256(ids.encode()).hexdigest()[:32]}",
        )


def as_text(told: Told, why: str) -> str:
    """The mail for whoever reads plain text."""
    return "\n\n".join([told.text, "\n".join(told.counts), f"{told.title}\n{told.url}", f"-- \n{why}"]) + "\n"


def as_html(told: Told, why: str, locale: str) -> str:
    """The same as HTML; everything in it escaped."""
    lines = "".join(f'<p style="margin:.2em 0">{escape(line)}</p>' for line in told.lines)
    counts = "<br>".join(map(escape, told.counts))
    return (
        f'<!doctype html><html lang="{locale}"><head><meta charset="utf-8">'
        f"<title>{escape(told.headline)}</title></head>"
        f'<body style="font-family:sans-serif"><h1 style="font-size:1.25em">{escape(told.headline)}</h1>{lines}'
        f'<p>{counts}</p><p><a href="{escape(told.url)}">{escape(told.title)}</a></p>'
        f"<p><small>{escape(why)}</small></p></body></html>"
    )


def _recipients(options: Mapping[str, str]) -> list[str]:
    given = options.get("recipients", "").replace(",", "\n").split("\n")
    return list(dict.fromkeys(one.strip() for one in given if one.strip()))


def _is_address(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def _hour(options: Mapping[str, str]) -> int | None:
    text = options.get("hour") or "8"
    return int(text) if text.isascii() and text.isdigit() and int(text) <= 23 else None


def _zone(options: Mapping[str, str]) -> str:
    return options.get("timezone") or "America/Toronto"
