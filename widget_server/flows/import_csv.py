"""When signatories collected elsewhere come in as a CSV file.

1. Read the file: delimiter, columns, rows; every problem with its line.
2. Check every row as a signature would be: names, kind, country and the statement that it gives, address.
3. Write them in one transaction, the whole file or nothing: confirmed, listed, the house partner's, source
   `import`, counted, initiators pinned, without a consent and without an event.

Safe to repeat: a row is known by its kind, folded name, statement and occurrence in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.flows.read_csv import CsvRow, read_csv
from widget_server.flows.read_signatory import Reading
from widget_server.store.audit import record
from widget_server.store.db import Db
from widget_server.store.imports import ImportedSignature, Written, write_imported
from widget_server.store.pins import ranks


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in. Lines are those of the file; the signers of `signed_lines` had signed already."""

    rows: int
    imported: int
    before_lines: tuple[int, ...]
    signed_lines: tuple[int, ...]
    ignored_columns: tuple[str, ...]
    dry_run: bool

    @property
    def skipped(self) -> int:
        return len(self.before_lines) + len(self.signed_lines)


class _DryRun(Exception):
    """Ends the transaction of a dry run without keeping it."""

    def __init__(self, written: Written) -> None:
        super().__init__()
        self.written = written


async def import_csv(
    db: Db,
    letter: Letter,
    house: Partner,
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
    actor: str,
    starting: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """`mapping`: column → field. `starting` is told the number of rows, `progress` how many were just
    written.

    A dry run writes and rolls back, so that it tells exactly what would happen. Raises `Problems`: every row
    that cannot be read, with its line; nothing is imported then.
    """
    file = read_csv(path, mapping or {})
    rows, problems = _check(file.rows, letter, house, now)
    problems = [*problems, *((int(p.removeprefix("line ").partition(":")[0]), p) for p in file.problems)]
    if problems:
        raise Problems([f"{path.name}: {problem}" for _, problem in sorted(problems, key=lambda item: item[0])])
    starting(len(rows))
    try:
        async with db.write() as writer:
            written = await write_imported(writer, [row for _, row in rows], progress)
            if dry_run:
                raise _DryRun(written)
            if written.new:
                await record(
                    writer,
                    at=now,
                    actor=actor,
                    action="signatures.import",
                    letter_id=letter.id,
                    data={"rows": len(rows), "imported": len(written.new)},
                )
    except _DryRun as dry:
        written = dry.written
    fresh = written.new | written.signed
    return Imported(
        rows=len(rows),
        imported=len(written.new),
        before_lines=tuple(line for line, row in rows if row.id not in fresh),
        signed_lines=tuple(line for line, row in rows if row.id in written.signed),
        ignored_columns=file.ignored,
        dry_run=dry_run,
    )


def _check(
    rows: Sequence[CsvRow], letter: Letter, house: Partner, now: datetime
) -> tuple[list[tuple[int, ImportedSignature]], list[tuple[int, str]]]:
    """Rows with their lines, and problems with theirs."""
    good: list[tuple[int, ImportedSignature]] = []
    problems: list[tuple[int, str]] = []
    occurrences: Counter[tuple[str, str, str]] = Counter()
    pins = ranks(letter.settings.initiators)
    for row in rows:
        reading = Reading(row, letter, now)
        signature = reading.signature(house, occurrences, pins)
        problems += [(row.line, f"line {row.line}: {problem}") for problem in reading.problems]
        if signature is not None:
            good.append((row.line, signature))
    return good, problems
