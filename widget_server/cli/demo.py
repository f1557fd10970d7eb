"""`undersigned demo`: the real server on sample data, two partners' pages and an inbox, in one process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from socket import socket
from typing import Annotated

import typer
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from widget_server.app import create_app
from widget_server.cli.desk import command
from widget_server.cli.serve import uvicorn_options
from widget_server.demo.home import HOME, Home
from widget_server.demo.inbox import create_inbox
from widget_server.demo.mails import watch
from widget_server.demo.pages import create_pages
from widget_server.demo.ports import HIGHEST, Ports, take_ports
from widget_server.demo.received import Received
from widget_server.demo.sample import Sample, prepare
from widget_server.domain.refusals import Problems
from widget_server.i18n import Texts

DEFAULT_PORT = 8000


@command
async def demo(
    port: Annotated[
        int, typer.Option(help=f"The server's port, at most {HIGHEST}; the two after it are used as well.")
    ] = DEFAULT_PORT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was signed and start over.")] = False,
) -> None:
    """Everything at once on sample data, nothing to configure. Data is kept in var/demo."""
    ports = take_ports(port)  # first: a demo that runs already must not lose its data to --fresh
    home = Home(HOME, port)
    if fresh:
        home.start_over()
    settings = home.make()
    sample = await prepare(settings, home)
    received = Received(home.inbox_file)
    inbox = create_inbox(
        received,
        sample.secrets,
        Texts(),
        mail_folder=home.mail_folder,
        sign_urls={locale: home.pages_url + embed.path for locale, embed in sample.embeds.items()},
        approve=f"{_shown(home.command_file)} signatures approve {sample.letter.slug}",
    )
    pages = create_pages(sample.embeds, letter_urls(home, sample), f"{home.inbox_url}/")
    await _run(
        home,
        sample,
        ports,
        received,
        server=create_app(settings, mail_folder=home.mail_folder),
        pages=pages,
        inbox=inbox,
    )


def letter_urls(home: Home, sample: Sample) -> dict[str, str]:
    slug = sample.letter.slug
    return {"en": f"{home.server_url}/letters/{slug}", "fr": f"{home.server_url}/fr/letters/{slug}"}


class _Server(uvicorn.Server):
    """One of several in a process: signals are the demo's to handle, and it says when it listens."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        super().__init__(uvicorn.Config(app, **uvicorn_options("127.0.0.1", port)))
        self.listening = asyncio.Event()

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def _run(
    home: Home,
    sample: Sample,
    ports: Ports,
    received: Received,
    *,
    server: ASGIApp,
    pages: ASGIApp,
    inbox: ASGIApp,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # The inbox first, and last to go: what the server delivers must find it there.
    async with (
        _serving(inbox, home.port + 2, [ports.inbox], at_end=received.close),
        _serving(pages, home.port + 1, list(ports.pages)),
        _serving(server, home.port, [ports.server]),
        _watching(home.mail_folder, received),
    ):
        print("\n".join(greeting(home, sample)), flush=True)
        await stop.wait()
        print("\nStopping", flush=True)


@asynccontextmanager
async def _watching(folder: Path, received: Received) -> AsyncIterator[None]:
    """Mails appear in the inbox while the block runs."""
    task = asyncio.create_task(watch(folder, received), name="mails")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def _serving(
    app: ASGIApp, port: int, sockets: list[socket], *, at_end: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """One server while the block runs. Raises `Problems` where it does not come up."""
    server = _Server(app, port)
    task = asyncio.create_task(server.serve(sockets=sockets))
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait([task, listening], return_when=asyncio.FIRST_COMPLETED)
    if not server.started:
        listening.cancel()
        await task
        raise Problems([f"The demo's server on port {port} did not start; the lines above say why."])
    try:
        yield
    finally:
        if at_end is not None:
            await at_end()
        server.should_exit = True
        await task


def greeting(home: Home, sample: Sample) -> Sequence[str]:
    """What is printed once everything listens."""
    slug = sample.letter.slug
    undersigned = _shown(home.command_file)
    port = "" if home.port == DEFAULT_PORT else f" PORT={home.port}"
    return [
        "Undersigned is running on sample data. Open:",
        "",
        f"  The letter             {home.server_url}/letters/{slug}",
        f"  A partner, in English  {home.pages_url}{sample.embeds['en'].path}",
        f"  A partner, in French   {home.pages_url}{sample.embeds['fr'].path}",
        f"  The inbox              {home.inbox_url}/  (mails, Slack messages and webhooks, live)",
        "",
        "For a partner's webmaster, who pastes the letter into a page:",
        f"  {sample.embeds['en'].install_url}",
        "",
        "Sign on a partner's page and watch the inbox: the mail's button confirms. An organization is listed",
        "once you approve it:",
        "",
        f"  {undersigned} signatures list {slug} --listing awaiting_review",
        f"  {undersigned} signatures approve {slug} ID",
        "",
        f"Data stays in {_shown(home.folder)}. Ctrl-C stops; make demo{port} FRESH=1 starts over.",
    ]


def _shown(path: Path) -> str:
    return path.as_posix()
