"""What the guarded client sends, and what it makes of answers that drip, break, never end or never come."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from tests.outbox.receiver import Answer, Receiver
from tests.outbox.way_out import (
    Names,
    code_of,
    dialled,
    egress,
    post,
    raw_server,
    read_request,
)
from widget_server.contract import Temporary, Unknown
from widget_server.outbox.egress import BODY_LIMIT, METHODS, MOST_READ

__all__ = ["dialled"]


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
            assert await code_of(post(out, f"http://127.0.0.1:{port}/")) == "timeout"


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


async def test_what_was_sent_and_never_answered_is_unknown_and_what_never_left_is_not() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # it takes the connection, and never says hello: no TLS

    async with raw_server(silent) as port, egress(seconds=0.5) as out:
        with pytest.raises(Unknown):
            await post(out, f"http://127.0.0.1:{port}/")
    async with raw_server(half) as port, egress() as out:
        with pytest.raises(Unknown):
            await post(out, f"http://127.0.0.1:{port}/")
    async with raw_server(deaf) as port, egress(Names(a_example=[["127.0.0.1"]]), seconds=0.5) as out:
        with pytest.raises(Temporary) as caught:
            await post(out, f"https://a.example:{port}/")
        assert not isinstance(caught.value, Unknown)


async def test_what_may_not_be_done_twice_is_not_sent_again_on_another_connection() -> None:
    taken = 0

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await read_request(reader)
        taken += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await read_request(reader)
        taken += 1
        writer.transport.abort()  # it has read the second on the kept connection, and says nothing

    async with raw_server(once_each) as port, egress() as out:
        url = f"http://127.0.0.1:{port}/"
        await post(out, url)
        with pytest.raises(Unknown):
            await out.client().request("POST", url, content=b"{}", once=True)
        assert taken == 2
        await post(out, url)
        await post(out, url)  # what may be repeated is, at once, on a connection of its own
        assert taken == 5


async def test_headers_that_drip_and_a_body_without_end_are_cut_by_the_deadline() -> None:
    async def head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        gone, number = asyncio.create_task(reader.read()), 0
        while not gone.done():
            number += 1
            writer.write(b"x-%d: y\r\n" % number)
            await writer.drain()
            await asyncio.wait([gone], timeout=0.05)

    async with raw_server(head) as port, egress(seconds=0.5) as out:
        assert await code_of(post(out, f"http://127.0.0.1:{port}/")) == "timeout"


async def test_an_endless_body_is_read_to_the_limit_only() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        while not gone.done():
            writer.write(b"1000\r\n" + b"z" * 4096 + b"\r\n")
            await writer.drain()

    async with raw_server(endless) as port, egress() as out:
        answer = await post(out, f"http://127.0.0.1:{port}/")
        assert answer.content == b"z" * BODY_LIMIT
        more = await out.client().request("GET", f"http://127.0.0.1:{port}/", read_bytes=10**9)
        assert len(more.content) == MOST_READ


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_goes_out_with_its_body(receiver: Receiver, method: str) -> None:
    async with egress() as out:
        answer = await out.client().request(method, receiver.url, content=b"body", headers={"x-a": "b"})
    assert answer.status_code == 200
    assert (receiver.received[0].body, receiver.received[0].headers["x-a"]) == (b"body", "b")


async def test_another_method_is_a_mistake_of_the_integrations() -> None:
    async with egress() as out:
        with pytest.raises(ValueError, match="CONNECT"):
            await out.client().request("CONNECT", "https://a.example/")


async def test_a_path_goes_out_as_it_was_typed(receiver: Receiver) -> None:
    async with egress() as out:
        await post(out, f"http://127.0.0.1:{receiver.port}/a%2Fb/%C3%A9?x=%2B&y=a+b")
    assert receiver.received[0].path == "/a%2Fb/%C3%A9?x=%2B&y=a+b"
