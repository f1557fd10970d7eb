"""Finds a letter or a partner by the name that staff typed, or says which ones there are."""

from __future__ import annotations

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.flows.directory import Directory

_NAMED_AT_MOST = 20


async def letter_named(directory: Directory, slug: str) -> Letter:
    """Raises `Problems`."""
    letter = await directory.letter(slug)
    if letter is None:
        raise Problems([f'there is no letter "{slug}"; {_known([x.slug for x in await directory.letters()])}'])
    return letter


async def partner_named(directory: Directory, letter: Letter, slug: str) -> Partner:
    """Raises `Problems`."""
    partner = await directory.partner(letter.id, slug)
    if partner is None:
        known = _known([x.slug for x in await directory.partners(letter.id)])
        raise Problems([f'letter {letter.slug} has no partner "{slug}"; {known}'])
    return partner


def _known(slugs: list[str]) -> str:
    if not slugs:
        return "there is none yet"
    more = ", …" if len(slugs) > _NAMED_AT_MOST else ""
    return f"known: {', '.join(sorted(slugs)[:_NAMED_AT_MOST])}{more}"
