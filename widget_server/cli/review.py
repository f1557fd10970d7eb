"""`undersigned signatures approve | hide | edit | merge | duplicates`: what the list shows, and under which name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from widget_server.cli.desk import Json, command, desk, say
from widget_server.cli.signature_lines import Ids, LetterSlug, Reason, done_lines
from widget_server.domain.partner_changes import read_pairs
from widget_server.domain.signatures import Signature
from widget_server.flows import approve as approving
from widget_server.flows import edit as editing
from widget_server.flows import hide as hiding
from widget_server.flows import merge as merging
from widget_server.flows.by_staff import Staff
from widget_server.flows.duplicates import SAME, THRESHOLD, Proposal, find_duplicates
from widget_server.flows.named import letter_named


@command
async def approve(letter: LetterSlug, ids: Ids, reason: Reason = None, as_json: Json = False) -> None:
    """Approve organizations: from then on they are listed. All of them or none; repeating it changes nothing.

    "undersigned signatures list LETTER --listing awaiting_review" shows those that wait.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        done = await approving.approve(d.turns, its_letter, ids, Staff(d.actor, reason))
        lines = done_lines(done.done, "is approved", done.repeated, "was approved already")
        say({"approved": list(done.done), "repeated": list(done.repeated)}, as_json, lines)


@command
async def hide(letter: LetterSlug, ids: Ids, reason: Reason = None, as_json: Json = False) -> None:
    """Take names out of the list; they still count. All of them or none; "restore" undoes it.

    A name that its signer hid is the signer's own: staff can neither hide nor show it.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        done = await hiding.hide(d.turns, its_letter, ids, Staff(d.actor, reason))
        lines = done_lines(done.done, "is hidden", done.repeated, "was hidden already")
        say({"hidden": list(done.done), "repeated": list(done.repeated)}, as_json, lines)


@command
async def edit(
    letter: LetterSlug,
    id_: Annotated[str, typer.Argument(metavar="ID", help='As "signatures list" shows it.')],
    changes: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE …", help=f"Keys: {', '.join(editing.KEYS)}. An empty value clears."),
    ],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Correct a spelling, a role, a city, a website, or the kind of a signature.

    What is written is checked as on signing, and every problem is named. kind=organization moves it, and its count, to
    the organizations, where it is reviewed as a new one; kind=individual needs name= with the name to be shown. The
    audit log keeps which fields were changed, not what stood in them.
    """
    given = read_pairs(changes)
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        done = await editing.edit(d.turns, its_letter, id_, given, Staff(d.actor, reason))
        human = f"{done.id}: {', '.join(done.changed)} changed." if done.changed else f"{done.id} is as it was."
        say({"id": done.id, "changed": list(done.changed)}, as_json, human)


@command
async def merge(
    letter: LetterSlug,
    keep: Annotated[str, typer.Argument(metavar="KEEP-ID", help="The one that stays, counts and is listed.")],
    ids: Annotated[list[str], typer.Argument(metavar="ID …", help="Those that are the same organization.")],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Merge signatures of one organization: the first stays, the others stand behind it and count no longer.

    "undersigned signatures duplicates LETTER" proposes some; "restore ID" lets one of them count by itself again.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        done = await merging.merge(d.turns, its_letter, keep, ids, Staff(d.actor, reason))
        lines = done_lines(done.done, f"stands behind {keep}", done.repeated, f"stood behind {keep} already")
        say({"keep": keep, "merged": list(done.done), "repeated": list(done.repeated)}, as_json, lines)


@command
async def duplicates(
    letter: LetterSlug,
    threshold: Annotated[
        float, typer.Option(min=50, max=100, help="From how much agreement on, in per cent, names are shown.")
    ] = THRESHOLD,
    as_json: Json = False,
) -> None:
    """Propose signatures that may be one organization's, the surest first. Nothing is merged by this.

    100: the names are the same but for accents, case, "The", "Inc." or an acronym in brackets. Below: they look alike.
    Those under different statements come last: they cannot be merged, and each counts.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        found = await find_duplicates(d.db, its_letter, threshold)
        value = [
            {
                "score": one.score,
                "statement": one.keep.statement if one.mergeable else None,
                "keep": _described(one.keep),
                "others": [_described(other) for other in one.others],
                "command": _command(letter, one) if one.mergeable else None,
            }
            for one in found
        ]
        lines = [line for one in found for line in _lines(letter, one)]
        say(value, as_json, lines or "No two names look alike.")


def _described(one: Signature) -> dict[str, Any]:
    return {"id": one.id, "organization": one.organization, "statement": one.statement}


def _command(letter: str, proposal: Proposal) -> str:
    ids = " ".join(one.id for one in (proposal.keep, *proposal.others))
    return f"undersigned signatures merge {letter} {ids}"


def _lines(letter: str, proposal: Proposal) -> list[str]:
    how = "the same name" if proposal.score == SAME else f"{proposal.score:g} % alike"
    found = (proposal.keep, *proposal.others)
    if not proposal.mergeable:
        return [
            f"{how}, under different statements: cannot be merged",
            *(f"  {one.id}  {one.listing:<16}  {one.statement:<4}  {one.display_name}" for one in found),
        ]
    return [
        f"{how}, under {proposal.keep.statement}:",
        *(f"  {one.id}  {one.listing:<16}  {one.display_name}" for one in found),
        f"  {_command(letter, proposal)}",
    ]
