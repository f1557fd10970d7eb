"""The road of mails about trouble, to those whose destinations they are.

One thing must stay true: a mail is taken for sent only when the mail server has taken it; like every delivery it is
tried again on the schedule, and outlives a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from widget_server.contract import DeliveryError, Renderer, Response
from widget_server.domain.ids import new_id
from widget_server.domain.typography import typeset
from widget_server.flows.directory import Directory
from widget_server.flows.due_owner_mails import OwnerMail, take_due_owner_mails
from widget_server.mail.layout import Layout, Notice
from widget_server.outbox import schedule
from widget_server.outbox.ledger import Ledger
from widget_server.outbox.mailing import Mailing
from widget_server.outbox.reports import REFUSED
from widget_server.outbox.routes import OurFault, foreign_code
from widget_server.store.db import Db
from widget_server.store.deliveries import Settlement
from widget_server.store.owner_mails import KIND

LEASE_SECONDS = 28.0
AT_ONCE = 1
"""Claimed at a time: the next one's lease begins when it is its turn."""

log = structlog.get_logger(__name__)


class OwnerLane:
    """One for each process. `run` until nothing is due; `halt`: begin nothing further."""

    def __init__(
        self,
        mailing: Mailing,
        texts: Renderer,
        layout: Layout,
        *,
        db: Db,
        directory: Directory,
        ledger: Ledger,
        now: Callable[[], datetime],
        dice: schedule.Dice,
    ) -> None:
        self._mailing = mailing
        self._texts = texts
        self._layout = layout
        self._db = db
        self._directory = directory
        self._ledger = ledger
        self._now = now
        self._dice = dice
        self._halted = False
        self.sent = 0

    def halt(self) -> None:
        self._halted = True

    async def run(self) -> None:
        self.sent = 0
        try:
            while not self._halted:
                now = self._now()
                due = await take_due_owner_mails(
                    self._db,
                    self._directory,
                    limit=AT_ONCE,
                    lease=new_id(),
                    now=now,
                    until=now + timedelta(seconds=LEASE_SECONDS),
                )
                for mail in due.mails:
                    await self._deliver(mail)
                self.sent += len(due.mails) + due.cancelled
                await self._ledger.flush()
                if not due.mails and not due.cancelled:
                    return
        except REFUSED as error:
            log.warning("mail.stopped", error=type(error).__name__)

    async def _deliver(self, mail: OwnerMail) -> None:
        loop = asyncio.get_running_loop()
        started_at, began = self._now(), loop.time()
        work = mail.work
        try:
            with foreign_code(KIND):
                response = await self._send(mail)
        except OurFault as fault:
            verdict = schedule.bug(fault.code, work.attempts, work.throttled, self._now(), self._dice)
        except DeliveryError as error:
            verdict = schedule.failed(error, work.attempts, work.throttled, self._now(), self._dice)
        else:
            verdict = schedule.delivered(response, work.attempts)
        took = loop.time() - began
        self._ledger.put([Settlement(new_id(), work.id, None, mail.lease, started_at, took, verdict)])

    async def _send(self, mail: OwnerMail) -> Response:
        notice = self._written(mail)
        return await self._mailing.mailer(mail.letter, self._now)(
            to=mail.to,
            subject=notice.subject,
            text=self._layout.notice_text(notice),
            html=self._layout.notice_html(notice),
            locale=mail.locale,
            reference=mail.work.id,
        )

    def _written(self, mail: OwnerMail) -> Notice:
        def say(key: str, **values: Any) -> str:
            return self._texts(f"trouble.{key}", mail.locale, **values)

        settings, data, of = mail.letter.settings, mail.work.event.data, mail.trouble
        title = settings.title.get(mail.locale, settings.title[mail.letter.default_locale])
        title = typeset(title, mail.locale)
        if of == "abuse":
            subject = say("abuse_subject", title=title)
            origin = say(f"from_{data['of']}", named=data[data["of"]])
            paragraphs = [say("abuse", title=title, number=data["number"], minutes=data["minutes"], origin=origin)]
        else:
            subject = say(f"{of}.subject", title=title, kind=data["kind"])
            error = data["error"] or "—"
            paragraphs = [say(f"{of}.lead", title=title, kind=data["kind"], error=error)]
            paragraphs.append(say(f"{of}.goes_on", title=title))
            if mail.owner is None:
                paragraphs.append(say(f"{of}.to_do", destination=data["destination"], letter=mail.letter.slug))
            else:
                paragraphs.append(say(f"{of}.ask", email=settings.contact_email))
        small = [say("why", title=title), say("contact", email=settings.contact_email)]
        return Notice(mail.locale, subject, paragraphs, small)
