"""A signature: what a signer sent, and the record it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["individual", "organization"]
Status = Literal["pending", "confirmed", "withdrawn", "rejected"]
Listing = Literal["listed", "awaiting_review", "hidden_by_signer", "hidden_by_staff"]

HONEYPOT = "honeypot"
REJECTED_BEFORE = "rejected_before"
"""Two of the reasons for quarantine: a trap that only robots fill in, and a signer who was refused before."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signer's record, as stored. `seq` numbers signatures by arrival; `id` is public.

    `repeat_of` is the id of the signature that counts, where this one came from somebody who had already signed.
    `quarantine` says why it looks abusive (codes, comma-separated), else None. `text_version` and `locale` say
    exactly which wording was shown; `shown` whether that was sealed by us or assumed. `address_confirmed_at`: when the
    link in the mail was pressed; a quarantined one keeps it for its release. `mail_refused_at`: when a mail server
    refused the address for good. `rejected_from`: the status that a restored one goes back to.
    """

    seq: int
    id: str
    letter_id: int
    partner_id: int
    statement: str
    kind: Kind
    status: Status
    listing: Listing
    repeat_of: str | None
    test: bool
    quarantine: str | None
    name: str | None
    organization: str | None
    role: str | None
    organization_website: str | None
    authorized: bool
    email: str | None
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
    created_at: datetime
    confirmed_at: datetime | None
    withdrawn_at: datetime | None
    rejected_at: datetime | None
    initiator_rank: int | None
    signer_hash: str | None = None
    address_hash: str | None = None
    client: str | None = None
    address_confirmed_at: datetime | None = None
    mail_refused_at: datetime | None = None
    rejected_from: Status | None = None
    rejection_id: str | None = None
    import_key: str | None = None

    @property
    def display_name(self) -> str:
        """The name that a list shows: an organization's own, else the person's."""
        return (self.organization if self.kind == "organization" else self.name) or ""

    @property
    def counted(self) -> bool:
        return self.status == "confirmed" and not self.test and self.quarantine is None and self.repeat_of is None


@dataclass(frozen=True, slots=True)
class Signatory:
    """The public face of a confirmed, listed signature. For an organization `name` and `role` are None."""

    name: str | None
    kind: Kind
    organization: str | None
    role: str | None

    def public(self) -> dict[str, str | None]:
        return {"name": self.name, "kind": self.kind, "organization": self.organization, "role": self.role}
