"""When a signer gives a consent, or takes one back, on their own page or by their mail program's button.

1. Each consent stands apart: the initiators', and that of each partner through whom they signed.
2. A consent given is kept with the wording that was shown; one can be given only where its sender is named in full.
3. A consent taken back is kept as well, and those who have the address by it are told.
4. A person's word to the initiators is one, however often they signed: it changes on all of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from widget_server.domain.consents import FIELDS, Consents, Purpose, Way
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.standing import household
from widget_server.flows.turn import Turn, Turns
from widget_server.store.consents import keep_consents
from widget_server.store.signatures import lock_signatures, update_signature


@dataclass(frozen=True, slots=True)
class Choice:
    """One box as its signer left it. `partner_id` says whose, for the purpose `partner`. `offered`: the boxes as they
    were shown, without which nothing can be given; `locale`: in which language, if not the signature's own; `page`:
    where."""

    purpose: Purpose
    given: bool
    partner_id: int | None = None
    offered: Consents | None = None
    locale: str | None = None
    page: str | None = None


async def change_consents(turns: Turns, letter: Letter, signature_id: str, choices: Sequence[Choice], way: Way) -> int:
    """How many consents changed. Raises `Unavailable`."""

    async def work(turn: Turn) -> int:
        signature = (await lock_signatures(turn.writer, letter.id, [signature_id])).get(signature_id)
        if signature is None:
            return 0
        rows = [signature] if signature.status == "pending" else list((await household(turn, signature)).mine)
        rows = [one for one in rows if one.status in ("pending", "confirmed")]
        address = next((one.email for one in rows if one.email is not None), None)
        changed = 0
        for choice in choices:
            for one in _concerned(rows, choice):
                changed += await _change(turn, one, choice, way, address)
        return changed

    return await turns.take(letter, work)


def _concerned(rows: list[Signature], choice: Choice) -> list[Signature]:
    """The rows that a choice changes. The initiators' consent is given on the one that counts, and ends on all."""
    column = FIELDS[choice.purpose]
    mine = [one for one in rows if choice.purpose == "initiators" or one.partner_id == choice.partner_id]
    if choice.given:
        mine = mine[:1]
    return [one for one in mine if getattr(one, column) != choice.given]


async def _change(turn: Turn, one: Signature, choice: Choice, way: Way, address: str | None) -> int:
    column = FIELDS[choice.purpose]
    values: dict[str, Any] = {column: choice.given}
    if choice.given:
        offered, locale = choice.offered, choice.locale or one.locale
        if offered is None or address is None or choice.purpose not in offered.by_locale.get(locale, {}):
            return 0
        if one.email is None:
            values["email"] = address
        given = turn.record(
            one, choice.purpose, given=True, way=way, version=offered.version, locale=locale, page=choice.page
        )
        await keep_consents(turn.writer, [given])
    event_id = turn.tell(one, "signature.updated", status=one.status) if one.quarantine is None else None
    if not choice.given:
        await turn.end_consents(one, event_id, (choice.purpose,), way)
    await update_signature(turn.writer, one.id, **values)
    return 1
