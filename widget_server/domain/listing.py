"""Where a signature stands in the public list once it is confirmed, by the letter's policy for organizations.

One thing must stay true: a name that its signer hid is not listed, whatever the policy, and nobody is listed twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from widget_server.domain import emails
from widget_server.domain.letters import LetterSettings
from widget_server.domain.organizations import domain_match, is_free_mail
from widget_server.domain.signatures import Kind, Listing, Signature


def listing_of(
    settings: LetterSettings, kind: Kind, *, public: bool, match: str | None = None, reviewed: bool = False
) -> Listing:
    """`match`: the domain that the confirmed address and the website share, if any. `reviewed`: staff have approved."""
    if kind == "individual":
        return "listed" if public else "hidden_by_signer"
    if reviewed or settings.organizations == "listed" or (settings.organizations == "domain" and match):
        return "listed"
    return "awaiting_review"


Verdict = Literal["match", "unconfirmed", "no_address", "no_website", "free_mail", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What speaks for whoever signed for an organization (`match`), or why nothing does. `domain`: that of the address,
    where it is known and says something."""

    verdict: Verdict
    domain: str | None = None


def judge(signature: Signature) -> Judged:
    """Whether the *confirmed* address and the organization's website are on one registrable domain."""
    if signature.email is None:
        return Judged("no_address")
    if signature.address_confirmed_at is None:
        return Judged("unconfirmed")
    try:
        domain = emails.read(signature.email).domain
    except emails.BadEmail:
        return Judged("no_address")
    if is_free_mail(domain):
        return Judged("free_mail", domain)
    if signature.organization_website is None:
        return Judged("no_website", domain)
    match = domain_match(domain, signature.organization_website)
    return Judged("elsewhere", domain) if match is None else Judged("match", match)


def evidence(signature: Signature) -> str | None:
    """The domain that speaks for an organization's signature, or None."""
    if signature.kind != "organization":
        return None
    judged = judge(signature)
    return judged.domain if judged.verdict == "match" else None
