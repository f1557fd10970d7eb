"""Names to addresses, with a judgement: what the guarded client's connector asks.

One thing must stay true: a name of which one address may not be dialled has none.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from widget_server.domain.addresses import Network, may_dial

LOOKUP_SECONDS = 5.0
_LOOKUPS_AT_ONCE = 32

Lookup = Callable[[str, int], Sequence[str]]
"""Addresses of a name, as the system gives them. Blocks; raises `socket.gaierror`."""


class BlockedAddress(OSError):
    """An address that we do not dial."""


def system_lookup(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Names:
    """Look-ups in threads of their own, one at a time for each name: a dead resolver then holds one thread
    a name."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="lookup")
        self._under_way: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Addresses of a name. Raises `OSError`: `socket.gaierror`, or `TimeoutError` when it takes too
        long."""
        key = (host, port)
        future = self._under_way.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, self._lookup, host, port)
            self._under_way[key] = future
            future.add_done_callback(lambda done: self._forget(key, done))
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await asyncio.shield(future)

    def _forget(self, key: tuple[str, int], done: asyncio.Future[Sequence[str]]) -> None:
        self._under_way.pop(key, None)
        if not done.cancelled():
            done.exception()  # nobody may be waiting any more; asyncio would complain of an unread error

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class JudgingResolver(AbstractResolver):
    """Gives the connector addresses to dial: all that the name has, or, where one of them may not be
    dialled, none.

    A name with a public and a private address is one that somebody turns round between two look-ups.
    """

    def __init__(self, names: Names, allowed: Sequence[Network], only_inside: bool) -> None:
        self._names = names
        self._allowed = allowed
        self._only_inside = only_inside

    @override
    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        try:
            addresses = await self._names.resolve(host, port)
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, "the look-up took too long") from error
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if not all(may_dial(address, self._allowed, only_inside=self._only_inside) for address in addresses):
            raise BlockedAddress("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    @override
    async def close(self) -> None:
        """The look-ups belong to `Egress`."""
