"""What Slack is told: events → the JSON of one message.

One thing must stay true: whatever comes from a signer, a partner or a letter goes through `fit`, which
escapes it, in `text` and in blocks alike; and it stands in `plain_text`, which Slack does not read for
links, mentions or emphasis.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from widget_server.contract import Event, LetterFacts

LOCALES = ("en", "fr")
NAMES_SHOWN = 15
SECTION_LIMIT = 2900
"""Slack refuses 3,000 characters and counts them after escaping."""
NAME_LIMIT = 1200

_TEXTS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    (resources.files(__package__) / "texts.toml").read_text("utf-8")
)
_SIGNED = ("signature.created", "signature.confirmed")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def is_gathered(event: Event) -> bool:
    """Whether events of its type may share a message: people, not organizations; nothing that asks for
    action."""
    if event.test or not event.type.startswith("signature."):
        return False
    return event.type not in _SIGNED or event.data.get("kind") != "organization"


def message(events: Sequence[Event], locale: str) -> dict[str, Any]:
    """One message about events of one type. It says the total, so that a repeat of it does no harm."""
    first = events[0]
    headline, lines = _told(events, locale)
    footer = _footer(first, locale)
    shown = fit("\n".join([headline, *lines]), SECTION_LIMIT)
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "plain_text", "text": shown, "emoji": False}},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": fit(part, NAME_LIMIT), "verbatim": True} for part in footer[:-1]]
            + [{"type": "mrkdwn", "text": _link(first.letter), "verbatim": True}],
        },
    ]
    spoken = " · ".join([headline, *lines, *footer])
    return {
        "text": fit(spoken, SECTION_LIMIT),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def fit(text: str, limit: int) -> str:
    """`text` with `&`, `<` and `>` escaped, cut so that the escaped form has at most `limit` characters."""
    escaped: list[str] = []
    length = 0
    for character in text:
        piece = _ENTITIES.get(character, character)
        if length + len(piece) > limit - 1:
            return "".join(escaped) + "…"
        escaped.append(piece)
        length += len(piece)
    return "".join(escaped)


def say(key: str, locale: str, **values: Any) -> str:
    """A text of the catalogue; with `count`, in the plural that it asks for."""
    entry = _TEXTS[locale][key]
    if isinstance(entry, dict):
        count = values["count"]
        entry = entry["one" if count == 1 or (locale == "fr" and count == 0) else "other"]
    written = {name: number(v, locale) if isinstance(v, int) else v for name, v in values.items()}
    return str(entry.format_map(written))


def number(value: int, locale: str) -> str:
    """1234 as "1,234" or "1 234"."""
    return f"{value:,}" if locale == "en" else f"{value:,}".replace(",", "\u00a0")


def _told(events: Sequence[Event], locale: str) -> tuple[str, list[str]]:
    """The headline and, for several people, a line for each of the first ones."""
    first = events[0]
    if first.type in _SIGNED:
        if first.test:
            return say("test_signature", locale, partner=_partner(first)), []
        if first.data.get("kind") == "organization":
            return _organization(first, locale)
        return _people(events, locale)
    noun, _, verb = first.type.partition(".")
    if noun == "signature":
        return say(verb, locale, count=len(events)), []
    return _happened(first, locale), []


def _happened(event: Event, locale: str) -> str:
    data = event.data
    match event.type:
        case "letter.milestone":
            reached = int(data.get("milestone", 0))
            return say("goal" if reached == data.get("goal") else "milestone", locale, number=reached)
        case "letter.opened" | "letter.closed" | "destination.test":
            return say(event.type.partition(".")[2], locale)
        case "abuse.spike":
            of = data.get("of")
            if of not in ("client", "domain", "partner"):
                return say("spike", locale)
            return say(f"spike_{of}", locale, name=data.get(of), number=data.get("number"), minutes=data.get("minutes"))
        case "destination.failing" | "destination.disabled":
            values = {"kind": data.get("kind"), "error": data.get("error"), "id": data.get("destination")}
            return say(event.type.partition(".")[2], locale, **values)
        case _:
            return say("other", locale, type=event.type)


def _organization(event: Event, locale: str) -> tuple[str, list[str]]:
    key = "organization" if event.data.get("status") != "pending" else "organization_pending"
    details = _details(event, locale)
    if event.data.get("listing") == "awaiting_review":
        details.append(say("review", locale))
    return say(key, locale, name=event.data.get("organization") or "—"), [" · ".join(details)]


def _people(events: Sequence[Event], locale: str) -> tuple[str, list[str]]:
    pending = "_pending" if events[0].data.get("status") == "pending" else ""
    if len(events) == 1:
        name = _name(events[0]) or say("private", locale)
        return say(f"person{pending}", locale, name=name), [" · ".join(_details(events[0], locale))]
    named = [event for event in events if _name(event)]
    lines = [" · ".join(["• " + _name(event), *_details(event, locale)]) for event in named[:NAMES_SHOWN]]
    while len("\n".join(map(_escaped, lines))) > SECTION_LIMIT - 400:
        lines.pop()
    if len(named) > len(lines):
        lines.append(say("more", locale, count=len(named) - len(lines)))
    if len(events) > len(named):
        lines.append("• " + say("private_more", locale, count=len(events) - len(named)))
    return say(f"people{pending}", locale, count=len(events)), lines


def _name(event: Event) -> str:
    """The name and affiliation of a person who shows them, else nothing."""
    name, organization = event.data.get("name"), event.data.get("organization")
    if not name:
        return ""
    return f"{name} ({organization})" if organization else str(name)


def _details(event: Event, locale: str) -> list[str]:
    code = str(event.data.get("statement") or "")
    parts = [event.letter.statements.get(code, code)]
    if event.data.get("partner"):
        parts.append(say("via", locale, partner=_partner(event)))
    return [part for part in parts if part]


def _partner(event: Event) -> str:
    return str((event.data.get("partner") or {}).get("name") or "—")


def _footer(event: Event, locale: str) -> list[str]:
    """The running count and the letter's title."""
    counts = event.letter.counts
    return [
        say("total", locale, count=int(counts["total"])),
        say("organizations", locale, count=int(counts["organizations"])),
        event.letter.title,
    ]


def _link(letter: LetterFacts) -> str:
    return f"<{_escaped(letter.url)}|{fit(letter.title, NAME_LIMIT)}>"


def _escaped(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in text)
