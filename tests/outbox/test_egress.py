"""The guarded client, against our own resolver and servers on loopback. No test here may dial another
address."""

from __future__ import annotations

import asyncio
import gzip
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

from tests.outbox.receiver import Answer, Receiver
from widget_server.contract import DeliveryError, Permanent, Temporary
from widget_server.outbox.egress import BODY_LIMIT, Egress

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
    return head + await reader.readexactly(int(lengths[0].split(b":")[1]))


async def test_a_name_is_resolved_judged_and_dialled_with_its_own_host_header(receiver: Receiver) -> None:
    names = Names(hooks_example_org=[["127.0.0.1"]])
    async with egress(names) as out:
        answer = await post(out, f"http://hooks.example.org:{receiver.port}/a?b=c", authorization="x")
    (one,) = receiver.received
    assert (answer.status_code, answer.text) == (200, "ok")
    assert (one.path, one.headers["Host"]) == ("/a?b=c", f"hooks.example.org:{receiver.port}")
    assert one.headers["User-Agent"] == "Undersigned/0 (+https://letters.example.org)"
    assert {name.lower() for name in one.headers} == {
        "host", "user-agent", "accept-encoding", "authorization", "content-length", "content-type",
    }  # fmt: skip


async def test_rebinding_is_refused_at_the_second_look(receiver: Receiver, dialled: list[str]) -> None:
    names = Names(rebind_example_org=[["127.0.0.1"], ["10.0.0.5"]])
    async with egress(names) as out:
        url = f"http://rebind.example.org:{receiver.port}/"
        assert await out.problems(url) == []
        assert await code_of(post(out, url)) == "blocked_address"
    assert receiver.received == []
    assert dialled == []


async def test_an_answer_that_mixes_good_and_bad_is_refused_whole(dialled: list[str]) -> None:
    names = Names(mixed_example_org=[["127.0.0.1", "169.254.169.254"]])
    async with egress(names) as out:
        assert await code_of(post(out, "https://mixed.example.org/")) == "blocked_address"
        assert await out.problems("https://mixed.example.org/") != []
    assert dialled == []


async def test_without_an_allow_list_loopback_is_refused_by_name_and_by_number(
    receiver: Receiver, dialled: list[str]
) -> None:
    names = Names(local_example_org=[["127.0.0.1"]], six_example_org=[["::1"]], v4_example_org=[["::ffff:127.0.0.1"]])
    async with egress(names, allowed=()) as out:
        for url in (
            f"http://127.0.0.1:{receiver.port}/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://local.example.org/",
            "https://six.example.org/",
            "https://v4.example.org/",
            "http://hooks.example.org/",
        ):
            assert await code_of(post(out, url)) == "blocked_address", url
            assert await out.problems(url) or "hooks" in url, url
    assert dialled == []


async def test_plain_http_and_odd_ports_lead_only_into_allowed_networks(dialled: list[str]) -> None:
    names = Names(public_example_org=[["8.8.8.8"]])
    async with egress(names) as out:
        for url in ("http://public.example.org/", "https://public.example.org:8443/"):
            assert await code_of(post(out, url)) == "blocked_address"
            assert await out.problems(url)
    assert dialled == []


async def test_the_socket_itself_is_judged_whatever_the_resolver_said(dialled: list[str]) -> None:
    """The second lock: should an address ever come to the connector unjudged, no socket is made for it."""
    async with egress() as out:
        transport = out._open(only_inside=False)
        connector = transport.get_client().connector
        assert connector is not None
        with pytest.raises(OSError, match="public"):
            connector._socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443)))  # type: ignore[attr-defined]
        await transport.aclose()
    assert dialled == []


async def test_a_redirect_is_not_followed_and_cookies_are_not_kept(receiver: Receiver) -> None:
    receiver.answers = [
        Answer(302, {"Location": "http://127.0.0.1:1/", "Set-Cookie": "a=b; Path=/"}),
        Answer(),
    ]
    async with egress() as out:
        assert (await post(out, receiver.url)).status_code == 302
        await post(out, receiver.url)
    assert len(receiver.received) == 2
    assert "Cookie" not in receiver.received[1].headers


async def test_proxies_of_the_environment_are_ignored(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with egress() as out:
        assert (await post(out, receiver.url)).status_code == 200


async def test_the_body_is_cut_and_not_unpacked(receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    receiver.answers = [
        Answer(200, {"Content-Encoding": "gzip"}, bomb),
        Answer(200, {}, b"y" * (BODY_LIMIT * 20)),
        Answer(200),
    ]
    async with egress() as out:
        packed = await post(out, receiver.url)
        long = await post(out, receiver.url)
        assert (await post(out, receiver.url)).text == "ok"
    assert packed.content == bomb[:BODY_LIMIT]
    assert long.content == b"y" * BODY_LIMIT


async def test_the_deadline_holds_for_headers_and_for_a_body_that_drips() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        while not gone.done():
            writer.write(b".")
            await writer.drain()
            await asyncio.wait([gone], timeout=0.05)

    for handler in (silent, drips):
        async with raw_server(handler) as port, egress(seconds=0.5) as out:
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert await code_of(post(out, f"http://127.0.0.1:{port}/")) == "timeout"
            assert loop.time() - began < 1.5


async def test_each_network_error_has_its_name() -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.transport.abort()

    async def mumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"mumble\r\n\r\n")

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with egress() as out:
            assert await code_of(post(out, f"http://127.0.0.1:{closed.getsockname()[1]}/")) == "connection_refused"
            assert await code_of(post(out, "https://nowhere.example.org/")) == "dns_error"
            async with raw_server(resets) as port:
                assert await code_of(post(out, f"http://127.0.0.1:{port}/")) == "connection_reset"
            async with raw_server(mumbles) as port:
                assert await code_of(post(out, f"http://127.0.0.1:{port}/")) == "network_error"


async def test_a_certificate_that_nobody_vouches_for_is_a_tls_error(tmp_path: Path) -> None:
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.read(10))

    async with (
        raw_server(handler, ssl=own_certificate(tmp_path)) as port,
        egress(Names(a_example=[["127.0.0.1"]])) as out,
    ):
        assert await code_of(post(out, f"https://a.example:{port}/")) == "tls_error"
    assert requests in ([], [b""]), "something was sent to a server that proved nothing"


async def test_a_dead_resolver_is_a_dns_error_and_blocks_no_other_name(receiver: Receiver) -> None:
    import threading

    release = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        if host == "stuck.example.org":
            release.wait(10)
        return ["127.0.0.1"]

    async with egress(lookup, seconds=1) as out:
        stuck = asyncio.create_task(code_of(post(out, "https://stuck.example.org/")))
        assert (await post(out, f"http://well.example.org:{receiver.port}/")).status_code == 200
        assert not stuck.done()
        assert await stuck == "timeout"
        release.set()


async def test_the_hosts_of_a_kind_bind_outside_allowed_networks_only(receiver: Receiver) -> None:
    hosts = frozenset({"hooks.slack.com"})
    names = Names(elsewhere_example_org=[["8.8.8.8"]])
    async with egress(names) as out:
        assert (await out.client(hosts).post(receiver.url, content=b"", headers={})).status_code == 200
        assert await out.problems(receiver.url, hosts) == []
        (problem,) = await out.problems("https://elsewhere.example.org/", hosts)
        assert "hooks.slack.com" in problem.message
        sending = out.client(hosts).post("https://elsewhere.example.org/", content=b"", headers={})
        assert await code_of(sending) == "blocked_address"


async def test_what_is_blocked_is_permanent_and_what_is_down_is_not() -> None:
    async with egress(allowed=()) as out:
        with pytest.raises(Permanent):
            await post(out, "https://127.0.0.1/")
        with pytest.raises(Temporary):
            await post(out, "https://nowhere.example.org/")


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
