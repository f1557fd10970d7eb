"""Real browsers, and partners' pages on another origin: `localhost`, while the server is `127.0.0.1`.

A test that takes `browser` runs in Chromium. Marked `@pytest.mark.engines("chromium", "firefox")`, or in a module
marked so, it runs in each.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.browser.engines import Missing, started
from tests.conftest import free_socket, served

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Start = Callable[[str], Awaitable[Browser]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("engines")
    if mark is not None and "browser" in metafunc.fixturenames:
        metafunc.parametrize("browser", mark.args, indirect=True)


@pytest.fixture
def _function_scoped_runner(_session_scoped_runner: asyncio.Runner) -> asyncio.Runner:
    """One event loop for all tests in this folder: a browser lives in the loop that started it, and starts slowly."""
    return _session_scoped_runner


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A browser tells nothing about engines: one is enough here."""
    file = tmp_path / "undersigned.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def start() -> AsyncIterator[Start]:
    """Gives the browser of that name, started at the first wish and kept to the end of the session."""
    running: dict[str, Browser] = {}
    async with async_playwright() as playwright:

        async def one(name: str) -> Browser:
            if name not in running:
                running[name] = await started(playwright, name)
            return running[name]

        yield one
        for browser in running.values():
            await browser.close()


@pytest.fixture
async def browser(start: Start, request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """A browser that knows nothing of other tests: what a test opened in it is closed after it."""
    try:
        browser = await start(getattr(request, "param", "chromium"))
    except Missing as missing:
        pytest.skip(str(missing))
    yield browser
    for context in browser.contexts:
        await context.close()


@dataclass(slots=True)
class Host:
    """A partner's site. `url` has no trailing slash."""

    url: str
    pages: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    def page(self, body: str, *, lang: str = "en", headers: Mapping[str, str] | None = None, path: str = "/") -> str:
        """Puts `body` into a plain page at `path`; gives its address."""
        return self.document(
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>A partner</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>'
            f"<body><main><h1>A partner</h1>{body}<p id=after>After the letter.</p></main></body></html>",
            headers=headers,
            path=path,
        )

    def document(self, text: str, *, headers: Mapping[str, str] | None = None, path: str = "/") -> str:
        """Puts a whole document at `path`, or anything else with a `content-type`; gives its address."""
        self.pages[path] = (text, headers or {})
        return self.url + path


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async def answer(request: Request) -> Response:
        if request.url.path not in host.pages:
            return Response(status_code=404)
        text, headers = host.pages[request.url.path]
        return Response(text, headers={"content-type": "text/html; charset=utf-8"} | dict(headers))

    bound = free_socket()
    async with served(Starlette(routes=[Route("/{path:path}", answer)]), bound):
        host = Host(f"http://localhost:{bound.getsockname()[1]}")
        yield host


async def violations(page: Page, *, inside: str | None = None) -> list[str]:
    """What axe finds wrong, on the whole page or `inside` a selector, one line a node. It sees into shadow roots."""
    found = await Axe().run(page, context=inside, options=AXE)
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
