"""Deliveries as the commands show them to a person.

One thing must stay true: the code of an error stands before what it means, as the documentation and `--json` have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from widget_server.cli.table import short_time, table
from widget_server.domain.deliveries import DestinationStatus
from widget_server.store.delivery_log import DeliveryRow

_HEADING = (
    "delivery", "happened", "event", "to", "destination", "status", "attempts", "next attempt", "last error",
)  # fmt: skip

_MEANT = {
    "connection_refused": "nothing listens there",
    "connection_reset": "the connection broke",
    "dns_error": "its name leads to no address",
    "invalid_url": "its address cannot be read",
    "letter_unknown": "its letter is no more",
    "network_error": "the network failed on the way",
    "queue_full": "its queue is full",
    "tls_error": "its certificate or encryption cannot be trusted",
    "unreadable_answer": "its answer cannot be read",
}
_ANSWERED = {
    401: "it does not let us in",
    403: "it does not let us in",
    404: "nothing is there",
    407: "it does not let us in",
    408: "it waited too long for us",
    429: "it wants us to slow down",
}


def delivery_lines(rows: Sequence[DeliveryRow], now: datetime, states: Mapping[str, DestinationStatus]) -> list[str]:
    """A heading and a line for each. `states`: the letter's destinations by id."""
    cells = [
        (
            row.id,
            short_time(row.occurred_at),
            row.event_type,
            row.kind,
            row.destination_id or "",
            row.status,
            str(row.attempts),
            _next_attempt(row, now, states),
            in_words(row.last_error),
        )
        for row in rows
    ]
    return table(_HEADING, cells)


def _next_attempt(row: DeliveryRow, now: datetime, states: Mapping[str, DestinationStatus]) -> str:
    if row.status != "pending" or row.next_attempt_at is None:
        return ""
    state = states.get(row.destination_id or "", "active")
    if state != "active":
        return f"waits: {state}"
    return "now" if row.next_attempt_at <= now else short_time(row.next_attempt_at)


def in_words(error: str | None) -> str:
    """An error's code and what it means; one that says more by itself stays as it is."""
    if error is None or ":" in error:
        return on_one_line(error or "")
    meaning = _MEANT.get(error) or _answer(error)
    return f"{error}: {meaning}" if meaning else error


def _answer(code: str) -> str | None:
    wire, _, number = code.partition("_")
    if not number.isdigit():
        return None
    status = int(number)
    if wire == "smtp":
        return "the mail server cannot take it now" if status < 500 else "the mail server refuses it"
    if wire != "http":
        return None
    return _ANSWERED.get(status) or ("something is wrong on its side" if status >= 500 else "it refuses what was sent")


def on_one_line(text: str) -> str:
    """What a target said, without line breaks and whatever else a terminal would act on."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
