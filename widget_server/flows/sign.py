"""When somebody signs.

1. Whose letter, through which partner: the attribution token says.
2. From an origin that the partner has named? Else accepted and flagged, or refused where the partner is strict.
3. Is the letter open?
4. Read the form: every problem at once.
5. Too many from this client, or a letter under pressure? Then it waits, or works. Asked only of forms that would be
   stored, the same whatever was typed. (What 3 to 5 refuse is answered as the first time where its `id` is stored
   already: the answer was lost on its way.)
6. Does it look abusive? Then it is set aside, and its sender is answered as ever.
7. Queue it for the group commit and wait until it is durable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from widget_server.domain.consents import FIELDS, ConsentRecord
from widget_server.domain.ids import new_id, read_id
from widget_server.domain.letters import Counts, Letter
from widget_server.domain.listing import listing_of
from widget_server.domain.names import sort_key
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import FieldError, Invalid, NotAllowed, NotOpen, TooMany
from widget_server.domain.sign_form import SignForm, read_form
from widget_server.domain.signatures import Status
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.domain.suspicion import quarantine
from widget_server.domain.tokens import BadToken, Seals
from widget_server.flows.client_book import ClientBook
from widget_server.flows.directory import Credit, Directory
from widget_server.flows.gate import Gate
from widget_server.store.ingest import Ingest
from widget_server.store.new_signatures import (
    NO_EXTRAS,
    Extras,
    IdTaken,
    NewSignature,
    ProofOfWork,
    Stored,
    WorkSpent,
)
from widget_server.store.signing import find_stored


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a form came from: the `Origin` header; the client's address, of which only a keyed hash is stored;
    `no_script`: a browser sent it by itself and cannot work."""

    origin: str | None
    client: str
    no_script: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signer is told. `new` is False for an `id` that was stored before."""

    id: str
    status: Status
    statement: str
    counts: Counts
    replaces: str | None
    new: bool


ConsentVersion = Callable[[Letter, Partner], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Signing:
    """The flow with what it needs. `house_origin` is our own, always accepted and never flagged. `weighed`: whether
    several suspicions together set a signature aside."""

    directory: Directory
    seals: Seals
    ingest: Ingest
    gate: Gate
    clients: ClientBook
    consent_version: ConsentVersion
    house_origin: str
    weighed: bool
    now: Callable[[], datetime]

    async def credit(self, fields: Mapping[str, Any]) -> Credit:
        """Step 1. Raises `NotAllowed`."""
        token = fields.get("token")
        if not token or not isinstance(token, str):
            raise NotAllowed("token_missing")
        return await self.directory.credit(token)

    async def sign(self, credit: Credit, fields: Mapping[str, Any], sender: Sender) -> Signed:
        """Steps 2 to 7. Raises `NotAllowed`, `NotOpen`, `Invalid`, `TooMany` or `Unavailable`."""
        flagged = self._check_origin(credit.partner, sender.origin)
        try:
            return await self._store(credit, fields, sender, flagged)
        except (NotOpen, Invalid, TooMany):
            known = await self._known(credit.letter, fields)
            if known is None:
                raise
            return known

    async def _store(self, credit: Credit, fields: Mapping[str, Any], sender: Sender, flagged: bool) -> Signed:
        letter, now = credit.letter, self.now()
        status = letter.status(now)
        if status != "open":
            raise NotOpen(f"not_open_{status}", letter_status=status)
        form = read_form(fields, letter.settings)
        work = self.gate.admit(letter, sender.client, fields.get("pow"), no_script=sender.no_script)
        signature = await self._signature(credit, form, sender, flagged, now)
        extras = self._extras(credit, form, signature, work)
        try:
            stored = await self.ingest.add(signature, extras)
        except WorkSpent:
            raise self.gate.again(letter) from None
        except IdTaken:
            raise Invalid([FieldError("id", "taken")]) from None
        if stored.quarantined and stored.new:
            self.gate.set_aside(letter)
        return self._told(stored, letter)

    async def _known(self, letter: Letter, fields: Mapping[str, Any]) -> Signed | None:
        """The answer to an `id` that this letter has."""
        id_ = read_id(str(fields.get("id") or ""))
        known = None if id_ is None else await find_stored(self.ingest.db, letter.id, id_)
        if known is None:
            return None
        return self._told(Stored(*known, new=False, counts=await self.directory.counts(letter)), letter)

    def _check_origin(self, partner: Partner, origin: str | None) -> bool:
        """Whether to flag it. Raises `NotAllowed` where the partner is strict."""
        if origin == self.house_origin or (origin is not None and origin in partner.origins):
            return False
        if partner.strict_origins:
            raise NotAllowed("origin_refused")
        return True

    async def _signature(
        self, credit: Credit, form: SignForm, sender: Sender, flagged: bool, now: datetime
    ) -> NewSignature:
        letter, partner = credit.letter, credit.partner
        shown = self.directory.shown(form.shown, letter)
        statement = letter.settings.statement_for(form.country)
        assert statement is not None, "read_form refuses a country without a statement"
        codes = quarantine(
            form,
            shown=shown is not None,
            blocked=self.directory.blocks(letter, form.email),
            weighed=self.weighed,
        )
        confirmed = letter.settings.confirmation == "none" and codes is None
        display_name = form.organization if form.kind == "organization" else form.name
        return NewSignature(
            id=form.id or new_id(),
            letter_id=letter.id,
            partner_id=partner.id,
            statement=statement.code,
            kind=form.kind,
            status="confirmed" if confirmed else "pending",
            listing=listing_of(letter.settings, form.kind, public=form.public),
            test=form.test,
            quarantine=codes,
            name=form.name,
            organization=form.organization,
            role=form.role,
            organization_website=form.organization_website,
            authorized=form.authorized,
            email=form.email.address,
            signer_hash=signer_hash(letter.signer_key, form.kind, form.email.canonical, form.organization),
            country=form.country,
            postal_code=form.postal_code,
            city=form.city,
            comment=form.comment,
            locale=form.locale,
            public=form.public,
            contact_opt_in=form.contact_opt_in,
            partner_opt_in=form.partner_opt_in and not partner.is_house,
            consent_version=shown.consent_version if shown else await self.consent_version(letter, partner),
            source=form.source,
            page=form.page,
            origin=sender.origin[:300] if sender.origin else None,
            origin_flagged=flagged,
            text_version=shown.text_version if shown else letter.version,
            shown=shown is not None,
            elapsed=form.elapsed,
            sort_key=sort_key(display_name or ""),
            address_hash=address_hash(letter.signer_key, form.email.canonical),
            client=await self.clients.today(sender.client),
            created_at=now,
            confirmed_at=now if confirmed else None,
        )

    def _extras(self, credit: Credit, form: SignForm, signature: NewSignature, work: ProofOfWork | None) -> Extras:
        """What comes with the row: the pending signature that it mends, the work that was done for it, and a record of
        each box that was ticked."""
        replaces = self._replaced(form.replaces)
        given = [purpose for purpose, column in FIELDS.items() if getattr(signature, column)]
        if replaces is None and work is None and not given:
            return NO_EXTRAS
        records = tuple(
            ConsentRecord(
                signature_id=signature.id,
                letter_id=signature.letter_id,
                purpose=purpose,
                partner_id=signature.partner_id,
                given=True,
                way="form",
                version=signature.consent_version,
                shown=signature.shown,
                locale=signature.locale,
                page=signature.page,
                token_version=credit.version,
                at=signature.created_at,
            )
            for purpose in given
        )
        return Extras(replaces=replaces, weighed=self.weighed, work=work, consents=records)

    def _replaced(self, handle: str | None) -> str | None:
        """The id that a handle of ours stands for; anything else is ignored."""
        if not handle:
            return None
        try:
            return str(self.seals.open("replaces", handle))
        except BadToken:
            return None

    def _told(self, stored: Stored, letter: Letter) -> Signed:
        """The answer says what the letter says to everybody: of quarantine, of a first signature, of what became of
        it since, its sender learns nothing here."""
        status: Status = "pending" if letter.settings.confirmation == "email" else "confirmed"
        replaces = self.seals.seal("replaces", stored.id) if status == "pending" else None
        return Signed(stored.id, status, stored.statement, stored.counts, replaces, stored.new)
