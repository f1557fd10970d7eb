"""`undersigned delivery`: what was sent, what was not, and sending it again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from widget_server.cli.delivery_lines import delivery_lines, in_words, on_one_line
from widget_server.cli.desk import Json, command, desk, say
from widget_server.cli.given import read_time
from widget_server.cli.signature_lines import numbered
from widget_server.cli.table import short_time
from widget_server.domain.events import EVENT_TYPES
from widget_server.domain.ids import read_id
from widget_server.domain.refusals import Problems
from widget_server.flows.deliveries import Chosen, call_off
from widget_server.flows.deliveries import replay as replay_events
from widget_server.flows.deliveries import retry as retry_delivery
from widget_server.flows.named import letter_named
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db
from widget_server.store.delivery_log import AttemptRow, DeliveryRow, attempts_at, deliveries_of, find_delivery
from widget_server.store.destinations import destinations_of, find_destination

app = typer.Typer(help="What was sent to destinations, and sending it again.", no_args_is_help=True)

_TIMES = ("next_attempt_at", "created_at", "finished_at")

Id = Annotated[str, typer.Argument(metavar="ID", help='The delivery\'s id, as "delivery list" shows it.')]


class Status(StrEnum):
    pending = "pending"
    delivered = "delivered"
    failed = "failed"
    cancelled = "cancelled"


@app.command("list")
@command
async def list_(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")],
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    destination: Annotated[str | None, typer.Option(help="Only those to this destination.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: Json = False,
) -> None:
    """List deliveries in the order in which their events happened: when, what, where to, and what became of it.

    Times are in UTC. Kind signer-mail is mail to signers, owner-mail tells of trouble; neither has a destination.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        rows = await deliveries_of(
            d.db,
            its_letter.id,
            status=status.value if status else None,
            destination_id=_read_id(destination) if destination else None,
            limit=limit,
        )
        states = {one.id: one.health.status for one in await destinations_of(d.db, its_letter.id)}
        say([_described(row) for row in rows], as_json, delivery_lines(rows, d.now(), states) or "None.")


@app.command()
@command
async def show(id_: Id, as_json: Json = False) -> None:
    """Show a delivery and every attempt at it."""
    async with desk() as d:
        row = await _find(d.db, id_)
        tries = await attempts_at(d.db, row.id)
        value = {
            **_described(row),
            "kind": row.kind,
            "created_at": _time(row.created_at),
            "finished_at": _time(row.finished_at),
            "log": [{**asdict(one), "started_at": _time(one.started_at)} for one in tries],
        }
        shown = {
            **value,
            "happened_at": short_time(row.occurred_at),
            **{key: short_time(at) for key in _TIMES if (at := getattr(row, key)) is not None},
            "last_error": in_words(row.last_error) or None,
        }
        lines = [f"  {key:<16}{v}" for key, v in shown.items() if key != "log" and v is not None]
        say(value, as_json, [*lines, *(_attempt(one) for one in tries)])


def _attempt(one: AttemptRow) -> str:
    error = one.error or ""
    status = str(one.status_code or "")
    said = ["" if status in error else status, in_words(one.error), on_one_line(one.response or "") if error else ""]
    times = f"{short_time(one.started_at)}  {one.duration_seconds:.2f} s  {one.outcome}"
    return "  ".join(["", times, *filter(None, said)])


@app.command()
@command
async def retry(id_: Id, as_json: Json = False) -> None:
    """Send it again now, whatever became of it; it has all its attempts before it again."""
    async with desk() as d:
        row = await _find(d.db, id_)
        await retry_delivery(d.db, row, now=d.now(), actor=d.actor)
        say({"id": row.id, "status": "pending"}, as_json, "It goes out again.")


@app.command()
@command
async def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help='As "delivery list" shows them.')],
    as_json: Json = False,
) -> None:
    """Give up deliveries that wait. One that has begun may arrive all the same; what has arrived stays."""
    async with desk() as d:
        rows = [await _find(d.db, id_) for id_ in ids]
        done = await call_off(d.db, [row.id for row in rows], now=d.now(), actor=d.actor)
        lines = [f"{row.id}  {'cancelled' if row.id in done else f'left alone: {row.status}'}" for row in rows]
        say({"cancelled": done}, as_json, lines)


@app.command()
@command
async def replay(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="The destination's id.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From when on, such as 2026-06-20 or 2026-06-20T12:00:00Z; else all."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="What happened before then.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only what has this status there, such as failed.")] = None,
    event: Annotated[list[str] | None, typer.Option(metavar="TYPE", help="Only this type. Repeat it.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only what it has never been sent: from before it was added, or missed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    as_json: Json = False,
) -> None:
    """Send a destination its events again, under their ids, also those from before it was added."""
    unknown = [type_ for type_ in event or () if type_ not in EVENT_TYPES]
    if unknown:
        raise Problems([f"--event {type_}: there is no such type" for type_ in unknown])
    if missing and status:
        raise Problems(["--missing and --status: what was never sent has no status; give one of them"])
    chosen = Chosen(
        since=read_time("--since", since),
        until=read_time("--until", until),
        types=event or (),
        status=status.value if status else None,
        missing=missing,
    )
    async with desk() as d:
        row = await find_destination(d.db, _read_id(destination))
        if row is None:
            raise Problems([f"there is no destination {destination}"])
        number = await replay_events(d.db, row, Registry(), chosen, now=d.now(), actor=d.actor, dry_run=dry_run)
        value = {"destination": row.id, "events": number, "dry_run": dry_run}
        events = numbered(number, "event", "events")
        would = "would go" if dry_run else ("goes" if number == 1 else "go")
        say(value, as_json, f"{events} {would} out again.")


async def _find(db: Db, id_: str) -> DeliveryRow:
    row = await find_delivery(db, _read_id(id_))
    if row is None:
        raise Problems([f'there is no delivery {id_}; "undersigned delivery list LETTER" lists them'])
    return row


def _read_id(text: str) -> str:
    known = read_id(text)
    if known is None:
        raise Problems([f"{text} is no id"])
    return known


def _described(row: DeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "destination_id": row.destination_id,
        "status": row.status,
        "attempts": row.attempts,
        "next_attempt_at": _time(row.next_attempt_at),
        "last_error": row.last_error,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
