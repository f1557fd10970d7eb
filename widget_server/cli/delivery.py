"""`undersigned delivery`: what was sent, what was not, and sending it again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from widget_server.cli.desk import Json, command, desk, say
from widget_server.cli.given import read_time
from widget_server.domain.ids import read_id
from widget_server.domain.refusals import Problems
from widget_server.flows.deliveries import replay as replay_events
from widget_server.flows.deliveries import retry as retry_delivery
from widget_server.flows.named import letter_named
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db
from widget_server.store.delivery_log import DeliveryRow, attempts_at, deliveries_of, find_delivery
from widget_server.store.destinations import find_destination

app = typer.Typer(help="What was sent to destinations, and sending it again.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The delivery's id, as `delivery list` shows it.")]


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
    """List deliveries in the order in which their events happened."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        rows = await deliveries_of(
            d.db,
            its_letter.id,
            status=status.value if status else None,
            destination_id=_read_id(destination) if destination else None,
            limit=limit,
        )
        lines = [
            f"{row.id}  {row.event_type}  {row.status}  {row.attempts}  {row.last_error or ''}".rstrip() for row in rows
        ]
        say([_described(row) for row in rows], as_json, lines)


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
        lines = [f"  {key:<16}{v}" for key, v in value.items() if key != "log" and v is not None]
        for one in tries:
            said = " ".join(str(part) for part in (one.status_code, one.error) if part is not None)
            lines.append(f"  {_time(one.started_at)}  {one.duration_seconds:.2f} s  {one.outcome}  {said}".rstrip())
        say(value, as_json, lines)


@app.command()
@command
async def retry(id_: Id, as_json: Json = False) -> None:
    """Send it again now, with all its attempts before it."""
    async with desk() as d:
        row = await _find(d.db, id_)
        await retry_delivery(d.db, row, now=d.now(), actor=d.actor)
        say({"id": row.id, "status": "pending"}, as_json, "It goes out again.")


@app.command()
@command
async def replay(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="The destination's id.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From when on, such as 2026-06-20 or 2026-06-20T12:00:00Z; else all."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a destination its events again, under their ids, also those from before it was added."""
    async with desk() as d:
        row = await find_destination(d.db, _read_id(destination))
        if row is None:
            raise Problems([f"there is no destination {destination}"])
        number = await replay_events(
            d.db, row, Registry(), since=read_time("--since", since), now=d.now(), actor=d.actor
        )
        say({"destination": row.id, "events": number}, as_json, f"{number} events go out again.")


async def _find(db: Db, id_: str) -> DeliveryRow:
    row = await find_delivery(db, _read_id(id_))
    if row is None:
        raise Problems([f"there is no delivery {id_}; `undersigned delivery list LETTER` lists them"])
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
