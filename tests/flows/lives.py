"""Signatures' lives, for the property tests: what can happen to them, through the real flows, and what must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.conftest import KEY, LETTER_TOML
from widget_server.domain import emails
from widget_server.domain.consents import Consents
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.names import sort_key
from widget_server.domain.partners import Partner
from widget_server.domain.patterns import Given, read_pattern
from widget_server.domain.refusals import Invalid, Problems, Unavailable
from widget_server.domain.signatures import HONEYPOT, Kind, Signature
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.domain.vault import Vault
from widget_server.flows.approve import approve
from widget_server.flows.by_staff import Staff
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.confirm import confirm
from widget_server.flows.correct import correct, show_name
from widget_server.flows.edit import edit
from widget_server.flows.erase import erase_named, erase_own
from widget_server.flows.hide import hide
from widget_server.flows.load_letter import load_letter
from widget_server.flows.merge import merge
from widget_server.flows.partners import add_partner
from widget_server.flows.reject import reject, reject_matching
from widget_server.flows.release import release
from widget_server.flows.restore import find_rejected, restore, undo_rejection
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.imports import ImportedSignature, write_imported
from widget_server.store.ingest import Ingest
from widget_server.store.new_signatures import NewSignature
from widget_server.store.partners import all_partners
from widget_server.store.signatures import SIGNATURE_COLUMNS, find_signature, signature_of
from widget_server.store.tables import events, remainders, signature_counts, signatures, signers

STAFF = Staff("ana", "a test")
MAILBOXES = (("zoe@one.example", "zoe+news@one.example"), ("ana@gmail.com", "a.na@googlemail.com"), ("jo@two.example",))
ORGANIZATIONS = ("The Harbour Coalition", "Harbour Coalition Inc.", "Réseau du Nord")

Step = tuple[str, int, int, int]
"""What happens, and three numbers that say to which signature, by whom, and how."""


ORGANIZATIONS_COUNT: list[Step] = [
    (what, 1, 0, 0) if what == "confirm" else (what, who, 1 + who, 0)
    for who in range(3)
    for what in ("sign", "confirm")
]
"""A beginning: three organizations count, each from a mailbox of its own."""


class Ticking:
    """A clock on which no two moments are the same."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class World:
    """One letter, its signers, and what was done to them. `dbs`: one for each server."""

    dbs: list[Db]
    letter: Letter
    partners: list[Partner]
    clock: Ticking
    ids: list[str] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)

    @property
    def db(self) -> Db:
        return self.dbs[0]

    def turns(self, server: int = 0) -> Turns:
        return Turns(self.dbs[server], Vault([KEY]), self.clock)

    async def id_(self, number: int, fit: Callable[[Signature], bool] = lambda _: True) -> str:
        """A signature's id: mostly one that fits; now and then any, also of one that is gone."""
        stored = await rows(self)
        some = [one.id for one in stored if number % 5 and fit(one)] or [one.id for one in stored if number % 4]
        some = some or self.ids or [new_id()]
        return some[number % len(some)]


async def a_world(dbs: list[Db], folder: Path, confirmation: str, policy: str) -> World:
    """A letter of its own, with two partners."""
    clock, slug = Ticking(), f"l{new_id()}"
    text = LETTER_TOML.replace('slug = "letter"', f'slug = "{slug}"')
    text = text.replace('confirmation = "none"', f'confirmation = "{confirmation}"\norganizations = "{policy}"')
    (folder / "letter.toml").write_text(text, "utf-8")
    letter = (await load_letter(dbs[0], folder, now=clock(), actor="test")).letter
    for name in ("maple", "birch"):
        await add_partner(
            dbs[0], letter, name, name=name, origins=[f"https://{name}.example"], now=clock(), actor="test"
        )
    partners = [one for one in await all_partners(dbs[0]) if one.letter_id == letter.id and not one.is_house]
    return World(dbs, letter, partners, clock)


def _waits(one: Signature) -> bool:
    return one.status == "pending"


def _stands(one: Signature) -> bool:
    return one.status in ("pending", "confirmed")


def _can_merge(one: Signature) -> bool:
    return one.counted and one.kind == "organization"


def _can_be_restored(one: Signature) -> bool:
    return one.status == "rejected" or one.listing == "hidden_by_staff" or one.repeat_of is not None


def _is_quarantined(one: Signature) -> bool:
    return one.status == "pending" and one.quarantine is not None


async def happens(world: World, step: Step, server: int = 0) -> None:
    """Does one step; what the flows refuse is refused, and changes nothing."""
    what, *numbers = step
    try:
        await _STEPS[what](world, server, *numbers)
    except (Problems, Invalid, Unavailable):
        pass


async def _sign(world: World, server: int, who: int, as_what: int, how: int, *, quarantine: str | None = None) -> None:
    forms = MAILBOXES[who % len(MAILBOXES)]
    email = emails.read(forms[how % len(forms)])
    organization = ORGANIZATIONS[as_what % len(ORGANIZATIONS)] if as_what % 4 else None
    kind: Kind = "organization" if organization else "individual"
    key, letter = world.letter.signer_key, world.letter
    at_once = letter.settings.confirmation == "none" and quarantine is None
    now = world.clock()
    values: dict[str, Any] = {
        **dict.fromkeys(NewSignature._fields),
        "id": new_id(), "letter_id": letter.id, "partner_id": world.partners[how % 2].id,
        "statement": "us" if as_what % 7 == 6 else "ca", "kind": kind, "status": "confirmed" if at_once else "pending",
        "listing": "awaiting_review" if organization else "listed", "test": how % 11 == 10, "quarantine": quarantine,
        "name": "Zoë Gagné", "organization": organization, "organization_website": "https://one.example",
        "authorized": True, "email": email.address,
        "signer_hash": signer_hash(key, kind, email.canonical, organization),
        "country": "CA", "locale": "en", "public": True, "contact_opt_in": how % 2 == 0, "partner_opt_in": how % 3 == 0,
        "origin_flagged": False, "text_version": 1, "shown": True, "sort_key": sort_key(organization or "Zoë Gagné"),
        "address_hash": address_hash(key, email.canonical), "created_at": now, "confirmed_at": now if at_once else None,
    }  # fmt: skip
    row = NewSignature(**values)
    world.ids.append(row.id)
    ingest = Ingest(world.dbs[server])
    await ingest.start()
    try:
        await ingest.add(row)
    finally:
        await ingest.stop()


async def _sign_oddly(world: World, server: int, who: int, as_what: int, how: int) -> None:
    await _sign(world, server, who, as_what, how, quarantine=HONEYPOT if how % 2 else "fast,not_shown")


async def _import(world: World, server: int, who: int, as_what: int, how: int) -> None:
    """An organization that signed on paper, now and then with an address."""
    name, letter = ORGANIZATIONS[as_what % len(ORGANIZATIONS)], world.letter
    email = emails.read(MAILBOXES[who % len(MAILBOXES)][0]) if how % 2 else None
    now = world.clock()
    row = ImportedSignature(
        id=new_id(), letter_id=letter.id, partner_id=world.partners[0].id, statement="ca", kind="organization",
        name=None, organization=name, role=None, organization_website=None, email=email.address if email else None,
        signer_hash=signer_hash(letter.signer_key, "organization", email.canonical, name) if email else None,
        address_hash=address_hash(letter.signer_key, email.canonical) if email else None, country="CA",
        postal_code=None, city=None, locale="en", source="import", text_version=1, import_key=new_id(),
        sort_key=sort_key(name), initiator_rank=None, created_at=now, confirmed_at=now,
    )  # fmt: skip
    world.ids.append(row.id)
    await world.dbs[server].again(lambda writer: write_imported(writer, [row]))


async def _confirm(world: World, server: int, which: int, who: int, how: int) -> None:
    before = await _total(world)
    done = await confirm(world.turns(server), world.letter, await world.id_(which, _waits))
    if done.ended == "repeated" and len(world.dbs) == 1:
        assert await _total(world) == before, "somebody who had signed already is not counted again"


async def _withdraw(world: World, server: int, which: int, who: int, how: int) -> None:
    id_ = await world.id_(which, _stands)
    taken = await find_signature(world.db, id_)
    done = await withdraw(world.turns(server), world.letter, id_)
    if done and taken is not None and taken.status == "confirmed" and not taken.test and len(world.dbs) == 1:
        assert not [one for one in await rows(world) if one.counted and _same_signer(one, taken)], "taken back whole"


async def _erase_own(world: World, server: int, which: int, who: int, how: int) -> None:
    id_, only_this = await world.id_(which), how % 3 == 0
    gone = await find_signature(world.dbs[server], id_)
    await erase_own(world.turns(server), world.letter, id_, only_this=only_this)
    if gone is not None and not only_this and len(world.dbs) == 1:
        assert not [one for one in await rows(world) if _same_signer(one, gone)], "every trace"


async def _erase(world: World, server: int, which: int, who: int, how: int) -> None:
    before = {one.id for one in await rows(world)}
    await erase_named(world.turns(server), world.letter, [await world.id_(which)], STAFF)
    known = before if len(world.dbs) == 1 else set(world.ids)  # among others at work, more may be gone than was there
    world.erased |= known - {one.id for one in await rows(world)}


async def _reject(world: World, server: int, which: int, who: int, how: int) -> None:
    done = await reject(
        world.turns(server),
        world.letter,
        [await world.id_(which, _stands), await world.id_(who, _stands)][: 1 + how % 2],
        STAFF,
    )
    world.rejections += [done.id] if done.id else []


async def _sweep(world: World, server: int, which: int, who: int, how: int) -> None:
    given = Given(domain="one.example") if how % 2 else Given(name="harb*")
    pattern = read_pattern(given, partner_id=None, hash_address=lambda canonical: canonical)
    done = await reject_matching(world.turns(server), world.letter, pattern, STAFF)
    world.rejections += [done.id] if done.id else []


async def _undo(world: World, server: int, which: int, who: int, how: int) -> None:
    if world.rejections:
        id_ = world.rejections[which % len(world.rejections)]
        rejection = await find_rejected(world.dbs[server], world.letter, id_)
        await undo_rejection(world.turns(server), world.letter, rejection, STAFF)


async def _change_consents(world: World, server: int, which: int, who: int, how: int) -> None:
    offered = Consents("v", {"en": {"initiators": "…", "partner": "…"}})
    partner_id = None if how % 2 else world.partners[who % 2].id
    choice = Choice("initiators" if how % 2 else "partner", how % 3 > 0, partner_id, offered)
    await change_consents(world.turns(server), world.letter, await world.id_(which), [choice], "page")


async def _edit_kind(world: World, server: int, which: int, who: int, how: int) -> None:
    name = ORGANIZATIONS[who % len(ORGANIZATIONS)]
    given = {"kind": "organization", "organization": name} if how % 2 else {"kind": "individual", "name": "Jo Roy"}
    await edit(world.turns(server), world.letter, await world.id_(which, _stands), given, STAFF)


async def _edit(world: World, server: int, which: int, who: int, how: int) -> None:
    given = {"organization": ORGANIZATIONS[how % len(ORGANIZATIONS)]}
    await edit(world.turns(server), world.letter, await world.id_(which, _stands), given, STAFF)


async def _correct(world: World, server: int, which: int, who: int, how: int) -> None:
    given = {"organization": ORGANIZATIONS[how % len(ORGANIZATIONS)]}
    await correct(world.turns(server), world.letter, await world.id_(which, _stands), given)


async def _show_name(world: World, server: int, which: int, who: int, how: int) -> None:
    await show_name(world.turns(server), world.letter, await world.id_(which), public=how % 2 == 0)


async def _merge(world: World, server: int, which: int, who: int, how: int) -> None:
    others = [await world.id_(who, _can_merge), await world.id_(how, _can_merge)][: 1 + how % 2]
    await merge(world.turns(server), world.letter, await world.id_(which, _can_merge), others, STAFF)


async def _approve(world: World, server: int, which: int, who: int, how: int) -> None:
    await approve(world.turns(server), world.letter, [await world.id_(which, _can_merge)], STAFF)


async def _hide(world: World, server: int, which: int, who: int, how: int) -> None:
    await hide(world.turns(server), world.letter, [await world.id_(which, _stands)], STAFF)


async def _restore(world: World, server: int, which: int, who: int, how: int) -> None:
    await restore(
        world.turns(server),
        world.letter,
        [await world.id_(which, _can_be_restored), await world.id_(who, _can_be_restored)][: 1 + how % 2],
        STAFF,
    )


async def _release(world: World, server: int, which: int, who: int, how: int) -> None:
    await release(world.turns(server), world.letter, [await world.id_(which, _is_quarantined)], STAFF)


_STEPS = {
    "sign": _sign, "sign oddly": _sign_oddly, "import": _import, "confirm": _confirm, "withdraw": _withdraw,
    "erase own": _erase_own, "erase": _erase, "reject": _reject, "sweep": _sweep, "undo": _undo,
    "consents": _change_consents, "edit kind": _edit_kind, "edit": _edit, "correct": _correct,
    "show name": _show_name, "merge": _merge, "approve": _approve, "hide": _hide, "restore": _restore,
    "release": _release,
}  # fmt: skip
STEPS = tuple(_STEPS)


def _same_signer(one: Signature, other: Signature) -> bool:
    if other.address_hash is None:
        return False
    return one.address_hash == other.address_hash and one.signer_hash == other.signer_hash


async def rows(world: World) -> list[Signature]:
    query = select(*SIGNATURE_COLUMNS).where(signatures.c.letter_id == world.letter.id).order_by(signatures.c.seq)
    return [signature_of(row) for row in await world.db.all(query)]


async def _total(world: World) -> int:
    query = select(signature_counts.c.number).where(signature_counts.c.letter_id == world.letter.id)
    return sum(row["number"] for row in await world.db.all(query))


async def holds(world: World) -> None:
    """Asserts everything that must be true of a letter's signatures, at any time."""
    db, letter_id = world.db, world.letter.id
    everything = await rows(world)
    by_id = {one.id: one for one in everything}
    counted = [one for one in everything if one.counted]

    wanted = Counter((one.statement, one.kind) for one in counted)
    for row in await db.all(select(remainders).where(remainders.c.letter_id == letter_id)):
        if row["what"] == "erased":
            wanted[row["statement"], row["kind"]] += row["number"]
    kept = await db.all(select(signature_counts).where(signature_counts.c.letter_id == letter_id))
    numbers = {(row["statement"], row["kind"]): row["number"] for row in kept if row["number"]}
    assert numbers == dict(wanted), "the count is what the rows say"

    for id_ in world.withdrawn & by_id.keys():
        assert by_id[id_].status == "withdrawn", "there is no path out of withdrawn"
    world.withdrawn |= {one.id for one in everything if one.status == "withdrawn"}

    who = [one.signer_hash for one in counted if one.signer_hash is not None]
    assert len(set(who)) == len(who), "a signer is counted once"

    places = {row["signer_hash"]: row for row in await db.all(select(signers).where(signers.c.letter_id == letter_id))}
    for hash_, place in places.items():
        holder = by_id.get(place["signature_id"])
        if place["rejected"]:
            assert holder is None or holder.status == "rejected", "only who was refused bars a place"
        elif holder is None:
            assert place["signature_id"] in world.erased, "who is gone by their own wish has no place"
        else:
            assert holder.status == "confirmed", "who waits, was refused or took it back has no place"
        assert holder is None or place["alias"] or holder.signer_hash == hash_, "a place besides its own is marked"

    def head_of(one: Signature) -> str | None:
        """The one that counts, by the place of its signer."""
        place = places.get(one.signer_hash or "")
        if place is None or place["rejected"]:
            return None
        holder = by_id.get(place["signature_id"])
        return (holder.repeat_of or holder.id) if holder else place["signature_id"]

    for one in everything:
        if one.signer_hash is None or one.status != "confirmed" or one.test:
            continue
        head = by_id.get(one.repeat_of or one.id)
        if one.counted or (head is not None and head.address_hash != one.address_hash):
            assert head_of(one) == (one.repeat_of or one.id), "the place leads to the one that counts"

    for one in everything:
        if one.status == "confirmed" and one.repeat_of is not None:
            head = by_id.get(one.repeat_of)
            assert head.counted if head is not None else one.repeat_of in world.erased, "somebody counts for it"
        if one.kind == "individual" and not one.public:
            assert one.listing != "listed", "who hides their name is not listed"
        if one.quarantine is not None:
            assert one.status != "confirmed", "in quarantine nothing is confirmed"

    told = await db.all(select(events.c.signature_id, events.c.type).where(events.c.letter_id == letter_id))
    loud = {row["signature_id"] for row in told if row["type"] != "signer.mail"}
    for one in everything:
        if one.quarantine is not None and one.quarantine != "rejected_before":
            assert one.id not in loud, "nobody hears of what is in quarantine"
