"""Letters, partners, block rules and counts, held in memory and never more than a moment old.

One thing must stay true: whatever is answered from here is at most `FRESH_SECONDS` behind the database, whichever
server changed it. A caller that finds it older waits for one cheap question to the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from widget_server.domain.block_rules import Rulebook
from widget_server.domain.emails import Email
from widget_server.domain.letters import Counts, Letter
from widget_server.domain.partners import HOUSE, Partner
from widget_server.domain.refusals import NotAllowed, Unavailable
from widget_server.domain.tokens import BadToken, Seals, Shown, open_attribution, open_shown
from widget_server.store import block_rules as rule_store
from widget_server.store import letters as letter_store
from widget_server.store import partners as partner_store
from widget_server.store.db import DRIVER_ERRORS, Db

FRESH_SECONDS = 0.5
_NO_COUNTS = Counts()
_TOKENS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Credit:
    """Which letter is signed and which partner is credited for it, by which version of its token (None: by no
    token)."""

    letter: Letter
    partner: Partner
    version: int | None = None


@dataclass(frozen=True, slots=True)
class _Contents:
    revision: int
    letters: Mapping[str, Letter]
    partners: Mapping[tuple[int, str], Partner]
    partners_by_id: Mapping[int, Partner]
    rules: Rulebook


class Directory:
    """Asks the database at most once every `FRESH_SECONDS`; concurrent callers share that one question."""

    def __init__(self, db: Db, seals: Seals) -> None:
        self._db = db
        self._seals = seals
        self._contents = _Contents(-1, {}, {}, {}, Rulebook())
        self._counts: Mapping[int, Counts] = {}
        self._revisions: Mapping[int, int] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._credits: dict[str, Credit] = {}
        self._shown: dict[tuple[int, str | None], Shown] = {}

    async def refresh(self, *, now_please: bool = False) -> None:
        """Brings everything up to date where it is older than `FRESH_SECONDS` (or in any case).

        Raises `Unavailable` where the database does not answer: nothing is answered from what may be outdated.
        """
        if not now_please and time.monotonic() - self._asked_at < FRESH_SECONDS:
            return
        async with self._asking:
            if not now_please and time.monotonic() - self._asked_at < FRESH_SECONDS:
                return
            asked_at = time.monotonic()
            try:
                await self._ask()
            except DRIVER_ERRORS as error:
                raise Unavailable() from error
            self._asked_at = asked_at

    async def _ask(self) -> None:
        revision = await letter_store.directory_revision(self._db)
        if revision != self._contents.revision:
            letters = await letter_store.all_letters(self._db)
            partners = await partner_store.all_partners(self._db)
            self._contents = _Contents(
                revision,
                {letter.slug: letter for letter in letters},
                {(partner.letter_id, partner.slug): partner for partner in partners},
                {partner.id: partner for partner in partners},
                Rulebook(await rule_store.all_rules(self._db)),
            )
            self._credits = {}
        # Revisions before counts: who keeps something by its revision must not keep older counts under it.
        self._revisions = await letter_store.letter_revisions(self._db)
        self._counts = await letter_store.all_counts(self._db)

    async def letter(self, slug: str) -> Letter | None:
        await self.refresh()
        return self._contents.letters.get(slug)

    async def letters(self) -> list[Letter]:
        await self.refresh()
        return list(self._contents.letters.values())

    async def letter_by_id(self, letter_id: int) -> Letter | None:
        await self.refresh()
        return next((letter for letter in self._contents.letters.values() if letter.id == letter_id), None)

    async def partner(self, letter_id: int, slug: str) -> Partner | None:
        await self.refresh()
        return self._contents.partners.get((letter_id, slug))

    async def partners(self, letter_id: int) -> list[Partner]:
        await self.refresh()
        return [partner for partner in self._contents.partners_by_id.values() if partner.letter_id == letter_id]

    async def partner_by_id(self, partner_id: int) -> Partner | None:
        await self.refresh()
        return self._contents.partners_by_id.get(partner_id)

    async def house(self, letter: Letter) -> Partner:
        found = await self.partner(letter.id, HOUSE)
        if found is None:
            raise LookupError(f"letter {letter.slug} has no house partner")
        return found

    async def counts(self, letter: Letter) -> Counts:
        await self.refresh()
        return self._counts.get(letter.id, _NO_COUNTS)

    async def revision(self, letter: Letter) -> int:
        """Rises with everything that a reader of the letter's pages and lists could see."""
        await self.refresh()
        return self._revisions.get(letter.id, 0)

    async def credit(self, token: str) -> Credit:
        """Who is credited by an attribution token.

        Raises `NotAllowed` with code token_malformed, token_forged, token_unknown (sealed by us, for a letter or
        partner that is no more), token_revoked (this version) or partner_revoked (with `letter_slug`).
        """
        await self.refresh()
        credit = self._credits.get(token)
        if credit is None:
            credit = self._read(token)
            if len(self._credits) >= _TOKENS_KEPT:
                self._credits.clear()
            self._credits[token] = credit
        return credit

    def shown(self, token: str | None, letter: Letter) -> Shown | None:
        """What the signer had before their eyes, or None: absent, forged and another letter's count as not shown."""
        key = (letter.id, token)
        shown = self._shown.get(key)
        if shown is None:
            shown = open_shown(self._seals, token, letter.id)
            if shown is not None:  # what is no seal of ours is not kept: strangers would fill our memory with it
                if len(self._shown) >= _TOKENS_KEPT:
                    self._shown.clear()
                self._shown[key] = shown
        return shown

    def blocks(self, letter: Letter, email: Email) -> bool:
        """Whether a block rule fits the address, as of the last `refresh`."""
        return self._contents.rules.blocks(letter.id, email)

    def _read(self, token: str) -> Credit:
        try:
            says = open_attribution(self._seals, token)
        except BadToken as error:
            raise NotAllowed(f"token_{error.code}") from error
        letter = self._contents.letters.get(says.letter)
        partner = None if letter is None else self._contents.partners.get((letter.id, says.partner))
        if letter is None or partner is None:
            raise NotAllowed("token_unknown")
        if partner.revoked_at is not None:
            raise NotAllowed("partner_revoked", letter_slug=letter.slug)
        if says.version in partner.revoked_versions or says.version > partner.version:
            raise NotAllowed("token_revoked", letter_slug=letter.slug)
        return Credit(letter, partner, says.version)
