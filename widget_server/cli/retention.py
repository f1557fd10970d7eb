"""`undersigned retention`: erase what is kept no longer, or say what would go. The server does it every hour."""

from __future__ import annotations

from typing import Annotated

import typer

from widget_server.cli.desk import Json, command, desk, say
from widget_server.domain.retention import Swept
from widget_server.flows.retention import sweep

_WORDS = {
    "unconfirmed": "never confirmed in 30 days",
    "withdrawn": "withdrawn 30 days ago",
    "rejected": "rejected, of a letter closed long enough",
    "tests": "tests, a day old",
    "contacts": "confirmed, of which the contact details go",
    "places": "keyed hashes of signers who are gone",
    "sealed": "addresses of ended consents that nobody took in 30 days",
}


@command
async def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Erase what is kept no longer, of every letter. A running server does so by itself, once an hour.

    Never confirmed: after 30 days. Withdrawn: 30 days later. Tests: after a day. The keyed hash of a client's
    address: after 7 days. Contact details: contact_days (of letter.toml, 180 by default) after a letter has closed.
    The count stays as it is. "undersigned audit LETTER" shows what went.
    """
    async with desk() as d:
        letters = sorted(await d.directory.letters(), key=lambda letter: letter.slug)
        swept = await sweep(d.db, letters, d.now(), actor=d.actor, dry_run=dry_run)
        value = {slug: done.as_dict() for slug, done in swept.items()}
        say(value, as_json, [line for slug, done in swept.items() for line in _lines(slug, done, dry_run=dry_run)])


def _lines(slug: str, done: Swept, *, dry_run: bool) -> list[str]:
    if not done:
        return [f"{slug}: nothing {'would go' if dry_run else 'was over'}."]
    would = "would go" if dry_run else "went"
    return [
        f"{slug}:",
        *(f"  {number:>8,} {_WORDS[what]} {would}" for what, number in done.as_dict().items() if number),
    ]
