"""When staff take the signatures away, as CSV for spreadsheets or as JSON Lines for programs.

One thing must stay true: a spreadsheet never runs what a signer typed. A cell that it would read as a formula
gets an apostrophe in front; JSON Lines hold every value exactly.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from widget_server.domain.listing import evidence
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature

Format = Literal["csv", "jsonl"]

COLUMNS = (
    "id", "status", "listing", "kind", "name", "organization", "role", "statement", "country",
    "city", "postal_code", "email", "organization_website", "authorized", "comment", "locale",
    "public", "contact_opt_in", "partner_opt_in", "partner", "source", "page", "origin",
    "origin_flagged", "test", "repeat_of", "quarantine", "initiator_rank", "text_version",
    "consent_version", "created_at", "confirmed_at", "withdrawn_at", "rejected_at",
    "address_confirmed_at", "mail_refused_at", "evidence",
)  # fmt: skip
# CSV injection as OWASP describes it: what makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CHUNK = 64 * 1024


def as_dict(signature: Signature, partners: Mapping[int, str]) -> dict[str, Any]:
    """A signature as it is exported, by `COLUMNS`. `partners`: id → slug. Times are ISO 8601, in UTC. `evidence`: the
    domain that an organization's confirmed address and its website share."""
    made = {"partner": partners.get(signature.partner_id), "evidence": evidence(signature)}
    values: dict[str, Any] = {}
    for column in COLUMNS:
        value = made[column] if column in made else getattr(signature, column)
        values[column] = _time(value) if isinstance(value, datetime) else value
    return values


async def export(
    signatures: AsyncIterator[Signature],
    partners: Mapping[int, str],
    form: Format,
    write: Callable[[bytes], object],
) -> int:
    """Writes them as they come, in pieces of about 64 KiB of UTF-8. Gives their number."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    if form == "csv":
        table.writerow(COLUMNS)
    number = 0
    async for signature in signatures:
        values = as_dict(signature, partners)
        if form == "csv":
            table.writerow([safe_cell(values[column]) for column in COLUMNS])
        else:
            text.write(json.dumps(values, ensure_ascii=False) + "\n")
        number += 1
        if text.tell() > _CHUNK:
            write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    write(text.getvalue().encode())
    return number


async def export_to_file(
    signatures: AsyncIterator[Signature], partners: Mapping[int, str], form: Format, path: Path
) -> int:
    """Writes a file whole, then puts it in place, readable by its owner only. Raises `Problems`."""
    with _put_in_place(path) as file:
        return await export(signatures, partners, form, file.write)


@contextmanager
def _put_in_place(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place once it is whole; on any error `path` is as it was."""
    if path.is_dir():
        raise Problems([f"{path}: this is a folder; expected the name of a file"])
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise Problems([f"{path}: cannot be written: {error.strerror}"]) from error


def safe_cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs; true and false in lower case, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
