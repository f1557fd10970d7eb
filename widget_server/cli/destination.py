"""`undersigned destination`: where a letter's events go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from widget_server.cli.counter import Counter, counter
from widget_server.cli.delivery_lines import in_words, on_one_line
from widget_server.cli.desk import Json, command, say
from widget_server.cli.given import read_options, read_value
from widget_server.cli.table import short_time, table
from widget_server.contract import Option
from widget_server.domain.destinations import masked_url
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Unsealable
from widget_server.flows.destinations import Wanted, public_keys
from widget_server.flows.named import letter_named, partner_named
from widget_server.outbox.registry import Registry
from widget_server.outbox.routes import OurFault
from widget_server.outbox.trial import try_destination
from widget_server.store.delivery_log import numbers_by_status
from widget_server.store.destinations import DestinationRow, destinations_of

app = typer.Typer(help="Where a letter's events go: webhooks, Slack and other kinds.", no_args_is_help=True)

LetterSlug = Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")]
Id = Annotated[str, typer.Argument(metavar="ID", help='The destination\'s id, as "destination list" shows it.')]


@app.command()
def kinds(as_json: Json = False) -> None:
    """List the kinds of destination that are installed, and their options."""
    registry = Registry()
    value = [
        {
            "kind": kind.kind,
            "summary": kind.summary,
            "events": None if kind.events is None else list(kind.events),
            "url": kind.url,
            "can_be_asked": kind.can_be_asked,
            "options": [_option(option) for option in kind.options],
        }
        for kind in registry.values()
    ]
    lines = []
    for kind in registry.values():
        lines += [f"{kind.kind}  {kind.summary}", f"  events: {', '.join(kind.events or ['every type'])}"]
        asked = "the target is asked" if kind.can_be_asked else "the options only; the target cannot be asked"
        lines += [f"  destination check: {asked}"]
        lines += [] if kind.url == "none" else [f"  --url …  {'needed' if kind.url == 'needed' else 'if you like'}"]
        lines += [f"  --option {option.name}=…  {_explained(option)}" for option in kind.options]
    say(value, as_json, lines)


@app.command()
@command
async def add(
    letter: LetterSlug,
    kind: Annotated[str, typer.Argument(metavar="KIND", help='One of those that "destination kinds" lists.')],
    url: Annotated[str, typer.Option(help="Where to send; @FILE or - to read it from a file or standard input.")] = "",
    partner: Annotated[str | None, typer.Option(help="The partner that it belongs to; else the letter itself.")] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="A type of event to send. Repeat it; else the kind's own choice.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, KEY=@FILE, or KEY=- for standard input. Repeat it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a destination. It gets what happens from now on; nothing is sent because of it.

    A signing secret is shown this once.
    """
    wanted = Wanted(kind, read_value("url", url), read_options(option or []), event or [])
    async with counter() as c:
        its_letter = await letter_named(c.desk.directory, letter)
        its_partner = await partner_named(c.desk.directory, its_letter, partner) if partner else None
        added = await c.office.add(its_letter, its_partner, wanted)
        lines = [f"Destination {added.id} is added. Try it: undersigned destination test {added.id}"]
        if added.secret:
            lines.append(f"Its signing secret, shown only now: {added.secret}")
        lines += [f"What receivers verify with: {key}" for key in added.public_keys]
        keys = list(added.public_keys)
        say({"id": added.id, "kind": added.kind, "secret": added.secret, "public_keys": keys}, as_json, lines)


@app.command("list")
@command
async def list_(letter: LetterSlug, as_json: Json = False) -> None:
    """List a letter's destinations, its partners' included."""
    async with counter() as c:
        its_letter = await letter_named(c.desk.directory, letter)
        values = [await _described(c, row) for row in await destinations_of(c.desk.db, its_letter.id)]
        heading = ("destination", "kind", "status", "partner", "where to")
        rows = [(v["id"], v["kind"], v["status"], v["partner"] or "", v["url"] or "") for v in values]
        say(values, as_json, table(heading, rows) or "None.")


@app.command()
@command
async def show(id_: Id, as_json: Json = False) -> None:
    """Show a destination: its configuration without its secrets, and how it fares."""
    async with counter() as c:
        row = await c.find(id_)
        value = await _described(c, row)
        value["deliveries"] = await numbers_by_status(c.desk.db, row.id)
        shown = {**value, **_times(row, short_time), "events": value["events"] or ["every type"]}
        say(value, as_json, [f"  {key:<16}{_shown(v)}" for key, v in shown.items() if v not in (None, {}, [])])


@app.command()
@command
async def check(id_: Id, as_json: Json = False) -> None:
    """Check the options, and ask the target whether the credentials work and what the options name exists.

    Nothing is sent and nothing changed there. Some targets cannot be asked, only sent to: "destination kinds" says
    which, and "destination test" tries them.
    """
    async with counter() as c:
        row = await c.find(id_)
        found = await _checked(c, row)
        value = {"id": row.id, "asked": found.asked, "problems": found.problems}
        say(value, as_json, [] if found.problems else _nothing_wrong(row, asked=found.asked))
        if found.problems:
            raise Problems(found.problems)


@dataclass(frozen=True, slots=True)
class _Checked:
    """`asked`: whether the target was."""

    asked: bool
    problems: list[str]


async def _checked(c: Counter, row: DestinationRow) -> _Checked:
    """The options first: a target is asked only where nothing is wrong with them."""
    try:
        route = await c.routes.open(row)
    except OurFault as fault:
        return _Checked(False, [fault.code])
    wrong = await c.office.problems(row)
    if wrong or not route.integration.can_be_asked:
        return _Checked(False, wrong)
    return _Checked(True, [f"{problem.option}: {problem.message}" for problem in await c.sender.probe(route)])


def _nothing_wrong(row: DestinationRow, *, asked: bool) -> list[str]:
    if asked:
        return [f"The options are well formed, and {row.kind}, which was asked, has nothing against them."]
    return [
        f"The options are well formed. Kind {row.kind} cannot be asked without sending; this sends a test:",
        f"undersigned destination test {row.id}",
    ]


@app.command("test")
@command
async def try_(id_: Id, as_json: Json = False) -> None:
    """Send a test event now, once, and say what came of it.

    Nothing is sent where "destination check" finds a problem.
    """
    async with counter() as c:
        row = await c.find(id_)
        found = (await _checked(c, row)).problems
        if found:
            if as_json:
                say({"id": row.id, "delivery": None, "outcome": "problems", "problems": found}, as_json, "")
            raise Problems(["nothing was sent:", *found])
        trial = await try_destination(c.desk.db, c.routes, c.sender, row, c.desk.now())
        verdict = trial.verdict
        value = {
            "id": row.id,
            "delivery": trial.delivery_id,
            "outcome": verdict.outcome.value,
            "status_code": verdict.status_code,
            "error": verdict.error,
            "response": verdict.response,
            "duration_seconds": round(trial.duration_seconds, 3),
        }
        if verdict.status == "delivered":
            say(value, as_json, f"Delivered: {verdict.status_code}, in {trial.duration_seconds:.2f} s.")
            return
        if as_json:
            say(value, as_json, "")
        answer = on_one_line(verdict.response or "")
        raise Problems([f"not delivered: {in_words(verdict.error)}", *([answer] if answer else [])])


@app.command()
@command
async def pause(id_: Id, as_json: Json = False) -> None:
    """Send it nothing until it is enabled again; what happens meanwhile waits."""
    async with counter() as c:
        row = await c.find(id_)
        await c.office.pause(row)
        say({"id": row.id, "status": "paused"}, as_json, "Paused; its work waits.")


@app.command()
@command
async def enable(id_: Id, as_json: Json = False) -> None:
    """Send to it again after a pause, or after it was switched off; what waits goes at once."""
    async with counter() as c:
        row = await c.find(id_)
        await c.office.enable(row)
        lines = ["Enabled; what waits goes now."]
        if row.health.status == "disabled":
            lines.append(f"What it missed while it was off: undersigned delivery replay {row.id} --missing")
        say({"id": row.id, "status": "active"}, as_json, lines)


@app.command()
@command
async def remove(id_: Id, as_json: Json = False) -> None:
    """Remove it, with its deliveries and their log."""
    async with counter() as c:
        row = await c.find(id_)
        await c.office.remove(row)
        say({"id": row.id, "removed": True}, as_json, "Removed.")


@app.command("rotate-secret")
@command
async def rotate_secret(
    id_: Id,
    overlap_hours: Annotated[float, typer.Option(min=0, max=7 * 24, help="How long the old secret signs too.")] = 24,
    as_json: Json = False,
) -> None:
    """Make a new signing secret, shown this once."""
    async with counter() as c:
        row = await c.find(id_)
        rotated = await c.office.rotate_secret(row, timedelta(hours=overlap_hours))
        lines = [
            f"The new secret, shown only now: {rotated.secret}",
            f"The old one signs too for {overlap_hours:g} hours.",
            *(f"What receivers verify with: {key}" for key in rotated.public_keys),
        ]
        say({"id": row.id, "secret": rotated.secret, "public_keys": list(rotated.public_keys)}, as_json, lines)


async def _described(c: Counter, row: DestinationRow) -> dict[str, Any]:
    integration = c.registry.get(row.kind)
    url: str | None = None
    options: dict[str, str] = {}
    keys: list[str] = []
    try:
        configuration = c.office.configuration(row)
    except Unsealable:
        pass  # its key is gone; everything else can still be shown
    else:
        secret = integration is None or integration.url_is_secret
        keys = [] if integration is None else public_keys(integration, row.id, configuration, c.desk.now())
        url = configuration.url or (integration.address(configuration.options) if integration else "") or None
        url = masked_url(url) if secret and url else url
        known = {option.name: option for option in integration.options} if integration else {}
        options = {
            name: value if name in known and not known[name].secret else "…"
            for name, value in configuration.options.items()
        }
    partner = None if row.partner_id is None else await c.desk.directory.partner_by_id(row.partner_id)
    events = row.event_types or (integration.events if integration else None)
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.health.status,
        "reason": row.health.reason,
        "url": url,
        "partner": partner.slug if partner else None,
        "events": None if events is None else list(events),
        "options": options,
        "public_keys": keys,
        **_times(row, datetime.isoformat),
    }


def _times(row: DestinationRow, written: Callable[[datetime], str]) -> dict[str, str | None]:
    times = {
        "created_at": row.created_at,
        "last_sent_at": row.health.last_sent_at,
        "first_failed_at": row.health.first_failed_at,
        "not_before": row.health.not_before,
    }
    return {key: None if at is None else written(at) for key, at in times.items()}


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "help": option.help,
        "required": option.required,
        "secret": option.secret,
        "default": option.default,
        "form": option.form,
        "choices": list(option.choices),
    }


def _explained(option: Option) -> str:
    notes = ["needed"] if option.required else []
    notes += [f"one of {', '.join(option.choices)}"] if option.choices else []
    notes += [f"default {'; '.join(option.default.splitlines())}"] if option.default is not None else []
    return f"{option.help} ({', '.join(notes)})" if notes else option.help


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
