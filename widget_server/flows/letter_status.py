"""When a coordinator opens, pauses or closes a letter.

Nothing is announced from here: the status that follows, from this and from the opening and closing times, is
what destinations are told of (`letters.announced`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from widget_server.domain.letters import Letter, State
from widget_server.domain.refusals import Problems
from widget_server.store.audit import record
from widget_server.store.db import Db
from widget_server.store.letters import lock_letter, set_state
from widget_server.store.revisions import bump_directory, bump_letter

Verb = Literal["open", "pause", "close"]
_STATES: dict[Verb, State] = {"open": "open", "pause": "paused", "close": "closed"}


@dataclass(frozen=True, slots=True)
class Changed:
    """`changed` is False where the letter stood so already."""

    letter: Letter
    changed: bool


async def change_letter_status(db: Db, slug: str, verb: Verb, *, now: datetime, actor: str) -> Changed:
    """Raises `Problems`: no such letter, or a step that its state does not allow."""
    state = _STATES[verb]
    async with db.write() as writer:
        letter = await lock_letter(writer, slug)
        if letter is None:
            raise Problems([f'there is no letter "{slug}"'])
        if letter.state == state:
            return Changed(letter, changed=False)
        if letter.state == "draft" and verb != "open":
            raise Problems([f"letter {slug} is a draft: it has never been open, so there is nothing to {verb}"])
        if letter.state == "closed" and verb == "pause":
            raise Problems([f"letter {slug} is closed: open it first, or leave it closed"])
        await set_state(writer, letter.id, state, now)
        await record(
            writer,
            at=now,
            actor=actor,
            action=f"letter.{verb}",
            letter_id=letter.id,
            subject=slug,
            data={"from": letter.state, "to": state},
        )
        await bump_letter(writer, letter.id)
        await bump_directory(writer)
        letter = await lock_letter(writer, slug) or letter
    return Changed(letter, changed=True)
