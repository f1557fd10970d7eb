"""The only place where parts meet: settings in, an ASGI application out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from widget_server.domain import block_rules
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner, read_origin
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.client_book import ClientBook
from widget_server.flows.consents import ConsentBook
from widget_server.flows.directory import Directory
from widget_server.flows.gate import Gate
from widget_server.flows.limit import ClientLimit
from widget_server.flows.reading import Reading
from widget_server.flows.sightings import Sightings
from widget_server.flows.sign import Signing
from widget_server.flows.turn import Turns
from widget_server.flows.work import Work
from widget_server.i18n import Texts
from widget_server.mail.folder import FOLDER, Folder
from widget_server.mail.layout import Layout
from widget_server.mail.servers import hello, read_mail_server
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.mail_lane import MailOut
from widget_server.outbox.mail_writing import MailWriter
from widget_server.outbox.mailing import Transport
from widget_server.outbox.registry import Registry
from widget_server.outbox.rounds import go, rounds
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.store.migrate import migrate
from widget_server.web.challenge import solver
from widget_server.web.clients import Clients
from widget_server.web.embed import embed_script
from widget_server.web.errors import HANDLERS, mistaken
from widget_server.web.health import Probe
from widget_server.web.pages import Pages
from widget_server.web.routes import ROUTES
from widget_server.web.scripts import Script, Scripts
from widget_server.web.sign import sign
from widget_server.web.site import Site
from widget_server.web.widget_file import widget_files

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class App(Starlette):
    """Starlette's, with one boundary for mistakes, and the sign route taken ahead of routing: it is the hot one."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        try:
            if scope["path"] == "/v1/signatures":
                await sign(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)
        except Exception as error:  # noqa: BLE001  the one boundary: a bug becomes a 500 with an id
            response = await mistaken(Request(scope), error)
            await response(scope, receive, send)

    @override
    def build_middleware_stack(self) -> ASGIApp:
        """Without Starlette's own outermost layer: it answers mistakes first, then has their messages logged."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)


def create_app(
    settings: Settings,
    *,
    dispatch: bool = True,
    now: Callable[[], datetime] = utc_now,
    mail_folder: Path | None = None,
) -> Starlette:
    """The server. While it runs it holds the database, the group commit and, unless told not to, the dispatcher.
    `mail_folder`: where mails go while no mail server is set, for whoever chose that."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_site(settings, dispatch=dispatch, now=now, mail_folder=mail_folder) as site:
            app.state.site = site
            yield

    app = App(routes=ROUTES, exception_handlers=HANDLERS, lifespan=lifespan)
    app.router.redirect_slashes = False  # it would repeat whatever host was asked for: `no_such_thing` does it
    return app


def mail_out(settings: Settings, texts: Texts, now: Callable[[], datetime], folder: Path | None) -> MailOut:
    """How mails to signers leave: through the mail server that is set, else into a folder, and the log says so."""
    if settings.smtp_url is None:
        if folder is None:
            log.warning("mail.to_folder", folder=str(FOLDER), why="UNDERSIGNED_SMTP_URL is not set")
        transport: Transport = Folder(folder or FOLDER, now)
    else:
        from widget_server.mail.smtp import Smtp  # with its library, which an idle server need not load

        transport = Smtp(read_mail_server(settings.smtp_url), hello=hello(settings.public_url))
    writer = MailWriter(texts, Seals(settings.secret_keys), settings.public_url, settings.sender, Layout())
    return MailOut(writer, transport)


@asynccontextmanager
async def dispatching(
    settings: Settings,
    db: Db,
    directory: Directory,
    texts: Texts,
    now: Callable[[], datetime],
    mail_folder: Path | None = None,
) -> AsyncIterator[Dispatcher]:
    """A dispatcher at work, and the rounds that go with it; on leaving, what is under way is finished or left to be
    taken up again."""
    dispatcher = Dispatcher(
        db=db,
        directory=directory,
        vault=Vault(settings.secret_keys),
        registry=Registry(),
        texts=texts,
        public_url=settings.public_url,
        egress_allow=settings.egress_allow,
        now=now,
        mail=mail_out(settings, texts, now, mail_folder),
    )
    tasks = {
        asyncio.create_task(dispatcher.run(), name="dispatcher"),
        asyncio.create_task(go(rounds(db, directory, now)), name="rounds"),
    }
    try:
        yield dispatcher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def open_dispatcher(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> AsyncIterator[None]:
    """Delivery alone, for a machine of its own."""
    db = Db(settings.database_url)
    await db.connect()
    await migrate(db)
    try:
        async with dispatching(settings, db, Directory(db, Seals(settings.secret_keys)), Texts(), now):
            yield
    finally:
        await db.disconnect()


@asynccontextmanager
async def _noting(sightings: Sightings) -> AsyncIterator[Sightings]:
    """Notes where widgets are seen; on leaving, what is not written yet is."""
    task = asyncio.create_task(sightings.run(), name="sightings")
    try:
        yield sightings
    finally:
        task.cancel()
        await asyncio.wait({task})
        await sightings.write()


@asynccontextmanager
async def open_site(
    settings: Settings, *, dispatch: bool, now: Callable[[], datetime], mail_folder: Path | None
) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        db = Db(settings.database_url)
        await db.connect()
        stack.push_async_callback(db.disconnect)
        await migrate(db)
        seals, texts = Seals(settings.secret_keys), Texts()
        directory = Directory(db, seals)
        ingest = Ingest(db)
        vault = Vault(settings.secret_keys)
        turns = Turns(db, vault, now)
        if dispatch:
            dispatcher = await stack.enter_async_context(dispatching(settings, db, directory, texts, now, mail_folder))
            ingest.on_commit = dispatcher.wake
            turns = replace(turns, on_commit=dispatcher.wake)
        await ingest.start()
        stack.push_async_callback(ingest.stop)
        await asyncio.to_thread(block_rules.shipped)

        consents = ConsentBook(db, texts, now)

        files = widget_files(settings.public_url, texts)
        scripts = Scripts(
            db,
            [
                Script.of("widget", files.alone),
                files.library.more,
                solver(),
                embed_script(settings.public_url),
                Script.read("install"),
                Script.read("letter"),
            ],
        )
        await scripts.start(now())
        sightings = await stack.enter_async_context(_noting(Sightings(db, read_origin(settings.public_url), now)))

        async def consent_version(letter: Letter, partner: Partner) -> str:
            return (await consents.current(letter, partner)).version

        yield Site(
            public_url=settings.public_url,
            db=db,
            seals=seals,
            texts=texts,
            directory=directory,
            ingest=ingest,
            turns=turns,
            signing=Signing(
                directory=directory,
                seals=seals,
                ingest=ingest,
                gate=Gate(settings.proof_of_work, ClientLimit(settings.windows), Work(settings.secret_keys, now)),
                clients=ClientBook(db, now),
                consent_version=consent_version,
                house_origin=settings.public_url,
                weighed=settings.proof_of_work != "off" or bool(settings.windows),
                now=now,
            ),
            asking=ClientLimit(settings.windows),
            clients=Clients(settings.trusted_proxies),
            pages=Pages(texts, settings.public_url),
            consents=consents,
            reading=Reading(db, directory),
            widget_files=files,
            scripts=scripts,
            sightings=sightings,
            probe=Probe(),
            now=now,
        )
