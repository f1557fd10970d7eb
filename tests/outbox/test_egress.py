"""Where the guarded client goes, and to whom it proves that it is there. No test here may dial another address than
loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.outbox.receiver import Receiver
from tests.outbox.way_out import (
    Names,
    code_of,
    dialled,
    egress,
    own_certificate,
    post,
    raw_server,
    read_request,
)
from widget_server.contract import Permanent, Temporary

__all__ = ["dialled"]


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


async def test_proxies_of_the_environment_are_ignored(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with egress() as out:
        assert (await post(out, receiver.url)).status_code == 200


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


async def test_passwords_of_the_users_files_are_ignored(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with egress() as out:
        await post(out, receiver.url)
    assert "Authorization" not in receiver.received[0].headers


async def test_a_certificate_for_another_name_and_an_old_tls_are_refused(tmp_path: Path) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    server = own_certificate(tmp_path)
    names = Names(a_example=[["127.0.0.1"]], b_example=[["127.0.0.1"]])
    async with raw_server(handler, ssl=server) as port, egress(names) as out:
        out._tls = ssl.create_default_context(cafile=tmp_path / "server.pem")  # an authority of our own
        assert (await post(out, f"https://a.example:{port}/")).status_code == 204
        assert await code_of(post(out, f"https://b.example:{port}/")) == "tls_error"
    async with egress() as out:
        out._open(only_inside=False)
        assert out._tls is not None
        assert out._tls.minimum_version == ssl.TLSVersion.TLSv1_2
        assert out._tls.verify_mode is ssl.CERT_REQUIRED
        assert out._tls.check_hostname
