"""What every change by staff to signatures shares: ids as they were typed, all of them or none, and the audit log.

One thing must stay true: a wrong id is never passed over, and the log holds ids and reasons, no name, no address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from widget_server.domain.ids import read_id
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature
from widget_server.flows.turn import Turn
from widget_server.store.audit import record
from widget_server.store.signatures import lock_signatures


@dataclass(frozen=True, slots=True)
class Staff:
    """Who changes something, and why."""

    actor: str
    reason: str | None = None

    async def note(self, turn: Turn, action: str, subject: str, data: Any = None) -> None:
        """A line in the audit log. `subject` is an id."""
        await record(
            turn.writer, at=turn.now, actor=self.actor, action=action, letter_id=turn.letter.id,
            subject=subject, reason=self.reason, data=data,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """Ids, in the order given: `done` are so now, `repeated` were so before."""

    done: tuple[str, ...]
    repeated: tuple[str, ...]


Fault = Callable[[Signature], str | None]
"""Why a verb cannot be done to a signature, or None."""


async def signatures_named(
    turn: Turn, given: Sequence[str], fault: Fault, *, gone: frozenset[str] = frozenset()
) -> list[Signature]:
    """The signatures, held, in the order given, each once. `gone`: ids that need not exist any more.

    Raises `Problems`: every wrong id with what is wrong.
    """
    read = {text: read_id(text) for text in dict.fromkeys(given)}
    problems = [f'"{text}" is no id; "signatures list" shows them' for text, id_ in read.items() if id_ is None]
    ids = list(dict.fromkeys(id_ for id_ in read.values() if id_ is not None))
    found = await lock_signatures(turn.writer, turn.letter.id, ids)
    for id_ in ids:
        if id_ in found:
            why = fault(found[id_])
            problems += [f"{id_}: {why}"] if why else []
        elif id_ not in gone:
            problems.append(f"{id_}: letter {turn.letter.slug} has no such signature")
    if problems:
        raise Problems(problems)
    return [found[id_] for id_ in ids if id_ in found]


def not_in_the_list(signature: Signature) -> str | None:
    """Why a signature is no candidate for the public list, or None."""
    if signature.test:
        return "this is a test signature, which is in no list"
    if signature.status in ("withdrawn", "rejected"):
        return f"this is {signature.status}"
    if signature.quarantine is not None:
        return "this is in quarantine; release it first"
    if signature.status == "pending":
        return "this is not confirmed yet"
    if signature.repeat_of is not None:
        return f"this repeats {signature.repeat_of}, which is the one that is listed"
    return None
