"""Reads a CSV file as it comes out of a spreadsheet: which delimiter, which column is which, which line is
wrong.

One thing must stay true: a row is known by the line on which it starts in the file, however many line breaks
its cells hold.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from widget_server.domain.names import fold
from widget_server.domain.refusals import Problems
from widget_server.domain.signatory_columns import CERTAIN, COLUMNS, FIELDS, NEEDED

DELIMITERS = (",", ";", "\t")
_SAVE_AS = 'save it as "CSV UTF-8" (in Excel: Save As, CSV UTF-8; in LibreOffice: Save As, character set UTF-8)'


@dataclass(frozen=True, slots=True)
class CsvRow:
    """`line` is where it starts, from 1; `cells` by field, trimmed, only those that are not empty."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """`ignored`: columns that no field is known for. `problems`: rows that cannot be read as CSV, with their
    line.
    """

    rows: Sequence[CsvRow]
    ignored: tuple[str, ...]
    problems: tuple[str, ...]


def read_csv(path: Path, mapping: Mapping[str, str]) -> CsvFile:
    """`mapping` says for a column which field it is, where its name does not. Blank rows are none.

    Raises `Problems` where the file as a whole cannot be read: encoding, header, mapping.
    """
    text = _text(path)
    if not text.strip():
        raise Problems([f"{path.name}: the file is empty; expected a header line, such as Name,Type,Country"])
    delimiter = _delimiter(text, mapping)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header, fields = _header(path, reader, mapping)
    rows: list[CsvRow] = []
    problems: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problems.append(f"line {line}: not readable as CSV: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            problems.append(
                f"line {line}: {len(cells)} cells, while the header has {len(header)}; quote commas in cells"
            )
            continue
        given = {
            field: cell.strip()
            for field, cell in zip(fields, cells, strict=False)
            if field is not None and cell.strip()
        }
        rows.append(CsvRow(line, given))
    ignored = tuple(name for name, field in zip(header, fields, strict=True) if field is None and name)
    return CsvFile(rows, ignored, tuple(problems))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problems([f"{path}: cannot be read: {error.strerror}"]) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Problems([f"{path.name}: the file is in UTF-16; {_SAVE_AS}"])
    if data.startswith(b"PK\x03\x04"):
        raise Problems([f"{path.name}: this is a spreadsheet, not a CSV file; {_SAVE_AS}"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Problems(
            [f"{path.name}: the file is not in UTF-8 (line {line}), perhaps in Windows-1252; {_SAVE_AS}"]
        ) from error


def _delimiter(text: str, mapping: Mapping[str, str]) -> str:
    """The one that makes most known columns of the header; else the one that makes most columns."""

    def known(delimiter: str) -> tuple[int, int]:
        try:
            header = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        mapped = {fold(column) for column in mapping}
        return sum(fold(name) in COLUMNS or fold(name) in mapped for name in header), len(header)

    return max(DELIMITERS, key=known)


def _header(
    path: Path,
    reader: Iterator[list[str]],
    mapping: Mapping[str, str],
) -> tuple[list[str], list[str | None]]:
    """The header's names, and for each column its field, None where it is not known."""
    header: list[str] = []
    try:
        while not any(name.strip() for name in header):
            header = next(reader)
    except StopIteration as error:
        raise Problems([f"{path.name}: the file has no header; expected one such as Name,Type,Country"]) from error
    except csv.Error as error:
        raise Problems([f"{path.name}: line 1: not readable as CSV: {error}"]) from error
    header = [name.strip() for name in header]
    problems: list[str] = []
    mapped: dict[str, str] = {}
    for column, field in mapping.items():
        if field not in FIELDS:
            problems.append(f'--map {column}={field}: unknown field "{field}"; known: {", ".join(FIELDS)}')
        elif fold(column) not in {fold(name) for name in header}:
            problems.append(f'--map {column}={field}: there is no column "{column}"; there are: {", ".join(header)}')
        mapped[fold(column)] = field
    taken = set(mapped.values())
    fields: list[str | None] = []
    for name in header:
        folded = fold(name)
        its = mapped.get(folded) or COLUMNS.get(folded)
        if folded not in mapped and its in taken:
            its = None  # --map has given this field to another column
        fields.append(its)
    _prefer_the_usual(header, fields)
    problems += _field_problems(header, fields)
    if problems:
        raise Problems([f"{path.name}: {problem}" for problem in problems])
    return header, fields


def _prefer_the_usual(header: Sequence[str], fields: list[str | None]) -> None:
    """Where several columns look like the same extra, the more usual name has it: `Date` before `Confirmed
    at`.
    """
    usual = list(COLUMNS)
    for field in FIELDS:
        places = [i for i, its in enumerate(fields) if its == field and fold(header[i]) in COLUMNS]
        if field not in CERTAIN and len({fold(header[i]) for i in places}) > 1:
            best = min(places, key=lambda i: usual.index(fold(header[i])))
            for i in places:
                fields[i] = field if i == best else None


def _field_problems(header: Sequence[str], fields: Sequence[str | None]) -> list[str]:
    problems: list[str] = []
    for field in FIELDS:
        columns = [name for name, its in zip(header, fields, strict=True) if its == field]
        if len(columns) > 1:
            names = " and ".join(f'"{name}"' for name in columns)
            problems.append(f"columns {names} both look like {field}; say which with --map COLUMN={field}")
    for field in NEEDED:
        if field not in fields:
            problems.append(
                f"there is no column for {field} among: {', '.join(filter(None, header))}; "
                f"name one with --map COLUMN={field}"
            )
    return problems
