"""`undersigned signatures`: bring signatures in, take them away, look at them. `review` and `abuse` have the rest."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from widget_server.cli import abuse, review
from widget_server.cli.bar import Bar
from widget_server.cli.desk import Json, command, desk, say
from widget_server.cli.signature_lines import LetterSlug, numbered, partner_slugs, say_signatures
from widget_server.domain.partner_changes import read_pairs
from widget_server.domain.refusals import Problems
from widget_server.flows.export import Format, export_to_file
from widget_server.flows.export import export as export_signatures
from widget_server.flows.find_signatures import find_signatures, list_signatures
from widget_server.flows.import_csv import Imported, import_csv
from widget_server.flows.named import letter_named, partner_named

app = typer.Typer(
    help="Bring signatures in, take them away, look at them, review, correct and reject them.",
    no_args_is_help=True,
)


class ExportFormat(StrEnum):
    """What `--format` takes."""

    csv = "csv"
    jsonl = "jsonl"


class StatusChoice(StrEnum):
    """What `--status` takes."""

    pending = "pending"
    confirmed = "confirmed"
    withdrawn = "withdrawn"
    rejected = "rejected"


class ListingChoice(StrEnum):
    """What `--listing` takes."""

    listed = "listed"
    awaiting_review = "awaiting_review"
    hidden_by_signer = "hidden_by_signer"
    hidden_by_staff = "hidden_by_staff"


@app.command("import")
@command
async def import_(
    letter: LetterSlug,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, with a header line.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="Which field a column is, where its name does not say."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring in signatories that were collected elsewhere.

    Columns are known by common names in English and French: Name/Nom, Type/Kind, Country/Pays, and, where
    there are any, E-mail/Courriel, Organization/Organisation, Role/Fonction, City/Ville, Postal code/Code
    postal, Website/Site web, Date, Language/Langue. They count as confirmed and are listed. Importing a file
    twice adds nothing; a file with a row that cannot be read is not imported at all, and every such row is
    named by its line.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        with Bar("Importing") as bar:
            done = await import_csv(
                d.db, its_letter, await d.directory.house(its_letter), file,
                mapping=read_pairs(mapping or []), dry_run=dry_run, now=d.now(), actor=d.actor,
                starting=bar.starting, progress=bar.advance,
            )  # fmt: skip
        for column in done.ignored_columns:
            print(f'note: column "{column}" is not imported; no field is known for it', file=sys.stderr)
        value: dict[str, Any] = {
            "imported": done.imported,
            "skipped": done.skipped,
            "rows": done.rows,
            "skipped_because": {
                "imported_before": len(done.before_lines),
                "signed_already": len(done.signed_lines),
            },
            "signed_already_lines": list(done.signed_lines),
            "ignored_columns": list(done.ignored_columns),
        }
        say({**value, "dry_run": True} if dry_run else value, as_json, _what_import_did(done))


def _what_import_did(done: Imported) -> list[str]:
    lines = [
        f"{'Would import' if done.dry_run else 'Imported'} {done.imported:,} of {numbered(done.rows, 'row', 'rows')}."
        + ("" if done.skipped else " None skipped.")
    ]
    if done.before_lines:
        lines.append(f"  {len(done.before_lines):,} skipped: imported before.")
    lines += [f"  line {line} skipped: this signer has signed already." for line in done.signed_lines]
    return lines


@app.command()
@command
async def export(
    letter: LetterSlug,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="csv for spreadsheets; jsonl: one JSON object a line.")
    ] = ExportFormat.csv,
    partner: Annotated[str | None, typer.Option(metavar="SLUG", help="Only what this partner brought.")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; without it, standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Take away every signature of a letter, whatever its status; tests and repeats are marked.

    It holds addresses: what a partner may write to are only the rows whose partner_opt_in is true. In CSV, a
    cell that a spreadsheet would run as a formula begins with an apostrophe; jsonl is exact. --json says what
    was written to --output.
    """
    if as_json and output is None:
        raise typer.BadParameter("--json needs --output: standard output carries the signatures themselves")
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partner_id = (await partner_named(d.directory, its_letter, partner)).id if partner else None
        partners = await partner_slugs(d, its_letter)
        wanted = list_signatures(d.db, its_letter, partner_id=partner_id)
        chosen: Format = "csv" if form is ExportFormat.csv else "jsonl"
        if output is None:
            await _to_standard_output(export_signatures(wanted, partners, chosen, sys.stdout.buffer.write))
        else:
            number = await export_to_file(wanted, partners, chosen, output)
            value = {"output": str(output), "format": chosen, "signatures": number}
            say(value, as_json, f"{numbered(number, 'signature', 'signatures')} written to {output}.")


async def _to_standard_output(exporting: Any) -> None:
    """Ends quietly where the reader has had enough, as `| head` has."""
    try:
        await exporting
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes standard output once more on the way out, which would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


@app.command("list")
@command
async def list_(
    letter: LetterSlug,
    status: Annotated[StatusChoice | None, typer.Option(help="Only with this status.")] = None,
    listing: Annotated[
        ListingChoice | None, typer.Option(help="Only with this listing, such as awaiting_review.")
    ] = None,
    quarantine: Annotated[
        bool | None, typer.Option("--quarantine/--no-quarantine", help="Only those in quarantine, or none of them.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the earliest first.")] = None,
    as_json: Json = False,
) -> None:
    """List signatures, in the order in which they came.

    Of an organization it says what speaks for whoever signed for it: a confirmed address on the website's domain. With
    --quarantine, those come first whose signers have confirmed their address.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        found = list_signatures(
            d.db, its_letter,
            status=status.value if status else None, listing=listing.value if listing else None,
            quarantined=quarantine, limit=limit,
        )  # fmt: skip
        say_signatures([one async for one in found], await partner_slugs(d, its_letter), as_json, "None.")


@app.command()
@command
async def find(
    letter: LetterSlug,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name, an organization or an address.")],
    as_json: Json = False,
) -> None:
    """Find signatures by name, organization or address.

    Accents and case do not matter in the name that the list shows. A whole address finds all that its mailbox has
    signed, however it was written. With each stand its address, when and through which partner it was signed, and the
    client that it came from, as a hash that lives for seven days.
    """
    if not text.strip():
        raise Problems(["TEXT: say what to look for"])
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        found = [one async for one in find_signatures(d.db, its_letter, text)]
        none = f'No signature mentions "{text}".'
        say_signatures(found, await partner_slugs(d, its_letter), as_json, none, in_full=True)


for verb in (
    review.approve, review.hide, review.edit, review.merge, review.duplicates,
    abuse.release, abuse.reject, abuse.restore, abuse.erase,
):  # fmt: skip
    app.command()(verb)
