"""What is said of events: a headline, lines, the running count and the letter.

One thing must stay true: every message says the total, so that one that comes twice misleads nobody; and nothing is
said that the event does not hold: what a signer keeps private is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integrations.chat.texts import LOCALES, say
from widget_server.contract import Event

NAMES_SHOWN = 15
SIGNED = ("signature.created", "signature.confirmed")
_LONGEST = 200
"""Characters of one typed value: as long as the form takes, should an event ever hold more."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message in plain text. `total`, `organizations`: sentences with the running counts. `repeat`: that it may
    have been told before, where that may be; else nothing."""

    headline: str
    lines: tuple[str, ...]
    total: str
    organizations: str
    repeat: str
    title: str
    url: str

    @property
    def counts(self) -> tuple[str, ...]:
        """What stands below the lines."""
        return tuple(part for part in (self.total, self.organizations, self.repeat) if part)

    @property
    def text(self) -> str:
        """Headline and lines."""
        return "\n".join([self.headline, *self.lines])


@dataclass(frozen=True, slots=True)
class _Part:
    headline: str
    lines: list[str]


def tell(
    events: Sequence[Event],
    locale: str,
    *,
    room: int,
    measure: Callable[[str], int] = len,
    names: int = NAMES_SHOWN,
) -> Told:
    """What is said of a group of events. `room`: how long the lines may be together, as `measure` counts; at most
    `names` names in a list."""
    spoken = locale if locale in LOCALES else LOCALES[0]
    kinds = _sorted_apart(events)
    parts = [_told(kind, spoken, room // len(kinds), measure, names) for kind in kinds]
    if len(parts) == 1:
        headline, lines = parts[0].headline, parts[0].lines
    else:
        headline = say("meanwhile", spoken)
        lines = [line for part in parts for line in (part.headline, *part.lines)]
    letter = max(events, key=lambda event: int(event.letter.counts["total"])).letter
    return Told(
        headline,
        tuple(lines),
        say("total", spoken, count=int(letter.counts["total"])),
        say("organizations", spoken, count=int(letter.counts["organizations"])),
        say("repeat", spoken) if any(event.doubtful for event in events) else "",
        _flat(letter.title),
        letter.url,
    )


def is_organization(event: Event) -> bool:
    return event.type in SIGNED and event.data.get("kind") == "organization"


def _sorted_apart(events: Sequence[Event]) -> list[list[Event]]:
    """Events that share a sentence, together; in the order in which the first of each came."""
    found: dict[tuple[str, ...], list[Event]] = {}
    for event in events:
        alone = () if event.type.startswith("signature.") and not event.test else (event.id,)
        key = (event.type, str(is_organization(event)), str(event.data.get("status") == "pending"), *alone)
        found.setdefault(key, []).append(event)
    return list(found.values())


def _told(events: Sequence[Event], locale: str, room: int, measure: Callable[[str], int], names: int) -> _Part:
    first = events[0]
    if first.type in SIGNED and not first.test:
        if is_organization(first):
            return _organizations(events, locale, room, measure, names)
        return _people(events, locale, room, measure, names)
    if first.type in SIGNED:
        return _Part(say("test_signature", locale, partner=_partner(first)), [])
    noun, _, verb = first.type.partition(".")
    if noun == "signature":
        return _Part(say(verb, locale, count=len(events)), [])
    return _Part(_happened(first, locale), [])


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
            name = _flat(data.get(of))
            return say(f"spike_{of}", locale, name=name, number=data.get("number"), minutes=data.get("minutes"))
        case "destination.failing" | "destination.disabled":
            values = {name: _flat(data.get(at)) for name, at in _TROUBLE.items()}
            return say(event.type.partition(".")[2], locale, **values)
        case _:
            return say("other", locale, type=event.type)


_TROUBLE = {"kind": "kind", "error": "error", "id": "destination"}


def _organizations(events: Sequence[Event], locale: str, room: int, measure: Callable[[str], int], names: int) -> _Part:
    pending = "_pending" if events[0].data.get("status") == "pending" else ""
    if len(events) == 1:
        name = _flat(events[0].data.get("organization"))
        return _Part(say(f"organization{pending}", locale, name=name), [" · ".join(_details(events[0], locale))])
    each = [" · ".join(["• " + _flat(one.data.get("organization")), *_details(one, locale)]) for one in events]
    return _Part(say(f"several{pending}", locale, count=len(events)), _fitting(each, locale, room, measure, names))


def _people(events: Sequence[Event], locale: str, room: int, measure: Callable[[str], int], names: int) -> _Part:
    pending = "_pending" if events[0].data.get("status") == "pending" else ""
    if len(events) == 1:
        name = _name(events[0]) or say("private", locale)
        return _Part(say(f"person{pending}", locale, name=name), [" · ".join(_details(events[0], locale))])
    named = [event for event in events if _name(event)]
    each = [" · ".join(["• " + _name(event), *_details(event, locale)]) for event in named]
    lines = _fitting(each, locale, room, measure, names)
    if len(events) > len(named):
        lines.append("• " + say("private_more", locale, count=len(events) - len(named)))
    return _Part(say(f"people{pending}", locale, count=len(events)), lines)


def _fitting(each: Sequence[str], locale: str, room: int, measure: Callable[[str], int], names: int) -> list[str]:
    """As many of the lines as there is room for, and how many more there are."""
    lines: list[str] = []
    for line in each[:names]:
        room -= measure(line) + 1
        if room < 0:
            break
        lines.append(line)
    if len(each) > len(lines):
        lines.append(say("more", locale, count=len(each) - len(lines)))
    return lines


def _name(event: Event) -> str:
    """The name and affiliation of a person who shows them, else nothing."""
    name, organization = event.data.get("name"), event.data.get("organization")
    if not name:
        return ""
    return f"{_flat(name)} ({_flat(organization)})" if organization else _flat(name)


def _details(event: Event, locale: str) -> list[str]:
    code = str(event.data.get("statement") or "")
    parts = [_flat(event.letter.statements.get(code, code)) if code else ""]
    if _through_a_partner(event):
        parts.append(say("via", locale, partner=_partner(event)))
    if is_organization(event) and event.data.get("listing") == "awaiting_review":
        parts.append(say("review", locale))
    return [part for part in parts if part]


def _through_a_partner(event: Event) -> bool:
    """Not on the letter's own page, whose partner is the house."""
    return (event.data.get("partner") or {}).get("slug") not in (None, "house")


def _partner(event: Event) -> str:
    return _flat((event.data.get("partner") or {}).get("name"))


def _flat(typed: object) -> str:
    """Something typed, on one line and of a length; a dash where there is nothing."""
    text = " ".join(str(typed or "").split())
    return (text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…") or "—"
