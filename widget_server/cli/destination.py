"""`undersigned destination`: where a letter's events go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from widget_server import __version__
from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.cli.given import read_options, read_value
from widget_server.contract import Option
from widget_server.domain.destinations import masked_url
from widget_server.domain.ids import read_id
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Unsealable, Vault
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.named import letter_named, partner_named
from widget_server.outbox.registry import Registry
from widget_server.outbox.routes import Routes
from widget_server.outbox.sending import Sender
from widget_server.outbox.trial import try_destination
from widget_server.store.delivery_log import numbers_by_status
from widget_server.store.destinations import DestinationRow, destinations_of, find_destination

app = typer.Typer(help="Where a letter's events go: webhooks, Slack and other kinds.", no_args_is_help=True)

LetterSlug = Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The destination's id, as `destination list` shows it.")]


@dataclass(frozen=True, slots=True)
class Counter:
    """What these commands work with besides the desk."""

    desk: Desk
    vault: Vault
    registry: Registry
    sender: Sender

    @property
    def office(self) -> Office:
        return Office(
            db=self.desk.db,
            directory=self.desk.directory,
            vault=self.vault,
            kinds=self.registry,
            judge_url=self.sender.egress().problems,
            now=self.desk.now,
            actor=self.desk.actor,
        )

    async def find(self, id_: str) -> DestinationRow:
        """Raises `Problems`."""
        known = read_id(id_)
        row = None if known is None else await find_destination(self.desk.db, known)
        if row is None:
            raise Problems([f"there is no destination {id_}; `undersigned destination list LETTER` lists them"])
        return row


@asynccontextmanager
async def counter() -> AsyncIterator[Counter]:
    async with desk() as d:
        sender = Sender(
            texts=d.texts,
            public_url=d.settings.public_url,
            version=__version__,
            egress_allow=d.settings.egress_allow,
            now=d.now,
        )
        try:
            yield Counter(d, Vault(d.settings.secret_keys), Registry(), sender)
        finally:
            await sender.aclose()


@app.command()
def kinds(as_json: Json = False) -> None:
    """List the kinds of destination that are installed, and their options."""
    registry = Registry()
    value = [
        {
            "kind": kind.kind,
            "summary": kind.summary,
            "events": None if kind.events is None else list(kind.events),
            "options": [_option(option) for option in kind.options],
        }
        for kind in registry.values()
    ]
    lines = []
    for kind in registry.values():
        lines += [f"{kind.kind}  {kind.summary}", f"  events: {', '.join(kind.events or ['every type'])}"]
        lines += [f"  --option {option.name}=…  {_explained(option)}" for option in kind.options]
    say(value, as_json, lines)


@app.command()
@command
async def add(
    letter: LetterSlug,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="One of `undersigned destination kinds`.")],
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
        say({"id": added.id, "kind": added.kind, "secret": added.secret}, as_json, lines)


@app.command("list")
@command
async def list_(letter: LetterSlug, as_json: Json = False) -> None:
    """List a letter's destinations, its partners' included."""
    async with counter() as c:
        its_letter = await letter_named(c.desk.directory, letter)
        values = [await _described(c, row) for row in await destinations_of(c.desk.db, its_letter.id)]
        say(values, as_json, [f"{v['id']}  {v['kind']}  {v['status']}  {v['url']}" for v in values])


@app.command()
@command
async def show(id_: Id, as_json: Json = False) -> None:
    """Show a destination: its configuration without its secrets, and how it fares."""
    async with counter() as c:
        row = await c.find(id_)
        value = await _described(c, row)
        value["deliveries"] = await numbers_by_status(c.desk.db, row.id)
        say(value, as_json, [f"  {key:<16}{_shown(v)}" for key, v in value.items() if v not in (None, {}, [])])


@app.command("test")
@command
async def try_(id_: Id, as_json: Json = False) -> None:
    """Send a test event now, once, and say what came of it."""
    async with counter() as c:
        row = await c.find(id_)
        d = c.desk
        routes = Routes(directory=d.directory, vault=c.vault, kinds=c.registry, public_url=d.settings.public_url)
        trial = await try_destination(d.db, routes, c.sender, row, d.now())
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
        raise Problems([f"not delivered: {verdict.error}", *([verdict.response] if verdict.response else [])])


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
        hint = f"Enabled. What it missed while disabled: undersigned delivery replay {row.id} --since TIME"
        say({"id": row.id, "status": "active"}, as_json, hint)


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
        secret = await c.office.rotate_secret(row, timedelta(hours=overlap_hours))
        lines = [
            f"The new secret, shown only now: {secret}",
            f"The old one signs too for {overlap_hours:g} hours.",
        ]
        say({"id": row.id, "secret": secret}, as_json, lines)


async def _described(c: Counter, row: DestinationRow) -> dict[str, Any]:
    integration = c.registry.get(row.kind)
    url: str | None = None
    options: dict[str, str] = {}
    try:
        configuration = c.office.configuration(row)
    except Unsealable:
        pass  # its key is gone; everything else can still be shown
    else:
        secret = integration is None or integration.url_is_secret
        url = masked_url(configuration.url) if secret else configuration.url
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
        "created_at": _time(row.created_at),
        "last_sent_at": _time(row.health.last_sent_at),
        "first_failed_at": _time(row.health.first_failed_at),
        "not_before": _time(row.health.not_before),
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "help": option.help,
        "required": option.required,
        "secret": option.secret,
        "default": option.default,
    }


def _explained(option: Option) -> str:
    notes = ["needed"] if option.required else []
    notes += [f"default {option.default}"] if option.default is not None else []
    return f"{option.help} ({', '.join(notes)})" if notes else option.help


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
