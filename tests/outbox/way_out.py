"""The guarded client with our own resolver, raw servers on loopback, and a watch on what is dialled."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from widget_server.contract import DeliveryError
from widget_server.outbox.egress import Egress

LOOPBACK = (ip_network("127.0.0.0/8"),)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that is dialled; one that is not loopback ends the test."""
    seen: list[str] = []
    connect = asyncio.selector_events.BaseSelectorEventLoop.sock_connect

    async def watched(loop: Any, sock: socket.socket, address: Any) -> None:
        assert str(address[0]).startswith("127."), f"{address} was dialled"
        seen.append(address[0])
        await connect(loop, sock, address)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", watched)
    return seen


class Names:
    """A resolver of our own: the answers for a name, one look-up after another, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        each = self.answers.get(host)
        if each is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return each.pop(0) if len(each) > 1 else each[0]


@asynccontextmanager
async def egress(
    names: Callable[[str, int], Sequence[str]] | None = None, allowed: Any = LOOPBACK, seconds: float = 3
) -> AsyncIterator[Egress]:
    made = Egress(
        allowed=allowed,
        public_url="https://letters.example.org",
        user_agent="Undersigned/0 (+https://letters.example.org)",
        deadline_seconds=seconds,
        lookup=names or Names(),
    )
    try:
        yield made
    finally:
        await made.aclose()


async def post(out: Egress, url: str, **headers: str) -> Any:
    return await out.client().post(url, content=b"{}", headers=headers)


async def code_of(sending: Awaitable[Any]) -> str:
    with pytest.raises(DeliveryError) as caught:
        await sending
    return caught.value.code


@asynccontextmanager
async def raw_server(handler: Handler, **options: Any) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)


def own_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
