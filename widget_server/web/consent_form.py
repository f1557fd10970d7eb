"""The consents on a signer's own page: a box for each sender, ticked only where a consent stands.

One thing must stay true: a consent is given to the words that were on the page. Where they have changed since, nothing
is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from widget_server.domain.consents import FIELDS, Consents, Purpose
from widget_server.domain.partners import Partner
from widget_server.domain.signatures import Signature
from widget_server.flows.change_consents import Choice
from widget_server.web.links import Followed
from widget_server.web.site import Site


@dataclass(frozen=True, slots=True)
class Box:
    """`field` names it in the form. `text`: the words beside it, or nothing where its sender is no longer named in
    full: then it can only be taken back from `who`. `stands`: the consent was given."""

    field: str
    purpose: Purpose
    partner_id: int | None
    who: str
    text: str
    stands: bool
    offered: Consents | None

    @property
    def version(self) -> str:
        return self.offered.version if self.offered else ""


async def consent_boxes(site: Site, here: Followed) -> list[Box]:
    """Those of the initiators, and of each partner through whom this person signed."""
    rows = [one for one in here.seen.mine if one.status in ("pending", "confirmed")]
    may_give = any(one.email is not None for one in rows)
    through = {one.partner_id: await site.directory.partner_by_id(one.partner_id) for one in rows}
    partners = [partner for partner in through.values() if partner is not None]
    boxes = []
    first = through.get(here.seen.shown.partner_id)
    if first is not None:
        identity = here.letter.settings.identity
        who = identity.legal_name or site.texts("signer.consents.initiators", here.locale)
        boxes.append(await _box(site, here, rows, "initiators", first, who, may_give=may_give))
    for partner in partners:
        if not partner.is_house:
            theirs = [one for one in rows if one.partner_id == partner.id]
            offers = may_give and partner.revoked_at is None
            who = partner.legal_name or partner.name
            boxes.append(await _box(site, here, theirs, "partner", partner, who, may_give=offers))
    return [box for box in boxes if box.offered or box.stands]


async def may_write(site: Site, here: Followed) -> list[tuple[str, bool]]:
    """Each partner through whom this person signed, by its name, and whether a consent to it stands."""
    found: dict[str, bool] = {}
    for one in here.seen.mine:
        partner = await site.directory.partner_by_id(one.partner_id)
        if partner is not None and not partner.is_house:
            found[partner.name] = found.get(partner.name, False) or one.partner_opt_in
    return list(found.items())


async def _box(
    site: Site, here: Followed, rows: Sequence[Signature], purpose: Purpose, partner: Partner, who: str, *,
    may_give: bool,
) -> Box:  # fmt: skip
    consents = await site.consents.current(here.letter, partner)
    said = consents.by_locale.get(here.locale, {}).get(purpose, "")
    return Box(
        field=purpose if purpose == "initiators" else f"partner.{partner.slug}",
        purpose=purpose,
        partner_id=None if purpose == "initiators" else partner.id,
        who=who,
        text=said,
        stands=any(getattr(one, FIELDS[purpose]) for one in rows),
        offered=consents if said and may_give else None,
    )


def choices(boxes: Sequence[Box], fields: Mapping[str, str], here: Followed, page: str) -> list[Choice] | None:
    """What was chosen, of the boxes that the form had; None where the words of one that was ticked have changed since
    it was drawn."""
    found = []
    for box in boxes:
        wanted = fields.get(box.field)
        given = wanted == "true"
        if wanted is None or given == box.stands:
            continue
        if given and fields.get(f"{box.field}.version") != box.version:
            return None
        found.append(Choice(box.purpose, given, box.partner_id, box.offered, here.locale, page))
    return found


def all_taken_back(signatures: Sequence[Signature]) -> list[Choice]:
    """No mail from anybody any more."""
    partners = sorted({one.partner_id for one in signatures})
    return [Choice("initiators", given=False), *(Choice("partner", False, partner_id) for partner_id in partners)]
