"""When staff let signatures out of quarantine: each becomes what it would have been.

1. Read the ids; say of every wrong one why it cannot be.
2. All or nothing: destinations hear that it was created. If its address was confirmed, or the letter confirms at once,
   it is confirmed now, even where an earlier signature of its signer was refused; else it waits, and the link in its
   signer's mail works as ever. Whoever filled in the honeypot had got no mail, and gets it now.

Repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import HONEYPOT, Signature, Status
from widget_server.flows.by_staff import Staff, signatures_named
from widget_server.flows.confirm import make_confirmed
from widget_server.flows.turn import Turn, Turns
from widget_server.store.mails import mail_to, promise_mails
from widget_server.store.signatures import update_signature, withdrew_since

RELEASE = "signatures.release"


@dataclass(frozen=True, slots=True)
class Released:
    """By id, in the order given: what each is now, and those that were in no quarantine."""

    status: dict[str, Status]
    repeated: tuple[str, ...]


async def release(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> Released:
    """Raises `Problems`: every wrong id with what is wrong; nothing is released then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Released:
        found = await signatures_named(turn, given, _fault)
        problems = [f"{one.id}: its signer has withdrawn since" for one in found if await _was_taken_back(turn, one)]
        if problems:
            raise Problems(problems)
        released: dict[str, Status] = {}
        for one in found:
            if one.quarantine is not None:
                released[one.id] = await _release(turn, one)
                await staff.note(turn, RELEASE, one.id, {"quarantine": one.quarantine})
        return Released(released, tuple(one.id for one in found if one.quarantine is None))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be released, or None."""
    if signature.status == "rejected":
        return "this is rejected; restore it first"
    if signature.status == "withdrawn":
        return "this is withdrawn: its signer took it back"
    return None


async def _was_taken_back(turn: Turn, signature: Signature) -> bool:
    """Whether it would count although its signer's last word was another."""
    if turn.letter.settings.confirmation == "none":
        return await withdrew_since(turn.writer, signature, signature.created_at)
    at = signature.address_confirmed_at
    return at is not None and await withdrew_since(turn.writer, signature, at)


async def _release(turn: Turn, signature: Signature) -> Status:
    """Its status then."""
    at_once = turn.letter.settings.confirmation == "none"
    free = replace(signature, quarantine=None)
    await update_signature(turn.writer, signature.id, quarantine=None)
    turn.tell(free, "signature.created", status="confirmed" if at_once else "pending")
    if at_once or signature.address_confirmed_at is not None:
        return (await make_confirmed(turn, free, vouched=True)).status
    if HONEYPOT in (signature.quarantine or "").split(","):
        await promise_mails(turn.writer, [mail_to(free.id, free.letter_id, free.partner_id, turn.now)])
    return free.status
