"""`undersigned signatures`: bring signatures in, take them away, look at them, approve organizations."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.domain.letters import Letter
from widget_server.domain.partner_changes import read_pairs
from widget_server.domain.refusals import Problems
from widget_server.flows.approve import approve as approve_organizations
from widget_server.flows.export import Format, as_dict, export_to_file
from widget_server.flows.export import export as export_signatures
from widget_server.flows.find_signatures import find_signatures, list_signatures
from widget_server.flows.import_csv import Imported, import_csv
from widget_server.flows.named import letter_named, partner_named

app = typer.Typer(
    help="Bring signatures in, take them away, look at them, approve organizations.",
    no_args_is_help=True,
)

LetterSlug = Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")]

_BAR_AFTER_SECONDS = 0.7


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


class _Bar:
    """A progress bar on standard error, once work has taken a moment and only where somebody watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._total = 0
        self._done = 0
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def starting(self, total: int) -> None:
        self._total = total

    def advance(self, number: int) -> None:
        self._done += number
        if self._progress is None:
            if not sys.stderr.isatty() or time.monotonic() - self._started < _BAR_AFTER_SECONDS:
                return
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=Console(file=sys.stderr), transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=self._total)
        if self._task is not None:
            self._progress.update(self._task, completed=self._done)


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
        with _Bar("Importing") as bar:
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
        f"{'Would import' if done.dry_run else 'Imported'} {done.imported:,} of {done.rows:,} rows."
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
        partners = await _partner_slugs(d, its_letter)
        wanted = list_signatures(d.db, its_letter, partner_id=partner_id)
        chosen: Format = "csv" if form is ExportFormat.csv else "jsonl"
        if output is None:
            await _to_standard_output(export_signatures(wanted, partners, chosen, sys.stdout.buffer.write))
        else:
            number = await export_to_file(wanted, partners, chosen, output)
            value = {"output": str(output), "format": chosen, "signatures": number}
            say(value, as_json, f"{number:,} signatures written to {output}.")


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
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the earliest first.")] = None,
    as_json: Json = False,
) -> None:
    """List signatures, in the order in which they came."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        found = list_signatures(
            d.db, its_letter,
            status=status.value if status else None, listing=listing.value if listing else None, limit=limit,
        )  # fmt: skip
        partners = await _partner_slugs(d, its_letter)
        _say_signatures([as_dict(signature, partners) async for signature in found], as_json, "None.")


@app.command()
@command
async def find(
    letter: LetterSlug,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name, an organization or an address.")],
    as_json: Json = False,
) -> None:
    """Find signatures by name, organization or address.

    Accents and case do not matter in the name that the list shows. A whole address also finds whoever signed
    with another spelling of it.
    """
    if not text.strip():
        raise Problems(["TEXT: say what to look for"])
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partners = await _partner_slugs(d, its_letter)
        found = [as_dict(s, partners) async for s in find_signatures(d.db, its_letter, text)]
        _say_signatures(found, as_json, f'No signature mentions "{text}".')


@app.command()
@command
async def approve(
    letter: LetterSlug,
    ids: Annotated[list[str], typer.Argument(metavar="ID …", help='As "signatures list" shows them.')],
    reason: Annotated[str | None, typer.Option(help="Why, for the audit log.")] = None,
    as_json: Json = False,
) -> None:
    """Approve organizations: from then on they are listed. All of them or none; repeating it changes nothing.

    "undersigned signatures list LETTER --listing awaiting_review" shows those that wait.
    """
    async with desk() as d:
        await letter_named(d.directory, letter)
        done = await approve_organizations(d.db, letter, ids, now=d.now(), actor=d.actor, reason=reason)
        lines = [f"{id_} is approved." for id_ in done.approved]
        lines += [f"{id_} was approved already." for id_ in done.repeated]
        say({"approved": list(done.approved), "repeated": list(done.repeated)}, as_json, lines)


async def _partner_slugs(d: Desk, letter: Letter) -> dict[int, str]:
    return {partner.id: partner.slug for partner in await d.directory.partners(letter.id)}


def _say_signatures(found: list[dict[str, Any]], as_json: bool, none: str) -> None:
    lines = []
    for one in found:
        shown = one["organization"] if one["kind"] == "organization" else one["name"]
        marks = "".join(f"  [{mark}]" for mark in ("test", "quarantine") if one[mark])
        marks += "  [repeat]" if one["repeat_of"] else ""
        lines.append(
            f"{one['id']}  {one['status']:<9}  {one['listing']:<16}  {one['statement']:<4}  "
            f"{one['kind']:<12}  {shown or '–'}{marks}"
        )
    say(found, as_json, lines or none)
