"""The road of mails to signers: claimed, put together, handed to the mail server and settled here.

One thing must stay true: trouble with one address never holds up another, and trouble with the mail server spends the
attempts of the mails that met it, not of all that wait. While no mail can leave, this lane rests, for longer each time;
once one has left, whatever waited for that is due.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from widget_server.contract import DeliveryError, Permanent
from widget_server.domain.deliveries import Verdict
from widget_server.domain.ids import new_id
from widget_server.flows.directory import Directory
from widget_server.flows.due_mails import DueMail, take_due_mails
from widget_server.mail.trouble import NO_WAY, NoWayOut
from widget_server.outbox import schedule
from widget_server.outbox.ledger import Ledger
from widget_server.outbox.mail_writing import MailWriter
from widget_server.outbox.mailing import Mailing, Transport, may_have_arrived
from widget_server.outbox.reports import REFUSED
from widget_server.outbox.routes import OurFault, foreign_code
from widget_server.store.db import Db
from widget_server.store.deliveries import Settlement, let_go
from widget_server.store.mails import KIND, MailEnd, make_due

CONNECTIONS = 3
LEASE_SECONDS = 28.0
"""The transport's deadline and a margin: after a crash, a mail is taken up again within 30 s."""
FRESH_SECONDS = 2.0
"""How long after it was claimed a mail may still be begun: its lease must outlast the attempt."""
HOLD_SECONDS = (5.0, 60.0)
"""How long to rest where no mail can leave: twice as long each time."""
PULLED_FORWARD = 3
"""A mail that broke off half-way may be what breaks the server: so often it is tried sooner than it was planned."""
_MOST_CLAIMED = 16

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MailOut:
    """What a dispatcher needs to send mails: who writes them, and how they leave."""

    writer: MailWriter
    transport: Transport

    @property
    def mailing(self) -> Mailing:
        """The same way out, for integrations."""
        return Mailing(lambda: self.transport, self.writer.sender, self.writer.public_url)


class MailLane:
    """One for each process. `run` until nothing is due; `nudge`: there may be more; `halt`: begin nothing further."""

    def __init__(
        self,
        out: MailOut,
        *,
        db: Db,
        directory: Directory,
        ledger: Ledger,
        now: Callable[[], datetime],
        dice: schedule.Dice,
    ) -> None:
        self._out = out
        self._db = db
        self._directory = directory
        self._ledger = ledger
        self._now = now
        self._dice = dice
        self._workers: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._ready: deque[tuple[DueMail, float]] = deque()
        self._dry = False
        self._halted = False
        self._claim_size = CONNECTIONS
        self._claimed_at = float("-inf")
        self._held_until: datetime | None = None
        self._troubles = 0
        self._proven = False
        self._left_at = float("-inf")
        self.sent = 0

    def nudge(self) -> None:
        self._dry = False
        if self._workers:
            self._widen()

    def halt(self) -> None:
        self._halted = True

    async def run(self) -> None:
        self.sent = 0
        self._dry = False
        self._widen()
        try:
            while self._workers:
                done, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                self._workers -= done
                for worker in done:
                    worker.result()
            await self._ledger.flush()
        except REFUSED as error:
            log.warning("mail.stopped", error=type(error).__name__)
        finally:
            for worker in self._workers:
                worker.cancel()
            self._workers.clear()
            await self._let_go()

    @property
    def _held(self) -> bool:
        return self._held_until is not None and self._now() < self._held_until

    def _widen(self) -> None:
        """One at a time until a mail has left; then a few."""
        if len(self._workers) < (CONNECTIONS if self._proven else 1) and not self._halted and not self._held:
            self._workers.add(asyncio.create_task(self._work(), name="mail"))

    async def _work(self) -> None:
        while (found := await self._next()) is not None:
            due, claimed_at = found
            if asyncio.get_running_loop().time() - claimed_at > FRESH_SECONDS:
                await self._let_go(due)
            else:
                await self._deliver(due)

    async def _next(self) -> tuple[DueMail, float] | None:
        async with self._claiming:
            while not self._ready and not self._dry and not self._halted and not self._held:
                self._dry = True  # before asking: a nudge meanwhile makes us ask again
                await self._claim()
        if self._halted or self._held or not self._ready:
            return None
        found = self._ready.popleft()
        if self._ready:
            self._widen()
        return found

    async def _claim(self) -> None:
        now = self._now()
        until = now + timedelta(seconds=LEASE_SECONDS)
        due = await take_due_mails(self._db, self._directory, limit=self._size(), lease=new_id(), now=now, until=until)
        self._dry = not due.mails and not due.cancelled
        self.sent += due.cancelled
        claimed_at = asyncio.get_running_loop().time()
        self._ready.extend((mail, claimed_at) for mail in due.mails)

    def _size(self) -> int:
        """How many to claim: what can be begun before their leases are too old."""
        at = asyncio.get_running_loop().time()
        took, self._claimed_at = at - self._claimed_at, at
        if took < FRESH_SECONDS / 4:
            self._claim_size = min(self._claim_size * 2, _MOST_CLAIMED)
        elif took > FRESH_SECONDS / 2:
            self._claim_size = CONNECTIONS
        return self._claim_size

    async def _deliver(self, due: DueMail) -> None:
        loop = asyncio.get_running_loop()
        partner = None if due.partner_id is None else await self._directory.partner_by_id(due.partner_id)
        started_at, began = self._now(), loop.time()
        trouble: DeliveryError | None = None
        try:
            with foreign_code(KIND):
                response = await self._out.transport.send(self._out.writer.write(due, partner, started_at))
        except OurFault as fault:
            verdict = schedule.bug(fault.code, due.work.attempts, due.work.throttled, self._now(), self._dice)
        except DeliveryError as error:
            trouble = error
            said = may_have_arrived(error)
            verdict = schedule.failed(said, due.work.attempts, due.work.throttled, self._now(), self._dice)
        else:
            verdict = schedule.delivered(response, due.work.attempts)
        self.sent += 1
        self._ledger.put([_settlement(due, verdict, trouble, started_at, loop.time() - began)])
        if isinstance(trouble, NoWayOut):
            self._rest(trouble.code, began)
        elif verdict.status == "delivered":
            await self._mail_left()

    def _rest(self, code: str, began: float) -> None:
        """Nothing is begun for a moment, unless another mail has left since this one was begun."""
        if self._left_at > began or self._held:
            return
        least, most = HOLD_SECONDS
        seconds = min(least * 2**self._troubles, most)
        self._troubles += 1
        self._proven = False
        self._held_until = self._now() + timedelta(seconds=seconds)
        log.warning("mail.no_way_out", error=code, rests_seconds=seconds)

    async def _mail_left(self) -> None:
        self._left_at = asyncio.get_running_loop().time()
        self._held_until = None
        self._troubles = 0
        if self._proven:
            return
        await self._ledger.flush()  # what is to be pulled forward may still be on its way into the database
        async with self._db.write() as writer:
            number = await make_due(
                writer,
                self._now(),
                always=f"%: {NO_WAY} (connect)%",
                few=f"%: {NO_WAY} (%",
                few_attempts=PULLED_FORWARD,
            )
        if number:
            log.warning("mail.leaves_again", waiting=number)
        self._proven = True
        self._dry = False

    async def _let_go(self, *mails: DueMail) -> None:
        """Gives up what was claimed and not begun: `mails`, or whatever is still held."""
        held: Sequence[DueMail] = mails or [mail for mail, _ in self._ready]
        if not mails:
            self._ready.clear()
        if held:
            async with self._db.write() as writer:
                for mail in held:
                    await let_go(writer, [mail.work.id], mail.lease)


def _settlement(
    due: DueMail, verdict: Verdict, trouble: DeliveryError | None, started_at: datetime, took: float
) -> Settlement:
    end = MailEnd(
        letter_id=due.letter.id,
        partner_id=due.about.partner_id,
        signature_id=due.about.id,
        address_hash=due.about.address_hash,
        remind=due.remind,
        refused=isinstance(trouble, Permanent),
    )
    return Settlement(new_id(), due.work.id, None, due.lease, started_at, took, verdict, mail=end)
