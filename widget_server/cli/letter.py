"""`undersigned letter`: load, look at, open, pause and close letters."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.cli.table import table
from widget_server.domain.letters import Letter
from widget_server.flows.letter_status import Verb, change_letter_status
from widget_server.flows.load_letter import Loaded, load_letter
from widget_server.flows.named import letter_named
from widget_server.store.in_waiting import in_waiting

app = typer.Typer(help="Load, look at, open, pause and close letters.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The letter's slug, as letter.toml has it.")]
Folder = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="A folder with letter.toml, body.LOCALE.md and, if wanted, intro and outcome."),
]


@app.command()
@command
async def load(folder: Folder, as_json: Json = False) -> None:
    """Create or update the letter in DIR.

    Safe to repeat. Never changes the letter's status: a new one is a draft, until "letter open". Every
    problem in the folder is reported at once, and nothing is changed if there is any.
    """
    async with desk() as d:
        loaded = await load_letter(d.db, folder, now=d.now(), actor=d.actor)
        for note in loaded.notes:
            print(f"note: {note}", file=sys.stderr)
        value = {
            **await _described(d, loaded.letter),
            "created": loaded.created,
            "changed": loaded.changed,
            "new_version": loaded.new_version,
            "notes": list(loaded.notes),
        }
        say(value, as_json, [_what_loading_did(loaded), *_addresses(value)])


def _what_loading_did(loaded: Loaded) -> str:
    slug = loaded.letter.slug
    if loaded.created:
        return f'Letter {slug} is loaded, as a draft. "undersigned letter open {slug}" opens it.'
    if not loaded.changed:
        return f"Letter {slug} is as it was: nothing in the folder has changed."
    if loaded.new_version:
        return f"Letter {slug} is updated; its wording is now text version {loaded.letter.version}."
    return f"Letter {slug} is updated; its wording is unchanged (text version {loaded.letter.version})."


@app.command("list")
@command
async def list_(as_json: Json = False) -> None:
    """List every letter with its status and count."""
    async with desk() as d:
        values = [await _described(d, letter) for letter in await d.directory.letters()]
        values.sort(key=lambda value: str(value["slug"]))
        rows = [(v["slug"], v["status"], f"{v['counts']['total']:,}", v["title"]) for v in values]
        lines = table(("letter", "status", "signed", "title"), rows)
        say(values, as_json, lines or ['There is no letter yet. "undersigned letter load DIR" loads one.'])


@app.command()
@command
async def show(slug: Slug, as_json: Json = False) -> None:
    """Show a letter: status, counts, what waits, addresses. The preview address shows it while it is a draft; keep it
    private.
    """
    async with desk() as d:
        letter = await letter_named(d.directory, slug)
        waiting = asdict(await in_waiting(d.db, letter.id))
        value = {**await _described(d, letter), "waiting": waiting}
        counts = value["counts"]
        say(
            value,
            as_json,
            [
                f"{value['title']}",
                f"  slug      {slug}",
                f"  status    {value['status']}" + _why(letter, value["status"]),
                f"  version   {value['version']} of the text, in {', '.join(letter.locales)}",
                f"  signed    {counts['total']:,} ({counts['individuals']:,} persons,"
                f" {counts['organizations']:,} organizations)",
                *(f"            {code}: {number:,}" for code, number in counts["by_statement"].items()),
                *_waiting_lines(slug, waiting),
                *_addresses(value),
            ],
        )


_WAITING = {
    "confirmation": "to be confirmed by their signers",
    "address_refused": "of these at an address that was refused",
    "never_confirmed": "never confirmed, and erased",
    "quarantine": "in quarantine: undersigned signatures list {slug} --quarantine",
    "quarantine_confirmed": "of these whose signer has confirmed the address",
    "review": "to be reviewed: undersigned signatures list {slug} --listing awaiting_review",
}


def _waiting_lines(slug: str, waiting: Mapping[str, int]) -> list[str]:
    lines = [f"{waiting[what]:,} {words.format(slug=slug)}" for what, words in _WAITING.items() if waiting[what]]
    return [f"  {'waiting' if place == 0 else '':<9} {line}" for place, line in enumerate(lines)]


@app.command("open")
@command
async def open_(slug: Slug, as_json: Json = False) -> None:
    """Open a letter for signatures (within its opening and closing times, where it has any)."""
    await _change(slug, "open", as_json)


@app.command()
@command
async def pause(slug: Slug, as_json: Json = False) -> None:
    """Pause a letter: it stays readable and takes no signatures until it is opened again."""
    await _change(slug, "pause", as_json)


@app.command()
@command
async def close(slug: Slug, as_json: Json = False) -> None:
    """Close a letter: it takes no more signatures and shows its outcome."""
    await _change(slug, "close", as_json)


async def _change(slug: str, verb: Verb, as_json: bool) -> None:
    async with desk() as d:
        await letter_named(d.directory, slug)
        done = await change_letter_status(d.db, slug, verb, now=d.now(), actor=d.actor)
        await d.directory.refresh(now_please=True)
        value = {**await _described(d, done.letter), "changed": done.changed}
        was = "is" if done.changed else "was already"
        reason = _why(done.letter, value["status"])
        say(value, as_json, [f"Letter {slug} {was} {done.letter.state}{reason}.", *_addresses(value)])


def _why(letter: Letter, status: str) -> str:
    """Where time has made the status another than the one that a coordinator set."""
    if letter.state == "open" and status == "closed" and letter.settings.closes_at is not None:
        return f" (closed since its closing time, {letter.settings.closes_at.isoformat()})"
    if letter.state == "open" and status == "scheduled" and letter.settings.opens_at is not None:
        return f" (scheduled: takes signatures from {letter.settings.opens_at.isoformat()})"
    return ""


async def _described(d: Desk, letter: Letter) -> dict[str, Any]:
    """What `--json` prints of a letter. Times are ISO 8601, in UTC."""
    settings = letter.settings
    url = f"{d.settings.public_url}/letters/{letter.slug}"
    return {
        "slug": letter.slug,
        "status": letter.status(d.now()),
        "title": letter.wording[letter.default_locale].title,
        "locales": list(letter.locales),
        "version": letter.version,
        "counts": (await d.directory.counts(letter)).public(settings.codes),
        "goal": settings.goal,
        "opens_at": settings.opens_at.isoformat() if settings.opens_at else None,
        "closes_at": settings.closes_at.isoformat() if settings.closes_at else None,
        "url": url,
        "preview_url": f"{url}?preview={d.seals.seal('preview', letter.slug)}",
    }


def _addresses(value: dict[str, Any]) -> list[str]:
    lines = [] if value["status"] == "draft" else [f"  address   {value['url']}"]
    return [*lines, f"  preview   {value['preview_url']}"]
