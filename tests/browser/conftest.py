"""A real Chromium, and partners' pages on another origin: `localhost`, while the server is `127.0.0.1`."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Playwright, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.conftest import free_socket, served

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A browser tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


def chromium(playwright: Playwright) -> str | None:
    """Where a Chromium is: as told, else on the path, else Playwright's own; None for none."""
    told = os.environ.get("UNDERSIGNED_TEST_CHROMIUM")
    if told:
        return told
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        executable = chromium(playwright)
        if executable is None:
            pytest.skip("no Chromium: install one, or name it in UNDERSIGNED_TEST_CHROMIUM")
        browser = await playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield browser
        await browser.close()


@dataclass(slots=True)
class Host:
    """A partner's site. `url` has no trailing slash."""

    url: str
    pages: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    def page(self, body: str, *, lang: str = "en", headers: Mapping[str, str] | None = None, path: str = "/") -> str:
        """Puts `body` into a plain page at `path`; gives its address."""
        document = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>A partner</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>'
            f"<body><main><h1>A partner</h1>{body}<p id=after>After the letter.</p></main></body></html>"
        )
        self.pages[path] = (document, headers or {})
        return self.url + path


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async def answer(request: Request) -> HTMLResponse:
        document, headers = host.pages[request.url.path]
        return HTMLResponse(document, headers=dict(headers))

    bound = free_socket()
    async with served(Starlette(routes=[Route("/{path:path}", answer)]), bound):
        host = Host(f"http://localhost:{bound.getsockname()[1]}")
        yield host


async def violations(page: Page) -> list[str]:
    """What axe finds wrong, one line a node; it sees into open shadow roots."""
    found = await Axe().run(page, options=AXE)
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
