"""What tests of abuse borrow: servers with settings of their own, people who sign, and whoever solves a challenge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest
from altcha import Challenge, Payload, solve_challenge

from tests.conftest import KEY, Live, free_socket, served
from widget_server.app import create_app, utc_now
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals, Shown, seal_shown
from widget_server.settings import Settings

Serve = Callable[..., Awaitable[Live]]
Http = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def serve(database_url: str, letter: Letter, partner: Partner) -> AsyncIterator[Serve]:
    """Starts a server on the test's database, with settings of its own; several at once are fine."""
    async with AsyncExitStack() as stack:

        async def start(now: Any = utc_now, **changes: Any) -> Live:
            bound = free_socket()
            settings = Settings(
                _env_file=None,  # type: ignore[call-arg]
                **{
                    "database_url": database_url,
                    "secret_keys": (KEY,),
                    "public_url": f"http://127.0.0.1:{bound.getsockname()[1]}",
                    "rate_limit": "off",
                    "trusted_proxies": ("127.0.0.0/8",),
                    **changes,
                },
            )
            app = create_app(settings, dispatch=False, now=now)
            url = await stack.enter_async_context(served(app, bound))
            return Live(url, settings, app.state.site)

        yield start


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """Clients of a server: `http(live, client="192.0.2.7")`, told by a trusted proxy."""
    async with AsyncExitStack() as stack:

        def client(live: Live, *, client: str = "192.0.2.7", accept: str = "*/*") -> httpx.AsyncClient:
            headers = {"origin": "https://maple.example", "accept": accept, "x-forwarded-for": client}
            made = httpx.AsyncClient(base_url=live.url, headers=headers)
            stack.push_async_callback(made.aclose)
            return made

        yield client


def solved(challenge: dict[str, Any]) -> str:
    """A challenge's solution, as the form's `pow`."""
    whole = Challenge.from_dict(challenge)
    solution = solve_challenge(whole)
    assert solution is not None
    return Payload(whole, solution).to_base64()


@pytest.fixture
def shown(seals: Seals, letter: Letter) -> str:
    return seal_shown(seals, Shown(letter.id, 1, "0123456789abcdef"))


@pytest.fixture
def person(token: str, shown: str) -> dict[str, str]:
    return {
        "token": token, "kind": "individual", "name": "Zoë Gagné", "email": "zoe@example.org", "country": "CA",
        "locale": "fr", "shown": shown, "elapsed": "9000",
    }  # fmt: skip


def somebody(person: dict[str, str], **changes: str) -> dict[str, str]:
    return person | {"email": f"{uuid4().hex}@example.org"} | changes


async def post(client: httpx.AsyncClient, form: dict[str, str]) -> httpx.Response:
    return await client.post("/v1/signatures", data=form)
