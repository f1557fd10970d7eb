"""Claims: who of a batch has signed already, decided by the index on `signers`.

One thing must stay true: a place that was met stays as it is until this transaction ends, so that nobody repeats a
signature which is withdrawn or refused at the same moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from widget_server.store.plans import Ask, Do, Engine, Plan, marks

if TYPE_CHECKING:
    from widget_server.store.new_signatures import NewSignature


@dataclass(frozen=True, slots=True)
class Repeat:
    """A signature by somebody who had signed already: of which one, and whether through another partner."""

    id: str
    first_id: str
    assist: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whose place was taken, by id; and the ids of those whose signer was refused since the batch was begun."""

    repeats: Mapping[str, Repeat]
    barred: frozenset[str]


_Key = tuple[int, str]


def claim_places(engine: Engine, rows: Sequence[NewSignature]) -> Plan[Claimed]:
    """Claims each row's place among the signers. A place that is freed while we wait for it is claimed anew."""
    claims = sorted(rows, key=lambda row: (row.letter_id, row.signer_hash, row.created_at))
    repeats: dict[str, Repeat] = {}
    barred: set[str] = set()
    while claims:
        each = ", ".join(["(?, ?, ?)"] * len(claims))
        claimed = yield Do(
            f"INSERT INTO signers (letter_id, signer_hash, signature_id) VALUES {each}"  # noqa: S608
            " ON CONFLICT (letter_id, signer_hash) DO NOTHING",
            [cell for row in claims for cell in (row.letter_id, row.signer_hash, row.id)],
        )
        if claimed == len(claims):
            break
        held = yield from _hold(engine, claims)
        beaten = [row for row in claims if held.get(_key(row), (row.id, False))[0] != row.id]
        barred |= {row.id for row in beaten if held[_key(row)][1]}
        taken = {row: held[_key(row)][0] for row in beaten if row.id not in barred}
        repeats |= yield from _repeats(taken)
        claims = [row for row in claims if _key(row) not in held]
    return Claimed(repeats, frozenset(barred))


def _key(row: NewSignature) -> _Key:
    return row.letter_id, row.signer_hash


def _hold(engine: Engine, rows: Sequence[NewSignature]) -> Plan[dict[_Key, tuple[str, bool]]]:
    """Who holds these places, and whether they are barred; held until the end of the transaction."""
    letters, hashes = sorted({row.letter_id for row in rows}), sorted({row.signer_hash for row in rows})
    found = yield Ask(
        "SELECT letter_id, signer_hash, signature_id, rejected FROM signers"  # noqa: S608
        f" WHERE letter_id IN ({marks(letters)}) AND signer_hash IN ({marks(hashes)})"
        f" ORDER BY letter_id, signer_hash{' FOR SHARE' if engine == 'postgresql' else ''}",
        [*letters, *hashes],
    )
    return {(letter_id, signer_hash): (str(id_), bool(rejected)) for letter_id, signer_hash, id_, rejected in found}


def _repeats(taken: Mapping[NewSignature, str]) -> Plan[dict[str, Repeat]]:
    """`taken`: who holds each row's place. The holder may be gone (erased, its place is kept), or stand behind another
    one (merged)."""
    if not taken:
        return {}
    holders = sorted(set(taken.values()))
    found = yield Ask(
        f"SELECT id, coalesce(repeat_of, id), partner_id FROM signatures WHERE id IN ({marks(holders)})",  # noqa: S608
        holders,
    )
    firsts = {str(id_): (str(first_id), partner_id) for id_, first_id, partner_id in found}
    repeats = {}
    for row, holder in taken.items():
        first_id, partner_id = firsts.get(holder, (holder, None))
        repeats[row.id] = Repeat(row.id, first_id, assist=partner_id != row.partner_id)
    return repeats


def mark_repeats(repeats: Mapping[str, Repeat]) -> Plan[None]:
    for repeat in repeats.values():
        yield Do(
            "UPDATE signatures SET repeat_of = ?, email = NULL, postal_code = NULL, comment = NULL,"
            " name = CASE WHEN kind = 'organization' THEN NULL ELSE name END,"
            " contact_opt_in = FALSE, partner_opt_in = FALSE WHERE id = ?",
            (repeat.first_id, repeat.id),
        )
