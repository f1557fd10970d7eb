"""`undersigned signatures release | reject | restore | erase`: what came in wrongly, and the way back."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer

from widget_server.cli.asking import make_sure
from widget_server.cli.bar import Bar
from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.cli.given import read_time
from widget_server.cli.signature_lines import Ids, LetterSlug, Reason, Yes, done_lines, line, numbered, partner_slugs
from widget_server.domain.clients import read_number
from widget_server.domain.letters import Letter
from widget_server.domain.patterns import Given, Pattern, read_pattern
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import address_hash
from widget_server.flows import reject as rejecting
from widget_server.flows import release as releasing
from widget_server.flows import restore as restoring
from widget_server.flows.by_staff import Staff
from widget_server.flows.client_book import ClientBook
from widget_server.flows.erase import Erased, erase_named
from widget_server.flows.named import letter_named, partner_named


class Rejectable(StrEnum):
    """What `--status` takes."""

    pending = "pending"
    confirmed = "confirmed"


SomeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID …]", help='As "signatures list" shows them.')]


@command
async def release(letter: LetterSlug, ids: Ids, reason: Reason = None, as_json: Json = False) -> None:
    """Let signatures out of quarantine. All of them or none; repeating it changes nothing.

    Whoever had pressed the link in the mail is confirmed now; the others wait for it, as everybody does.
    "undersigned signatures list LETTER --quarantine" shows what is in there, and why.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        done = await releasing.release(d.turns, its_letter, ids, Staff(d.actor, reason))
        value = {
            "released": [{"id": id_, "status": status} for id_, status in done.status.items()],
            "repeated": list(done.repeated),
        }
        lines = [f"{id_} is released; it is {status}." for id_, status in done.status.items()]
        say(value, as_json, lines + done_lines((), "", done.repeated, "was in no quarantine"))


@command
async def reject(
    letter: LetterSlug,
    ids: SomeIds = None,
    name: Annotated[str | None, typer.Option(metavar="PATTERN", help="The name shown; accents do not matter.")] = None,
    email: Annotated[str | None, typer.Option(metavar="PATTERN", help="The address, such as *@spam.example.")] = None,
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The address's domain: *.spam.example.")] = None,
    partner: Annotated[str | None, typer.Option(metavar="SLUG", help="Whoever came through this partner.")] = None,
    country: Annotated[str | None, typer.Option(metavar="CC", help="ISO code.")] = None,
    client: Annotated[
        str | None, typer.Option(metavar="CLIENT", help='An IP address, or the hash that "signatures find" shows.')
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Signed then or later: 2026-06-20T12:00Z.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Signed before then.")] = None,
    status: Annotated[Rejectable | None, typer.Option(help="Only those with this status.")] = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many there are; change nothing.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Refuse signatures: those named, or all that fit a pattern, in which * is any characters and ? is one.

    They count no longer, and whoever of them signs again is quarantined. A pattern needs a --reason; it says how many
    fit, and shows a few of them, before it asks. All conditions hold together. "restore" takes back one, and
    "restore --rejection ID" all of them.
    """
    given = Given(
        name=name,
        email=email,
        domain=domain,
        partner=partner,
        country=country.upper() if country else None,
        clients=None if client is None else (client,),
        since=read_time("--since", since),
        until=read_time("--until", until),
        status=None if status is None else status.value,
    )
    if bool(ids) != given.is_empty or (ids and (dry_run or status)):
        raise Problems(["name the ids to reject, or give a pattern such as --domain spam.example; not both"])
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        staff = Staff(d.actor, reason)
        if ids:
            await _reject_named(d, its_letter, ids, staff, as_json)
            return
        pattern = await _pattern(d, its_letter, given)
        if reason is None and not dry_run:
            raise Problems(["--reason: say why, for the audit log"])
        await _reject_matching(d, its_letter, pattern, staff, as_json, yes=yes, dry_run=dry_run)


async def _reject_named(d: Desk, letter: Letter, ids: list[str], staff: Staff, as_json: bool) -> None:
    done = await rejecting.reject(d.turns, letter, ids, staff)
    value = {
        "rejection": done.id, "rejected": list(done.done), "along": list(done.along), "repeated": list(done.repeated),
    }  # fmt: skip
    lines = done_lines(done.done, "is rejected", done.repeated, "was rejected already")
    say(value, as_json, lines + [f"{id_} went with it: the same signer." for id_ in done.along])


async def _pattern(d: Desk, letter: Letter, given: Given) -> Pattern:
    """Raises `Problems`."""
    partner_id = None if given.partner is None else (await partner_named(d.directory, letter, given.partner)).id
    for client in given.clients or ():
        address = client.removesuffix("/64")
        if read_number(address) is not None:
            given = replace(given, clients=await ClientBook(d.db, d.now).every(address))
    return read_pattern(
        given, partner_id=partner_id, hash_address=lambda canonical: address_hash(letter.signer_key, canonical)
    )


async def _reject_matching(
    d: Desk, letter: Letter, pattern: Pattern, staff: Staff, as_json: bool, *, yes: bool, dry_run: bool
) -> None:
    found = await rejecting.survey(d.db, letter, pattern)
    fit = numbered(found.number, "signature fits", "signatures fit")
    told = f"{fit}; {numbered(found.counted, 'of them counts', 'of them count')}."
    value: dict[str, Any] = {"rejection": None, "number": found.number, "counted": found.counted, "dry_run": dry_run}
    shown = [told, *(f"  {line(one)}" for one in found.examples)]
    if found.number > len(found.examples):
        shown.append("  …")
    if dry_run or not found.number:
        say(value, as_json, shown)
        return
    print("\n".join(shown), file=sys.stderr)
    make_sure("Reject them?", yes=yes)
    with Bar("Rejecting") as bar:
        bar.starting(found.number)
        done = await rejecting.reject_matching(d.turns, letter, pattern, staff, bar.advance)
    human = (
        f"{numbered(done.number, 'signature is', 'signatures are')} rejected."
        f" This takes it back: undersigned signatures restore {letter.slug} --rejection {done.id}"
    )
    say({**value, "rejection": done.id, "number": done.number}, as_json, human)


@command
async def restore(
    letter: LetterSlug,
    ids: SomeIds = None,
    rejection: Annotated[
        str | None, typer.Option(metavar="ID", help='A whole rejection, as "reject" and "audit" name it.')
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Take back what staff did: a rejection, a merge, or hiding a name. All of them or none.

    A rejected signature is what it was, and counts again if it did; one that was merged counts by itself; a hidden name
    is in the list again, where it belongs there. What its signer has withdrawn stays withdrawn.
    """
    if bool(ids) == (rejection is not None):
        raise Problems(["name the ids to restore, or --rejection ID; one of the two"])
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        staff = Staff(d.actor, reason)
        if rejection is not None:
            await _undo(d, its_letter, rejection, staff, as_json)
            return
        done = await restoring.restore(d.turns, its_letter, ids or [], staff)
        value = {
            "restored": [{"id": id_, "undone": what} for id_, what in done.undone.items()],
            "along": list(done.along),
            "repeated": list(done.repeated),
        }
        lines = [f"{id_} {_UNDONE[what]}." for id_, what in done.undone.items()]
        lines += [f"{id_} is back with it: the same signer." for id_ in done.along]
        say(value, as_json, lines + [f"{id_}: nothing was to be undone." for id_ in done.repeated])


_UNDONE = {
    "rejection": "is rejected no longer",
    "merge": "counts by itself again",
    "hiding": "is hidden by staff no longer",
}


async def _undo(d: Desk, letter: Letter, id_: str, staff: Staff, as_json: bool) -> None:
    rejection = await restoring.find_rejected(d.db, letter, id_)
    with Bar("Restoring") as bar:
        bar.starting(rejection.number)
        done = await restoring.undo_rejection(d.turns, letter, rejection, staff, bar.advance)
    value = {"rejection": rejection.id, "number": done.number, "left": list(done.left), "repeated": done.repeated}
    lines = [f"{numbered(done.number, 'signature is', 'signatures are')} back."]
    if done.repeated:
        lines = ["This rejection was taken back already."]
    say(value, as_json, lines + [f"{one} stays rejected: its signer has withdrawn since." for one in done.left])


@command
async def erase(letter: LetterSlug, ids: Ids, reason: Reason = None, yes: Yes = False, as_json: Json = False) -> None:
    """Erase signers, for good: the signature, and whatever else they signed as the same person, or for the same
    organization, in this letter. All of them or none.

    What counted stays in the count, as a number. Those who have an address are told to remove it. The answer says which
    destinations had received something, so that you can write to their owners.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        make_sure(f"Erase {numbered(len(set(ids)), 'signature', 'signatures')} for good?", yes=yes)
        done = await erase_named(d.turns, its_letter, ids, Staff(d.actor, reason))
        slugs = await partner_slugs(d, its_letter)
        values = [_erased(one, slugs) for one in done.erased]
        lines = [text for value in values for text in _erased_lines(value)]
        lines += [f"{id_} went with it: the same signer." for id_ in done.along]
        lines += [f"{id_} was erased already." for id_ in done.repeated]
        say({"erased": values, "along": list(done.along), "repeated": list(done.repeated)}, as_json, lines)


def _erased(one: Erased, slugs: dict[int, str]) -> dict[str, Any]:
    """As --json has it. `owner`: a partner's slug, null for the letter's own destinations."""
    return {
        "id": one.id,
        "signatures": one.signatures,
        "still_counted": one.still_counted,
        "counts_now": one.counts_now,
        "deliveries_cancelled": one.cancelled,
        "received_by": [
            {
                "id": received.destination_id,
                "kind": received.kind,
                "owner": None if received.partner_id is None else slugs.get(received.partner_id),
                "attempts": received.attempts,
            }
            for received in one.received
        ],
    }


def _erased_lines(value: dict[str, Any]) -> list[str]:
    counted = "still counted" if value["signatures"] == 1 else "one of which counted and still does,"
    lines = [
        f"{value['id']} is erased: {numbered(value['signatures'], 'signature', 'signatures')}"
        f"{f', {counted} as a number' if value['still_counted'] else ''}."
    ]
    if value["counts_now"] is not None:
        lines.append(f"  {value['counts_now']} of the same organization counts from now on.")
    if value["deliveries_cancelled"]:
        lines.append(f"  {numbered(value['deliveries_cancelled'], 'delivery', 'deliveries')} cancelled that waited.")
    for one in value["received_by"]:
        owner = "the letter's own" if one["owner"] is None else f"of partner {one['owner']}"
        lines.append(f"  {one['kind']} {one['id']}, {owner}, had received something of it.")
    return lines if value["received_by"] else [*lines, "  No destination had received anything."]
