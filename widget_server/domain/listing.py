"""Where a signature stands in the public list once it is confirmed, by the letter's policy for organizations.

One thing must stay true: a name that its signer hid is not listed, whatever the policy, and nobody is listed twice.
"""

from __future__ import annotations

from widget_server.domain import emails
from widget_server.domain.letters import LetterSettings
from widget_server.domain.organizations import domain_match
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


def evidence(signature: Signature) -> str | None:
    """The registrable domain that a *confirmed* address and the organization's website share, or None: the address is
    not confirmed, is gone, is at a free-mail domain, or is elsewhere."""
    if signature.kind != "organization" or signature.address_confirmed_at is None or signature.email is None:
        return None
    try:
        domain = emails.read(signature.email).domain
    except emails.BadEmail:
        return None
    return domain_match(domain, signature.organization_website)
