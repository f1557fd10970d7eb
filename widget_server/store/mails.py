"""Mails to signers: each a delivery without a destination, of an event of its own (`signer.mail`).

One thing must stay true: the mail is promised in the transaction that makes it due, and neither the event nor the
delivery holds an address or a link: both are put together when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from widget_server.domain.events import SIGNER_MAIL
from widget_server.domain.ids import new_id
from widget_server.store.db import Writer
from widget_server.store.plans import Do, Engine, instant
from widget_server.store.tables import json_text

KIND = "signer-mail"

Mail = Literal["confirm", "reminder", "signer"]
"""What it is for: confirm the address (or hear that one has signed already), once more after two days, or reach the
signer's own page."""


@dataclass(frozen=True, slots=True)
class NewMail:
    """`signature_id` None: whichever this mailbox has, found when it is sent by `address_hash`."""

    mail: Mail
    letter_id: int
    partner_id: int | None
    signature_id: str | None
    at: datetime
    due_at: datetime
    address_hash: str | None = None


def mail_to(signature_id: str, letter_id: int, partner_id: int, at: datetime) -> NewMail:
    """The mail that asks to confirm, due at once."""
    return NewMail("confirm", letter_id, partner_id, signature_id, at, at)


_EVENT = ("id", "type", "letter_id", "partner_id", "signature_id", "data", "occurred_at", "fanned_out_at")
_DELIVERY = ("id", "event_id", "kind", "status", "attempts", "throttled", "next_attempt_at", "created_at")


def mail_steps(engine: Engine, mails: Sequence[NewMail]) -> Iterator[Do]:
    """Promises them, as steps of a plan. Fan-out has nothing to do: the only receiver is known."""
    if not mails:
        return
    events: list[object] = []
    deliveries: list[object] = []
    for one in mails:
        id_, at = new_id(), instant(engine, one.at)
        data = json_text({"mail": one.mail} | ({"to": one.address_hash} if one.address_hash else {}))
        events += (id_, SIGNER_MAIL, one.letter_id, one.partner_id, one.signature_id, data, at, at)
        deliveries += (new_id(), id_, KIND, "pending", 0, 0, instant(engine, one.due_at), at)
    yield Do(_insert("events", _EVENT, len(mails)), events)
    yield Do(_insert("deliveries", _DELIVERY, len(mails)), deliveries)


def _insert(table: str, columns: Sequence[str], number: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * number)}"  # noqa: S608


async def promise_mails(writer: Writer, mails: Sequence[NewMail]) -> None:
    for step in mail_steps(writer.engine, mails):
        await writer.raw(step.sql, step.values)
