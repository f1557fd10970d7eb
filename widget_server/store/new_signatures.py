"""A batch of new signatures as one plan: rows, who has signed already, consents, events, mails, counts.

One thing must stay true: the indexes decide what is new and who signed first, never a look before the write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, get_args

from widget_server.domain.consents import ConsentRecord
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Counts
from widget_server.domain.signatures import HONEYPOT, REJECTED_BEFORE, Kind, Listing, Status
from widget_server.domain.suspicion import mended
from widget_server.store.claims import Repeat, claim_places, mark_repeats
from widget_server.store.consents import consent_steps
from widget_server.store.letters import counts_by_letter
from widget_server.store.mails import mail_steps, mail_to
from widget_server.store.plans import Ask, Do, Engine, Plan, instant, marks
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
    address_hash: str | None
    client: str | None
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProofOfWork:
    """A proof of work that buys this signature, once."""

    challenge: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Extras:
    """What comes with a signature besides its row. `replaces`: the id of a pending one whose address was mistyped;
    `weighed` as in `domain/suspicion.py`."""

    replaces: str | None = None
    weighed: bool = True
    work: ProofOfWork | None = None
    consents: tuple[ConsentRecord, ...] = ()


NO_EXTRAS = Extras()
Arrival = tuple[NewSignature, Extras]


class WorkSpent(Exception):
    """The proof of work had bought a signature already. Nothing was stored."""


class IdTaken(Exception):
    """Another letter has a signature of this `id`. Nothing was stored."""


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


def write_signatures(engine: Engine, batch: Sequence[Arrival]) -> Plan[list[Stored | WorkSpent | IdTaken]]:
    """The plan that writes a batch; the results come in the batch's order.

    1. Quarantine those whose signer was refused before; take out the pending ones that they mend.
    2. Insert every row; the index on `id` says which are new, and the index on challenges whose work was spent.
    3. Claim a place in `signers` for each new one that would count; the index says who had signed already.
    4. Mark those as repeats, without consent and contact details.
    5. Keep the consents; write the events and the mails, raise the counts and the letters' revisions.

    Keys are inserted in sorted order: two servers on PostgreSQL that meet the same ones would deadlock otherwise.
    """
    by_id: dict[str, NewSignature] = {}
    extras: dict[str, Extras] = {}
    for signature, more in batch:
        by_id.setdefault(signature.id, signature)
        if more is not NO_EXTRAS:
            extras.setdefault(signature.id, more)
    yield from _quarantine_the_rejected(by_id)
    withdrawn = (yield from _replace(engine, by_id, extras)) if extras else []
    rows = [by_id[id_] for id_ in sorted(by_id)]
    new = yield from _insert(engine, rows)
    spent = (yield from _spend(engine, new, extras)) if extras else set[str]()
    new -= spent
    fresh = [row for row in rows if row.id in new]
    countable = [row for row in fresh if row.status == "confirmed" and not row.test and row.quarantine is None]
    claimed = yield from claim_places(engine, countable)
    if claimed.barred:
        yield from _set_aside(by_id, claimed.barred)
        fresh = [by_id[row.id] for row in fresh]
        countable = [row for row in countable if row.id not in claimed.barred]
    repeats = claimed.repeats
    yield from mark_repeats(repeats)
    counted = [row for row in countable if row.id not in repeats]
    if extras:
        said = [row.id for row in fresh if row.id in extras and row.id not in repeats]
        yield from consent_steps(engine, [one for id_ in said for one in extras[id_].consents])
    told = [*withdrawn, *_told(engine, fresh, {row.id for row in counted}, repeats)]
    mails = [mail_to(row.id, row.letter_id, row.partner_id, row.created_at) for row in fresh if _is_mailed(row)]
    yield from mail_steps(engine, mails, told)
    yield from _count(counted)
    counts = yield from _counts(sorted({row.letter_id for row in rows}))
    earlier = yield from _earlier([row.id for row in rows if row.id not in new and row.id not in spent])
    results: list[Stored | WorkSpent | IdTaken] = []
    for signature, _ in batch:
        row = by_id[signature.id]
        if row.id in spent:
            results.append(WorkSpent())
            continue
        letter_id, status, statement, quarantined = earlier.get(row.id) or (
            row.letter_id,
            row.status,
            row.statement,
            bool(row.quarantine),
        )
        if letter_id != signature.letter_id:
            results.append(IdTaken())
            continue
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


def _quarantine_the_rejected(by_id: dict[str, NewSignature]) -> Plan[None]:
    """Whoever was refused before signs into quarantine."""
    rows = list(by_id.values())
    letters = sorted({row.letter_id for row in rows})
    barred = yield Ask(
        f"SELECT letter_id, signer_hash FROM signers WHERE rejected AND letter_id IN ({marks(letters)})"  # noqa: S608
        f" AND signer_hash IN ({marks(rows)})",
        [*letters, *(row.signer_hash for row in rows)],
    )
    refused = set(barred)
    for row in rows if refused else ():
        if (row.letter_id, row.signer_hash) in refused and not row.test:
            by_id[row.id] = _aside(row)


def _aside(row: NewSignature) -> NewSignature:
    why = REJECTED_BEFORE if row.quarantine is None else f"{row.quarantine},{REJECTED_BEFORE}"
    return row._replace(quarantine=why, status="pending", confirmed_at=None)


def _set_aside(by_id: dict[str, NewSignature], ids: Iterable[str]) -> Plan[None]:
    """The same for rows that are written already: their signer was refused a moment ago."""
    for id_ in sorted(ids):
        by_id[id_] = row = _aside(by_id[id_])
        yield Do(
            "UPDATE signatures SET quarantine = ?, status = 'pending', confirmed_at = NULL WHERE id = ?",
            (row.quarantine, id_),
        )


def _replace(engine: Engine, by_id: dict[str, NewSignature], extras: Mapping[str, Extras]) -> Plan[list[object]]:
    """Takes out the pending signatures that were mended: an address that was mistyped is somebody else's. One that is
    no longer pending stays. Whoever was in quarantine for more than that address stays there under the other one. Gives
    the cells of the events: of one in quarantine nobody had heard."""
    cells: list[object] = []
    for id_, more in sorted(extras.items()):
        row = by_id[id_]
        if more.replaces is None or more.replaces == id_:
            continue
        gone = yield Ask(
            "DELETE FROM signatures WHERE id = ? AND letter_id = ? AND status = 'pending'"
            " AND address_confirmed_at IS NULL RETURNING partner_id, quarantine, test",
            (more.replaces, row.letter_id),
        )
        for partner_id, quarantine, test in gone:
            yield Do("DELETE FROM consents WHERE signature_id = ?", (more.replaces,))
            if quarantine is None:
                at, moment = instant(engine, row.created_at), _FACTS["withdrawn", bool(test)]
                cells += (new_id(), "signature.withdrawn", row.letter_id, partner_id, more.replaces, moment, at, None)
            elif codes := mended(quarantine, row.quarantine, weighed=more.weighed):
                by_id[id_] = row._replace(quarantine=codes, status="pending", confirmed_at=None)
    return cells


def _spend(engine: Engine, new: set[str], extras: Mapping[str, Extras]) -> Plan[set[str]]:
    """Ids of new rows whose work had bought a signature before: they are taken out again."""
    spent: set[str] = set()
    for id_ in sorted(new & extras.keys(), key=lambda id_: work.challenge if (work := extras[id_].work) else ""):
        work = extras[id_].work
        if work is None:
            continue
        first = yield Do(
            "INSERT INTO spent_challenges (challenge, expires_at) VALUES (?, ?) ON CONFLICT (challenge) DO NOTHING",
            (work.challenge, instant(engine, work.expires_at)),
        )
        if not first:
            yield Do("DELETE FROM signatures WHERE id = ?", (id_,))
            spent.add(id_)
    return spent


def _is_mailed(row: NewSignature) -> bool:
    """Whether its signer is to confirm by mail. A filled honeypot gets none, nor does a test."""
    return row.status == "pending" and not row.test and HONEYPOT not in (row.quarantine or "").split(",")


_FACTS = {
    (status, test): json_text({"status": status, "test": True} if test else {"status": status})
    for status in get_args(Status)
    for test in (False, True)
}


def _told(
    engine: Engine, fresh: Sequence[NewSignature], counted: set[str], repeats: Mapping[str, Repeat]
) -> list[object]:
    """The cells of the events, in the order of arrival; a quarantined signature makes none."""
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
            cells += (new_id(), kind, row.letter_id, row.partner_id, row.id, _FACTS[row.status, row.test], at, None)
    return cells


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
    sql = f"SELECT letter_id, statement, kind, number FROM signature_counts WHERE letter_id IN ({marks(letter_ids)})"  # noqa: S608
    return counts_by_letter((yield Ask(sql, letter_ids)))


def _earlier(ids: Sequence[str]) -> Plan[dict[str, tuple[int, Status, str, bool]]]:
    """Letter, status, statement and whether it is quarantined, by id."""
    if not ids:
        return {}
    sql = f"SELECT id, letter_id, status, statement, quarantine FROM signatures WHERE id IN ({marks(ids)})"  # noqa: S608
    return {str(row[0]): (row[1], row[2], row[3], row[4] is not None) for row in (yield Ask(sql, ids))}
