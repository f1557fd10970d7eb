"""A dispatcher that is killed at a step: `python -m tests.faults.dies DATABASE_URL KEY NOW PUBLIC_URL STEP`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows import settle
from widget_server.flows.directory import Directory
from widget_server.i18n import Texts
from widget_server.outbox import convoys, egress, ledger, streams
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.registry import Registry
from widget_server.outbox.sending import Sender
from widget_server.store.db import Db

STEPS = ("fanned out", "claimed", "sending", "answered", "settling", "settled")


def dies(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(step: str) -> None:
    """Lets this process die when it comes to `step`."""
    match step:
        case "fanned out":
            streams.find_destination = convoys.find_destination = dies  # type: ignore[assignment]
        case "claimed":
            Sender.send = dies  # type: ignore[method-assign]
        case "sending":
            egress._exchange = _sent_and_dead  # type: ignore[assignment]
        case "answered":
            Sender.send = _answered_and_dead  # type: ignore[method-assign]
        case "settling":
            settle.write_settlements = dies  # type: ignore[assignment]
        case "settled":
            ledger.settle = _settled_and_dead  # type: ignore[assignment]


_send, _exchange, _settle = Sender.send, egress._exchange, settle.settle


async def _sent_and_dead(*args: Any, **options: Any) -> Any:
    await _exchange(*args, **options)
    dies()


async def _answered_and_dead(self: Sender, *args: Any) -> Any:
    await _send(self, *args)
    dies()


async def _settled_and_dead(writer: Any, *args: Any, **options: Any) -> int:
    """Dies once its transaction has been committed."""
    events = await _settle(writer, *args, **options)
    threading.Timer(0.5, dies).start()  # this may run in the database's own thread, where no loop is
    return events


async def main(database_url: str, key: str, now: str, public_url: str, step: str) -> None:
    prepare(step)
    db, seals = Db(database_url), Seals([key])
    await db.connect()
    dispatcher = Dispatcher(
        db=db,
        directory=Directory(db, seals),
        vault=Vault([key]),
        registry=Registry(),
        texts=Texts(),
        public_url=public_url,
        egress_allow=(ip_network("127.0.0.0/8"),),
        now=lambda: datetime.fromisoformat(now),
    )
    await dispatcher.drain()
    await asyncio.sleep(5)  # what is left to a task of its own dies now; who lives longer fails the test


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
