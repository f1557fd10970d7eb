"""When a signer takes their signature back.

1. The signature, with what else came from the same mailbox and repeats it: it is one person's word, taken back whole.
2. It counts no longer, and whoever else signed for the same organization counts in its stead.
3. Each of them is withdrawn for good. Consents end, and those who have the address are told.

There is no way out of `withdrawn`; signing again makes a new signature.
"""

from __future__ import annotations

from typing import Any

from widget_server.domain.consents import FIELDS, Way
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.standing import Household, household, leave
from widget_server.flows.turn import Turn, Turns
from widget_server.store.signatures import lock_signatures, update_signature


async def withdraw(turns: Turns, letter: Letter, signature_id: str, *, way: Way = "withdrawal") -> bool:
    """Whether there was anything to withdraw. Repeating it changes nothing. Raises `Unavailable`."""

    async def work(turn: Turn) -> bool:
        signature = (await lock_signatures(turn.writer, letter.id, [signature_id])).get(signature_id)
        return signature is not None and bool(await take_back(turn, signature, way))

    return await turns.take(letter, work)


async def take_back(turn: Turn, signature: Signature, way: Way, **moment: Any) -> Household | None:
    """Steps 1 to 3, within a turn; None where it had ended before. `moment` goes into the events."""
    if signature.status not in ("pending", "confirmed"):
        return None
    home = await household(turn, signature)
    if signature.status == "confirmed":
        await leave(turn, home)
    for one in home.mine:
        if one.status == signature.status and (one.status == "confirmed" or one.id == signature.id):
            await _end(turn, one, way, moment)
    return home


async def _end(turn: Turn, one: Signature, way: Way, moment: dict[str, Any]) -> None:
    told = one.quarantine is None
    event_id = turn.tell(one, "signature.withdrawn", status="withdrawn", **moment) if told else None
    await turn.end_consents(one, event_id, tuple(FIELDS), way, everywhere=True)
    await update_signature(
        turn.writer,
        one.id,
        status="withdrawn",
        withdrawn_at=turn.now,
        initiator_rank=None,
        contact_opt_in=False,
        partner_opt_in=False,
    )
