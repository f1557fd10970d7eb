"""A batch of new signatures as one plan: rows, who has signed already, events, counts.

One thing must stay true: the indexes decide what is new and who signed first, never a look before the write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, get_args

from widget_server.domain.ids import new_id
from widget_server.domain.letters import Counts
from widget_server.domain.signatures import Kind, Listing, Status
from widget_server.store.events import event_steps
from widget_server.store.letters import counts_by_letter
from widget_server.store.plans import Ask, Do, Engine, Plan, instant
from widget_server.store.tables import json_text


class NewSignature(NamedTuple):
    """A row to be. Field for column, in the order in which it is written; the two times come last."""

    id: str
    letter_id: int
    partner_id: int
    statement: str
    kind: Kind
    status: Status
    listing: Listing
    test: bool
    quarantine: str | None
    name: str | None
    organization: str | None
    role: str | None
    organization_website: str | None
    authorized: bool
    email: str | None
    signer_hash: str
    country: str
    postal_code: str | None
    city: str | None
    comment: str | None
    locale: str
    public: bool
    contact_opt_in: bool
    partner_opt_in: bool
    consent_version: str | None
    source: str | None
    page: str | None
    origin: str | None
    origin_flagged: bool
    text_version: int
    shown: bool
    elapsed: int | None
    sort_key: str
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of it. `new` is False when the same `id` was stored before; then the rest is as it was then."""

    id: str
    status: Status
    statement: str
    quarantined: bool
    new: bool
    counts: Counts


_INSERT = f"INSERT INTO signatures ({', '.join(NewSignature._fields)}) VALUES "  # noqa: S608
_ROW = f"({', '.join('?' * len(NewSignature._fields))})"

_NO_COUNTS = Counts()


def write_signatures(engine: Engine, batch: Sequence[NewSignature]) -> Plan[list[Stored]]:
    """The plan that writes a batch; the results come in the batch's order.

    1. Insert every row; the index on `id` says which are new.
    2. Claim a place in `signers` for each new one that would count; the index says who had signed already.
    3. Mark those as repeats, without consent and contact details.
    4. Write the events, raise the counts and the letters' revisions.

    Keys are inserted in sorted order: two servers on PostgreSQL that meet the same ones would deadlock otherwise.
    """
    by_id: dict[str, NewSignature] = {}
    for signature in batch:
        by_id.setdefault(signature.id, signature)
    rows = [by_id[id_] for id_ in sorted(by_id)]
    new = yield from _insert(engine, rows)
    fresh = [row for row in rows if row.id in new]
    countable = [row for row in fresh if row.status == "confirmed" and not row.test and row.quarantine is None]
    repeats = yield from _claim(countable)
    yield from _mark_repeats(repeats)
    counted = [row for row in countable if row.id not in repeats]
    yield from _tell(engine, fresh, {row.id for row in counted}, repeats)
    yield from _count(counted)
    counts = yield from _counts(sorted({row.letter_id for row in rows}))
    earlier = yield from _earlier([row.id for row in rows if row.id not in new])
    results: list[Stored] = []
    for signature in batch:
        row = by_id[signature.id]
        status, statement, quarantined = earlier.get(row.id) or (
            row.status,
            row.statement,
            bool(row.quarantine),
        )
        is_new = row.id in new
        new.discard(row.id)  # the same id again in this batch is a repeat of the request
        total = counts.get(row.letter_id, _NO_COUNTS)
        results.append(Stored(row.id, status, statement, quarantined, is_new, total))
    return results


def _insert(engine: Engine, rows: Sequence[NewSignature]) -> Plan[set[str]]:
    """Ids of the rows that were new."""
    values: list[object] = []
    for row in rows:
        created_at, confirmed_at = row[-2:]
        created = instant(engine, created_at)
        values += row[:-2]
        values.append(created)
        values.append(created if confirmed_at is created_at else confirmed_at and instant(engine, confirmed_at))
    sql = f"{_INSERT}{', '.join([_ROW] * len(rows))} ON CONFLICT (id) DO NOTHING"
    if engine == "postgresql":
        return {str(id_) for (id_,) in (yield Ask(f"{sql} RETURNING id", values))}
    # On SQLite each row that RETURNING gives costs a turn at Python's lock; nearly always all rows are new.
    ((before,),) = yield Ask("SELECT coalesce(max(seq), 0) FROM signatures")
    if (yield Do(sql, values)) == len(rows):
        return {row.id for row in rows}
    return {id_ for (id_,) in (yield Ask("SELECT id FROM signatures WHERE seq > ?", (before,)))}


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A signature by somebody who had signed already: of which one, and whether through another partner."""

    id: str
    first_id: str
    assist: bool


def _claim(rows: Sequence[NewSignature]) -> Plan[dict[str, _Repeat]]:
    """Claims each row's place among the signers; gives those whose place was taken."""
    if not rows:
        return {}
    claims = sorted(rows, key=lambda row: (row.letter_id, row.signer_hash, row.created_at))
    values = [cell for row in claims for cell in (row.letter_id, row.signer_hash, row.id)]
    marks = ", ".join(["(?, ?, ?)"] * len(claims))
    claimed = yield Do(
        f"INSERT INTO signers (letter_id, signer_hash, signature_id) VALUES {marks}"  # noqa: S608
        " ON CONFLICT (letter_id, signer_hash) DO NOTHING",
        values,
    )
    if claimed == len(claims):
        return {}
    repeats: dict[str, _Repeat] = {}
    for row in claims:
        ((first_id, partner_id),) = yield Ask(
            "SELECT s.id, s.partner_id FROM signers g JOIN signatures s ON s.id = g.signature_id"
            " WHERE g.letter_id = ? AND g.signer_hash = ?",
            (row.letter_id, row.signer_hash),
        )
        if str(first_id) != row.id:
            repeats[row.id] = _Repeat(row.id, str(first_id), assist=partner_id != row.partner_id)
    return repeats


def _mark_repeats(repeats: Mapping[str, _Repeat]) -> Plan[None]:
    for repeat in repeats.values():
        yield Do(
            "UPDATE signatures SET repeat_of = ?, email = NULL, postal_code = NULL, comment = NULL,"
            " name = CASE WHEN kind = 'organization' THEN NULL ELSE name END,"
            " contact_opt_in = FALSE, partner_opt_in = FALSE WHERE id = ?",
            (repeat.first_id, repeat.id),
        )


_FACTS = {
    (status, test): json_text({"status": status, "test": True} if test else {"status": status})
    for status in get_args(Status)
    for test in (False, True)
}


def _tell(
    engine: Engine, fresh: Sequence[NewSignature], counted: set[str], repeats: Mapping[str, _Repeat]
) -> Plan[None]:
    """Writes the events in the order of arrival; a quarantined signature makes none."""
    cells: list[object] = []
    for row in sorted(fresh, key=attrgetter("created_at")):
        if row.quarantine is not None:
            continue
        types = ["signature.created"]
        if row.id in counted or (row.test and row.status == "confirmed"):
            types.append("signature.confirmed")
        elif row.id in repeats and repeats[row.id].assist:
            types.append("signature.assisted")
        at = instant(engine, row.created_at)
        for kind in types:
            cells += (new_id(), kind, row.letter_id, row.partner_id, row.id, _FACTS[row.status, row.test], at)
    yield from event_steps(cells)


def _count(rows: Sequence[NewSignature]) -> Plan[None]:
    yield from raise_counts(Counter((row.letter_id, row.statement, row.kind) for row in rows))


def raise_counts(numbers: Mapping[tuple[int, str, str], int]) -> Plan[None]:
    """Adds to the kept counts, by letter id, statement and kind, and bumps the letters' revisions."""
    for key, number in sorted(numbers.items()):
        yield Do(
            "INSERT INTO signature_counts (letter_id, statement, kind, number) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (letter_id, statement, kind)"
            " DO UPDATE SET number = signature_counts.number + excluded.number",
            (*key, number),
        )
    for letter_id in sorted({key[0] for key in numbers}):
        yield Do("UPDATE letters SET revision = revision + 1 WHERE id = ?", (letter_id,))


def _counts(letter_ids: Sequence[int]) -> Plan[dict[int, Counts]]:
    marks = ", ".join("?" * len(letter_ids))
    sql = f"SELECT letter_id, statement, kind, number FROM signature_counts WHERE letter_id IN ({marks})"  # noqa: S608
    return counts_by_letter((yield Ask(sql, letter_ids)))


def _earlier(ids: Sequence[str]) -> Plan[dict[str, tuple[Status, str, bool]]]:
    if not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT id, status, statement, quarantine FROM signatures WHERE id IN ({marks})"  # noqa: S608
    return {str(row[0]): (row[1], row[2], row[3] is not None) for row in (yield Ask(sql, ids))}
