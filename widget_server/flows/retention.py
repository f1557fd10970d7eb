"""When time is over for what we keep: once an hour, by one of the servers, or by command.

1. Of each letter: what nobody confirmed in 30 days, what was withdrawn 30 days ago, tests of yesterday.
2. Once it has been closed for its `contact_days`: contact details of confirmed signatures, and all that was rejected.
3. Once nothing can be confirmed any more: the keyed hashes of signers who are gone, and of who was reminded.
4. Of all: clients' hashes and their keys after seven days, the record of mails after thirty, of attempts after ninety,
   quotas, spent work, sealed addresses that nobody took.
5. Keep in the audit log how much went, never what.

One thing must stay true: each step is many short transactions, so that signing goes on; a round that is cut short is
taken up by the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from widget_server.domain.letters import Letter
from widget_server.domain.links import takes_confirmations
from widget_server.domain.retention import ATTEMPT, CLIENT, MAIL, QUOTA, SEALED, TEST, UNCONFIRMED, WITHDRAWN, Swept
from widget_server.flows.directory import Directory
from widget_server.store import retention as store
from widget_server.store.audit import record
from widget_server.store.db import Db, Writer
from widget_server.store.mail_quotas import forget_once_and_for_all

EVERY_SECONDS = 3600
ACTOR = "retention"


async def sweep_in_turn(db: Db, directory: Directory, now: datetime) -> None:
    """Once in each hour, whichever server comes first."""
    async with db.write() as writer:
        mine = await store.my_turn(writer, int(now.timestamp()) // EVERY_SECONDS)
    if mine:
        await sweep(db, await directory.letters(), now, actor=ACTOR)


async def sweep(db: Db, letters: list[Letter], now: datetime, *, actor: str, dry_run: bool = False) -> dict[str, Swept]:
    """What went, or with `dry_run` would go, by the letter's slug. Raises `Unavailable`."""
    swept: dict[str, Swept] = {}
    for letter in letters:
        done = await (_look if dry_run else _erase)(db, letter, now)
        swept[letter.slug] = done
        if done and not dry_run:
            async with db.write() as writer:
                await record(
                    writer, at=now, actor=actor, action="retention", letter_id=letter.id, subject=letter.slug,
                    data=done.as_dict(),
                )  # fmt: skip
    if not dry_run:
        first_day = (now - CLIENT).date()
        await _until_done(db, lambda writer: store.forget_clients(writer, now - CLIENT, first_day))
        await _until_done(db, lambda writer: store.forget_mails(writer, now - MAIL))
        await _until_done(db, lambda writer: store.forget_attempts(writer, now - ATTEMPT))
        async with db.write() as writer:
            await store.forget_traces(writer, now - QUOTA, now)
    return swept


def _contacts_are_over(letter: Letter, now: datetime) -> bool:
    closed_at = letter.closed_since(now)
    return closed_at is not None and now >= closed_at + timedelta(days=letter.settings.contact_days)


async def _look(db: Db, letter: Letter, now: datetime) -> Swept:
    over = _contacts_are_over(letter, now)
    return Swept(
        unconfirmed=await store.how_many(db, store.unconfirmed(letter.id, now - UNCONFIRMED)),
        withdrawn=await store.how_many(db, store.withdrawn(letter.id, now - WITHDRAWN)),
        rejected=await store.how_many(db, store.rejected(letter.id)) if over else 0,
        tests=await store.how_many(db, store.tests(letter.id, now - TEST)),
        contacts=await store.how_many(db, store.with_contacts(letter.id)) if over else 0,
        places=0 if takes_confirmations(letter, now) else await store.places_left(db, letter.id, all_of_them=over),
        sealed=await store.sealed_left(db, letter.id, now - SEALED),
    )


async def _erase(db: Db, letter: Letter, now: datetime) -> Swept:
    over = _contacts_are_over(letter, now)

    async def erase(rows: store.Rows, *, remember: bool = False) -> int:
        return await _until_done(db, lambda writer: store.erase_batch(writer, rows, now, remember=remember))

    swept = Swept(
        unconfirmed=await erase(store.unconfirmed(letter.id, now - UNCONFIRMED), remember=True),
        withdrawn=await erase(store.withdrawn(letter.id, now - WITHDRAWN)),
        rejected=await erase(store.rejected(letter.id)) if over else 0,
        tests=await erase(store.tests(letter.id, now - TEST)),
        sealed=await store.sealed_left(db, letter.id, now - SEALED),
    )
    if swept.sealed:
        async with db.write() as writer:
            await store.give_up_sealed(writer, letter.id, now - SEALED, now)
    if over:
        swept.contacts = await _until_done(db, lambda writer: store.forget_contacts(writer, letter.id, now))
    if not takes_confirmations(letter, now):
        swept.places = await store.places_left(db, letter.id, all_of_them=over)
        async with db.write() as writer:
            await forget_once_and_for_all(writer, letter.id, now)
            if swept.places:
                await store.forget_places(writer, letter.id, all_of_them=over)
    return swept


async def _until_done(db: Db, batch: Callable[[Writer], Awaitable[int]]) -> int:
    """Batches until one finds nothing, each in a transaction of its own; how many rows in all."""
    total = 0
    while done := await db.again(batch):
        total += done
    return total
