"""What a destination is told of a signature: the one place where consent decides (contract, section 8).

One thing must stay true: it is asked when an event is sent, of the signature as it is then; nothing that
leaves the server takes another way, and whatever is not plainly allowed is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner

ENDED = frozenset({"withdrawn", "rejected"})
_TELLS_OF_THE_END = frozenset({"signature.withdrawn", "signature.rejected"})


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """The part of a stored signature that an event may speak of, before consent has been asked."""

    id: str
    partner_id: int
    statement: str
    kind: str
    status: str
    listing: str
    repeat_of: str | None
    test: bool
    quarantined: bool
    name: str | None
    organization: str | None
    role: str | None
    email: str | None
    country: str | None
    city: str | None
    postal_code: str | None
    comment: str | None
    locale: str
    public: bool
    contact_opt_in: bool
    partner_opt_in: bool
    source: str | None
    page: str | None
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is told. `partner_id` is the partner that owns the destination, None for the letter's own.

    `chat`: a room, which gets neither contact details nor a name that its signer keeps private, whatever
    the opt-ins. `all_details`: the letter's coordinators asked for contact details without opt-in (on the
    audit log).
    """

    partner_id: int | None
    chat: bool
    all_details: bool = False


def written(at: datetime) -> str:
    """A time as events write it: UTC, microseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def signature_data(
    event_type: str,
    moment: Mapping[str, Any],
    facts: SignatureFacts | None,
    *,
    signature_id: str,
    letter: Letter,
    partner: Partner | None,
    reader: Reader,
    ended_address: str | None = None,
) -> dict[str, Any] | None:
    """The `data` of a signature event for one reader, or None where nothing is to be sent any more.

    `moment` are the facts kept with the event (the status as it was then). `facts` is None once the
    signature has been removed. A room is not told of somebody who has withdrawn meanwhile; a register gets
    the event without the person in it, so that its numbers agree. `ended_address`: the address that this
    reader was sent by a consent that has ended; it gets it once more, to take it out.
    """
    data = _consented(event_type, moment, facts, signature_id, letter, partner, reader)
    if data is None or ended_address is None or reader.chat:
        return data
    opt_in = "contact_opt_in" if reader.partner_id is None else "partner_opt_in"
    return data | {"email": ended_address, opt_in: False}


def has_opted_in(data: Mapping[str, Any], reader: Reader) -> bool:
    """Whether what `signature_data` gave says that the signer lets this reader's owner write to them, and where."""
    box = "contact_opt_in" if reader.partner_id is None else "partner_opt_in"
    return data["email"] is not None and bool(data[box])


def _consented(
    event_type: str,
    moment: Mapping[str, Any],
    facts: SignatureFacts | None,
    signature_id: str,
    letter: Letter,
    partner: Partner | None,
    reader: Reader,
) -> dict[str, Any] | None:
    if facts is None or (facts.status in ENDED and event_type not in _TELLS_OF_THE_END):
        if reader.chat:
            return None
        return _bare(moment, facts, signature_id, letter, partner)
    opted_in = _opted_in(facts, letter, reader)
    details = _may_have_details(event_type, moment, facts, letter, reader, opted_in)
    named = _may_have_name(facts, reader, opted_in, details)
    typed = not (facts.test and reader.chat) and facts.status not in ENDED
    is_organization = facts.kind == "organization"
    data = _bare(moment, facts, signature_id, letter, partner)
    if typed:
        data |= {
            "name": facts.name if named else None,
            "organization": facts.organization if is_organization or named else None,
            "role": facts.role if named else None,
            "email": facts.email if details else None,
            "country": facts.country,
            "city": facts.city,
            "postal_code": facts.postal_code if details else None,
            "comment": facts.comment if details else None,
            "source": facts.source,
            "page": facts.page,
            "contact_opt_in": facts.contact_opt_in,
            "partner_opt_in": facts.partner_opt_in,
        }
    return data


def _bare(
    moment: Mapping[str, Any],
    facts: SignatureFacts | None,
    signature_id: str,
    letter: Letter,
    partner: Partner | None,
) -> dict[str, Any]:
    """Every key of the contract, with nothing in it that its signer typed."""
    return {
        "id": signature_id,
        "letter": letter.slug,
        "statement": facts.statement if facts else None,
        "kind": facts.kind if facts else None,
        "status": moment.get("status") or (facts.status if facts else None),
        "listing": facts.listing if facts else None,
        "name": None,
        "organization": None,
        "role": None,
        "email": None,
        "country": None,
        "city": None,
        "postal_code": None,
        "comment": None,
        "locale": facts.locale if facts else None,
        "public": facts.public if facts else None,
        "contact_opt_in": False,
        "partner_opt_in": False,
        "erased": bool(moment.get("erased")),
        "partner": {"slug": partner.slug, "name": partner.name} if partner else None,
        "source": None,
        "page": None,
        "created_at": written(facts.created_at) if facts else None,
        "confirmed_at": written(facts.confirmed_at) if facts and facts.confirmed_at else None,
    }


def _opted_in(facts: SignatureFacts, letter: Letter, reader: Reader) -> bool:
    """Whether the signer let this reader's owner write to them. A partner's box speaks for that partner
    only."""
    if facts.repeat_of is not None and letter.settings.confirmation == "none":
        return False  # nobody has shown that the address is theirs
    if reader.partner_id is None:
        return facts.contact_opt_in
    return facts.partner_opt_in and facts.partner_id == reader.partner_id


def _may_have_details(
    event_type: str,
    moment: Mapping[str, Any],
    facts: SignatureFacts,
    letter: Letter,
    reader: Reader,
    opted_in: bool,
) -> bool:
    if reader.chat or facts.quarantined or facts.status in ENDED or event_type in _TELLS_OF_THE_END:
        return False
    if letter.settings.confirmation == "email" and "pending" in (facts.status, moment.get("status")):
        return False  # an unproven address goes nowhere
    return opted_in or (reader.all_details and reader.partner_id is None)


def _may_have_name(facts: SignatureFacts, reader: Reader, opted_in: bool, details: bool) -> bool:
    """A representative's name is a contact detail; a person's is public unless they keep it private."""
    if facts.kind == "organization":
        return details
    return facts.public or (opted_in and not reader.chat)
