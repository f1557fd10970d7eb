"""Handing mails to an SMTP server (RFC 5321), over a few connections that are kept while there is work.

One thing must stay true: only what the server says about the receiver is held against the address. All else is trouble
of the server's or of ours, and the mail is tried again.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass

import certifi
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from widget_server.contract import DeliveryError, Permanent, Response, Temporary
from widget_server.mail.message import Message
from widget_server.mail.servers import MailServer
from widget_server.mail.trouble import NoWayOut, Phase, shown

DEADLINE_SECONDS = 25.0
IDLE_SECONDS = 10.0
_QUIT_SECONDS = 1.0

_ABOUT_RECEIVER = re.compile(r"5\.(?:1\.(?!7|8)\d+|2\.1)\b")
"""Enhanced status codes (RFC 3463) of an address that is not there; 5.1.7 and 5.1.8 mean the sender's."""
_ABOUT_US = re.compile(r"\b5\.(?:7\.\d+|5\.\d+|1\.[78])\b|\b(?:relay\w*|sender|helo)\b", re.IGNORECASE)
"""Policy, protocol, or where we send from. Many servers say only at RCPT what they have against us (Postfix's
`smtpd_delay_reject`), and that says nothing about the receiver."""
_LOG_IN_FIRST = (530, 535, 538)


@dataclass(slots=True, eq=False)
class _Line:
    """A connection, and how far the mail on it has come. `clear`: nothing on it is left half said."""

    smtp: SMTP
    used: bool = False
    clear: bool = False
    phase: Phase = "connect"
    idle_since: float = 0.0


class Smtp:
    """Made within a running loop, and closed there. `hello` is the name that we give ourselves; `tls` replaces the
    check of the server's certificate, for tests with an authority of their own."""

    def __init__(
        self,
        server: MailServer,
        *,
        hello: str,
        deadline_seconds: float = DEADLINE_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._hello = hello
        self._deadline_seconds = deadline_seconds
        self._tls = tls
        self._idle: list[_Line] = []
        self._leaving: set[asyncio.Task[None]] = set()

    async def send(self, mail: Message) -> Response:
        """What the server said when it took it. Raises `Permanent` where it refuses the receiver for good, `NoWayOut`
        where no mail can leave, else `Temporary`."""
        line = self._kept()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                try:
                    return await self._send(line, mail)
                except NoWayOut:
                    if not line.used or line.phase == "data":
                        raise
                # A kept connection that the server has ended meanwhile shows only when it is used.
                line.smtp.close()
                line = _Line(self._new())
                return await self._send(line, mail)
        except TimeoutError as error:
            raise NoWayOut("smtp_timeout", line.phase, f"for {self._deadline_seconds:g} s") from error
        finally:
            self._keep(line)

    def rest(self) -> None:
        """Closes what has not been used for a while, without waiting for it."""
        before = asyncio.get_running_loop().time() - IDLE_SECONDS
        for line in [line for line in self._idle if line.idle_since < before]:
            self._idle.remove(line)
            task = asyncio.create_task(_quit(line), name="smtp quit")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        lines, self._idle = self._idle, []
        await asyncio.gather(*(_quit(line) for line in lines), *self._leaving)

    def _kept(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.smtp.is_connected:
                return line
            line.smtp.close()
        return _Line(self._new())

    def _keep(self, line: _Line) -> None:
        if line.clear and line.smtp.is_connected:
            line.used = True
            line.idle_since = asyncio.get_running_loop().time()
            self._idle.append(line)
        else:
            line.smtp.close()

    def _new(self) -> SMTP:
        # The deadline is ours, for all of it together; each step's own would only come too late.
        return SMTP(
            hostname=self._server.host,
            port=self._server.port,
            local_hostname=self._hello,
            timeout=None,
            use_tls=self._server.tls == "tls",
            start_tls=False,
        )

    async def _send(self, line: _Line, mail: Message) -> Response:
        try:
            if not line.smtp.is_connected:
                await self._connect(line.smtp)
            line.phase, line.clear = "mail", True
            reply = await self._hand_over(line, mail)
        except SMTPRecipientRefused as error:
            raise await self._refused(line, mail, error, about_receiver=not _is_ours(error)) from error
        except SMTPResponseException as error:
            about_receiver = line.phase == "data" and _ABOUT_RECEIVER.search(error.message) is not None
            raise await self._refused(line, mail, error, about_receiver=about_receiver) from error
        except (SMTPServerDisconnected, OSError) as error:
            raise NoWayOut("smtp_no_reply", line.phase, type(error.__cause__ or error).__name__) from error
        line.clear = True
        return Response(250, {}, shown(reply, mail.recipient).encode())

    async def _connect(self, smtp: SMTP) -> None:
        """Raises `NoWayOut`."""
        server = self._server
        if server.tls != "none" and self._tls is None:
            self._tls = await asyncio.to_thread(_tls)
        smtp.tls_context = self._tls
        code = "smtp_unreachable"
        try:
            await smtp.connect()
            if server.tls == "starttls":
                code = "smtp_tls"
                await smtp.starttls()
                code = "smtp_unreachable"
            await _greet(smtp)
            if server.user is not None:
                code = "smtp_auth"
                await smtp.login(server.user, server.password or "")
        except SMTPResponseException as error:
            said = shown(error.message, server.user or "", server.password or "")
            code = _code(error) if code == "smtp_unreachable" else code
            raise NoWayOut(code, "connect", status_code=error.code, response=said) from error
        except (SMTPServerDisconnected, OSError) as error:
            cause = error.__cause__ or error
            if isinstance(cause, ssl.SSLError):
                why = getattr(cause, "verify_message", "") or cause.reason or ""
                raise NoWayOut("smtp_tls", "connect", why) from error
            raise NoWayOut("smtp_unreachable", "connect", type(cause).__name__) from error
        except SMTPException as error:
            raise NoWayOut(code, "connect", "what was asked for is not offered") from error

    async def _hand_over(self, line: _Line, mail: Message) -> str:
        smtp, encoding, options = line.smtp, "ascii", []
        if mail.utf8:
            if not smtp.supports_extension("smtputf8"):
                raise Permanent("smtp_utf8", "the mail server takes no address with such letters", item=True)
            encoding, options = "utf-8", ["SMTPUTF8", "BODY=8BITMIME"]
        if smtp.supports_extension("size"):
            options.append(f"SIZE={len(mail.content)}")
        line.clear = False
        await smtp.mail(mail.sender, options=options, encoding=encoding)
        line.phase = "rcpt"
        await smtp.rcpt(mail.recipient, encoding=encoding)
        line.phase = "data"
        return (await smtp.data(mail.content)).message

    async def _refused(
        self, line: _Line, mail: Message, error: SMTPResponseException, *, about_receiver: bool
    ) -> DeliveryError:
        """What a "no" of the server means, and the connection made ready for the next mail."""
        said = shown(error.message, mail.recipient)
        if error.code == 421:  # RFC 5321, 3.8: it closes the connection, whatever was asked
            line.smtp.close()
            return NoWayOut("smtp_421", line.phase, status_code=421, response=said)
        if not 400 <= error.code < 600:
            line.smtp.close()
            return NoWayOut("smtp_protocol", line.phase, response=said)
        try:
            await line.smtp.rset()
            line.clear = True
        except (SMTPException, OSError):
            pass  # it is closed, then
        if about_receiver and error.code >= 500:
            return Permanent(_code(error), "the address was refused", status_code=error.code, response=said, item=True)
        return Temporary(_code(error), status_code=error.code, response=said)


async def _greet(smtp: SMTP) -> None:
    if smtp.is_ehlo_or_helo_needed:
        try:
            await smtp.ehlo()
        except SMTPHeloError:
            await smtp.helo()


def _is_ours(error: SMTPRecipientRefused) -> bool:
    return error.code in _LOG_IN_FIRST or _ABOUT_US.search(error.message) is not None


def _code(error: SMTPResponseException) -> str:
    return f"smtp_{error.code}" if 200 <= error.code < 600 else "smtp_protocol"


def _tls() -> ssl.SSLContext:
    """The system's authorities, which an organization's own may be among, and the well-known ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _quit(line: _Line) -> None:
    try:
        async with asyncio.timeout(_QUIT_SECONDS):
            await line.smtp.quit()
    except (SMTPException, OSError, TimeoutError):
        pass  # it was asked politely
    finally:
        line.smtp.close()
