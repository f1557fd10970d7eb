"""A real SMTP server on loopback that answers as it is told, and keeps what it was handed.

It goes away and comes back on the same port. TLS is real too, with an authority of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Answer = str | None
Rule = Callable[[str], Answer | Awaitable[Answer]]
"""From an address (or, for DATA, the receiver's) to an answer; None is the ordinary one."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A mail as it came over the wire. `peer` tells connections apart."""

    peer: Any
    sender: str
    recipient: str
    content: bytes
    options: tuple[str, ...]
    secure: bool

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.content, EmailMessage, policy=default)

    def part(self, kind: str) -> str:
        part = self.mail.get_body((kind,))
        assert part is not None
        return str(part.get_content())


async def takes_all(_: str) -> Answer:
    return None


class Postbox:
    """`on_mail`, `on_rcpt`, `on_data` decide; `mails` are those that were accepted, `tried` the receivers named."""

    def __init__(self, **options: Any) -> None:
        self.mails: list[Handed] = []
        self.tried: list[str] = []
        self.connections = 0
        self.quits = 0
        self.port = 0
        self.on_mail: Rule = takes_all
        self.on_rcpt: Rule = takes_all
        self.on_data: Rule = takes_all
        self._tls: ssl.SSLContext | None = options.pop("implicit_tls", None)
        self._options = options
        self._server: asyncio.Server | None = None
        self._sessions: set[SMTP] = set()
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def open(self) -> None:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            self.connections += 1
            one = SMTP(self, hostname="postbox.test", loop=loop, **self._options)
            self._sessions.add(one)
            return one

        self._server = await loop.create_server(session, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Away: nobody listens, and every connection is cut."""
        if self._server is not None:
            self._server.close()
            self.cut()
            self._sessions.clear()
            await self._server.wait_closed()
            self._server = None

    def cut(self) -> None:
        """Drops every connection, and goes on listening."""
        for session in self._sessions:
            if session.transport is not None:
                session.transport.abort()  # type: ignore[attr-defined]

    async def wait_for(self, number: int, seconds: float = 20) -> list[Handed]:
        """Until so many mails have been accepted."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= number)
        return self.mails

    async def handle_QUIT(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.quits += 1
        return "221 2.0.0 Bye"

    async def handle_MAIL(self, _: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        answer = await _asked(self.on_mail, address)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, _: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        self.tried.append(address)
        answer = await _asked(self.on_rcpt, address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 OK"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = await _asked(self.on_data, recipient)
        if answer is None:
            assert isinstance(envelope.content, bytes)
            handed = Handed(
                session.peer, envelope.mail_from or "", recipient, envelope.content,
                tuple(envelope.mail_options), session.ssl is not None,
            )  # fmt: skip
            async with self._arrived:
                self.mails.append(handed)
                self._arrived.notify_all()
        return answer or f"250 2.0.0 queued for {recipient}"


async def _asked(rule: Rule, address: str) -> Answer:
    answer = rule(address)
    return answer if answer is None or isinstance(answer, str) else await answer


@asynccontextmanager
async def postbox(**options: Any) -> AsyncIterator[Postbox]:
    one = Postbox(**options)
    await one.open()
    try:
        yield one
    finally:
        await one.close()


def only(user: str, password: str) -> Callable[..., AuthResult]:
    """A login that lets in one user."""

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = (data.login.decode(), data.password.decode()) == (user, password)
        return AuthResult(success=good, handled=False)

    return authenticate


@asynccontextmanager
async def silent(greeting: bytes = b"") -> AsyncIterator[int]:
    """A port where somebody answers the telephone, says no more than `greeting`, and hangs on."""
    ending = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await ending.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ending.set()
        server.close()
        await server.wait_closed()


def authority(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for 127.0.0.1 by an authority of our own, and a client's context that trusts it."""
    ca_key, ca = _certificate("An authority of our own", None, None)
    key, certificate = _certificate("postbox.test", ca, ca_key)
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cadata=ca.public_bytes(Encoding.PEM).decode())
    return server, client


def _certificate(
    name: str, issuer: x509.Certificate | None, issuer_key: ec.EllipticCurvePrivateKey | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return key, builder.sign(issuer_key or key, hashes.SHA256())
