"""What an integration is handed: the event, the letter it is about, the destination it goes to.

One thing must stay true: nothing here is a raw signature. Whatever personal data an `Event` carries has passed the
consent rule for this very destination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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

    `opted_in`: the signer lets the destination's owner write to them, and `data["email"]` is theirs. `ended`: that
    consent has ended; `data["email"]` is the address to take out. `doubtful`: an earlier attempt may have arrived, so
    look before doing again what may not be done twice. `note`: what an earlier attempt at this delivery asked
    `Tools.remember` to keep.
    """

    id: str
    type: str
    occurred_at: datetime
    letter: LetterFacts
    data: Mapping[str, Any]
    test: bool = False
    opted_in: bool = False
    ended: bool = False
    doubtful: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a delivery goes. `secrets` are the signing secrets in force, newest first (`whsec_…`); `locale`
    is the owner's language, for what people read; `kept` is what `Tools.renew` last stored for it."""

    id: str
    url: str
    options: Mapping[str, str]
    secrets: Sequence[str]
    locale: str
    kept: Mapping[str, str] = field(default_factory=dict)
