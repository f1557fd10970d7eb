"""The guarded HTTP client: the only way out of this server to an address that somebody typed.

One thing must stay true: the address that is dialled is the address that was judged. A name is resolved
here, every answer is judged, and each address is judged again when its socket is made; a URL is judged
before either, since the connector never asks its resolver about a literal address.

There are two ways out: one to public addresses and the networks that the operator allows, and one to the
latter only, for URLs that are acceptable nowhere else (plain http, other ports, local names). A kept
connection belongs to one way.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import aiohttp
import certifi
import httpx
from httpx_aiohttp import AiohttpTransport

from widget_server.contract import Permanent, Problem, Response, Temporary, Unknown
from widget_server.domain.addresses import BadTarget, Network, Target, is_inside, may_dial, read_target
from widget_server.outbox.addresses import BlockedAddress, JudgingResolver, Lookup, Names, system_lookup

DEADLINE_SECONDS = 15.0
BODY_LIMIT = 16 * 1024
MOST_READ = 1024 * 1024
KEEP_ALIVE_SECONDS = 15.0
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STALE_SECONDS = 1.0


class Egress:
    """Sends for every destination. Made within a running loop, and closed there.

    `allowed` are the operator's networks. `deadline_seconds` covers connecting, sending and reading together.
    """

    def __init__(
        self,
        *,
        allowed: Sequence[Network],
        public_url: str,
        user_agent: str,
        deadline_seconds: float = DEADLINE_SECONDS,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._allowed = tuple(allowed)
        self._public_url = public_url
        self._user_agent = user_agent
        self._deadline_seconds = deadline_seconds
        self._names = Names(lookup)
        self._transports: dict[bool, AiohttpTransport] = {}
        self._tls: ssl.SSLContext | None = None

    async def aclose(self) -> None:
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()
        self._names.close()

    def client(self, hosts: frozenset[str] | None = None) -> GuardedClient:
        """A client for one destination; `hosts` are the only ones that its kind knows."""
        return GuardedClient(self, hosts)

    async def problems(self, url: str, hosts: frozenset[str] | None = None) -> list[Problem]:
        """What speaks against a URL, when a destination is added. A name that does not resolve now is let
        pass: it is judged at every attempt anyway."""
        try:
            target = self.read(url, hosts)
        except BadTarget as error:
            return [Problem("url", sentence) for sentence in error.problems]
        if target.literal is not None:
            return []
        try:
            addresses = await self._names.resolve(target.host, target.port)
        except OSError:
            objections = target.objections if target.objections else ()
            return [Problem("url", sentence) for sentence in objections]
        if all(may_dial(address, self._allowed, only_inside=bool(target.objections)) for address in addresses):
            return []
        blocked = f"{target.host} has an address that is not public"
        return [Problem("url", sentence) for sentence in target.objections or (blocked,)]

    def read(self, url: str, hosts: frozenset[str] | None) -> Target:
        """The URL's rules, without any lookup. Raises `BadTarget`."""
        target = read_target(url, own_origin=self._public_url, hosts=hosts)
        inside = target.literal is not None and is_inside(target.literal, self._allowed)
        may_be_inside = inside or (target.literal is None and bool(self._allowed))
        if target.objections and not may_be_inside:
            raise BadTarget(*target.objections)
        return target

    async def request(
        self,
        method: str,
        target: Target,
        content: bytes,
        headers: Mapping[str, str],
        read_bytes: int = BODY_LIMIT,
        *,
        once: bool = False,
    ) -> Response:
        """Sends and reads the answer, whatever its status. Raises `Temporary`, `Unknown` or `Permanent` where none
        came."""
        transport = self._transport(only_inside=bool(target.objections))
        own = {"user-agent": self._user_agent, "accept-encoding": "identity"}
        try:
            request = httpx.Request(method, _url(target.url), content=content or None, headers={**headers, **own})
        except httpx.InvalidURL as error:
            raise Permanent("invalid_url") from error
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        way = _Way()
        _way.set(way)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                try:
                    return await _exchange(transport, request, read_bytes)
                except httpx.TransportError as error:
                    # A kept connection that the other side has closed meanwhile shows only when it is used.
                    if once or _code(error) != "connection_reset" or loop.time() - started_at > STALE_SECONDS:
                        raise
                    way.sent = False
                return await _exchange(transport, request, read_bytes)
        except TimeoutError as error:
            raise way.trouble("timeout", f"no complete answer within {self._deadline_seconds:g} s") from error
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            code = _code(error)
            if code == "blocked_address":
                raise Permanent(code, "the target is not at a public address") from error
            raise way.trouble(code) from error

    def _transport(self, *, only_inside: bool) -> AiohttpTransport:
        found = self._transports.get(only_inside)
        if found is None:
            found = self._transports[only_inside] = self._open(only_inside)
        return found

    def _open(self, only_inside: bool) -> AiohttpTransport:
        def judged_socket(entry: Any) -> socket.socket:
            family, kind, protocol, _, address = entry
            if not may_dial(address[0], self._allowed, only_inside=only_inside):
                raise BlockedAddress("not a public address")
            return socket.socket(family=family, type=kind, proto=protocol)

        if self._tls is None:  # one for both ways: making it reads every root certificate, 50 ms of work
            self._tls = ssl.create_default_context(cafile=certifi.where())
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=self._tls,
            use_dns_cache=False,
            resolver=JudgingResolver(self._names, self._allowed, only_inside),
            socket_factory=judged_socket,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        progress = aiohttp.TraceConfig()
        progress.on_request_headers_sent.append(_was_sent)
        session = aiohttp.ClientSession(
            trace_configs=[progress],
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("Accept",),
        )
        return AiohttpTransport(verify=self._tls, trust_env=False, client=session)


class GuardedClient:
    """The `Client` of the contract, for one destination."""

    def __init__(self, egress: Egress, hosts: frozenset[str] | None) -> None:
        self._egress = egress
        self._hosts = hosts

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        read_bytes: int = BODY_LIMIT,
        once: bool = False,
    ) -> Response:
        if method not in METHODS:
            raise ValueError(f"{method} is not among {', '.join(METHODS)}")
        try:
            target = self._egress.read(url, self._hosts)
        except BadTarget as error:
            raise Permanent("blocked_address", str(error)) from error
        most = min(read_bytes, MOST_READ)
        return await self._egress.request(method, target, content, headers or {}, most, once=once)

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response:
        return await self.request("POST", url, content=content, headers=headers)


class _Way:
    """How far a request has come."""

    def __init__(self) -> None:
        self.sent = False

    def trouble(self, code: str, detail: str = "") -> Temporary:
        """Once it was sent, it may have arrived, whatever went wrong then."""
        return Unknown(code, detail) if self.sent else Temporary(code, detail)


_way: ContextVar[_Way] = ContextVar("way")
"""Of the request that this task makes: aiohttp tells its progress to functions that know nothing else of it."""


async def _was_sent(*_: object) -> None:
    _way.get().sent = True


_url = lru_cache(maxsize=1024)(httpx.URL)
"""Reading a URL is half of what making a request costs."""


async def _exchange(transport: AiohttpTransport, request: httpx.Request, read_bytes: int) -> Response:
    """One request and its answer, of which at most `read_bytes` raw bytes are read. No redirect is followed."""
    response = await transport.handle_async_request(request)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    body = bytearray()
    try:
        async for chunk in stream:
            body += chunk
            if len(body) >= read_bytes:
                break
    finally:
        await stream.aclose()
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
    return Response(response.status_code, headers, bytes(body[:read_bytes]))


def _code(error: BaseException) -> str:
    """The closed vocabulary of network errors, from whatever the libraries wrapped the cause in."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        if isinstance(at, aiohttp.ClientConnectorError):
            chain.append(at.os_error)
        at = at.__cause__ or at.__context__
    for kinds, code in _CODES:
        if any(isinstance(one, kinds) for one in chain):
            return code
    return "network_error"


_CODES: Sequence[tuple[tuple[type[BaseException], ...], str]] = (
    ((BlockedAddress,), "blocked_address"),
    ((socket.gaierror, aiohttp.ClientConnectorDNSError), "dns_error"),
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError), "tls_error"),
    ((ConnectionRefusedError,), "connection_refused"),
    ((ConnectionResetError, BrokenPipeError, aiohttp.ServerDisconnectedError), "connection_reset"),
    ((TimeoutError,), "timeout"),
)
