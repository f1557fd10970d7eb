"""The whole server: somebody signs, a mail leaves, its link confirms; in files without a mail server, by process."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog

from tests.conftest import KEY, Live, free_socket, served
from tests.mail.postbox import Postbox
from tests.processes import CONSOLE_SCRIPT, Installation, installation
from widget_server.app import create_app
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.mail.folder import Folder
from widget_server.mail.message import Message
from widget_server.mail.trouble import NoWayOut
from widget_server.settings import Settings


def form(token: str, **changes: str) -> dict[str, str]:
    given = {
        "token": token, "id": str(uuid4()), "kind": "individual", "name": "Odile Marchand",
        "email": "odile@example.org", "country": "CA",
    }  # fmt: skip
    return {**given, **changes}


async def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What `found` gives once it gives something."""
    async with asyncio.timeout(seconds):
        while not (value := found()):
            await asyncio.sleep(0.02)  # a file or a row of another process: there is nothing to wait on
    return value


def link(content: bytes) -> str:
    part = message_from_bytes(content, EmailMessage, policy=default).get_body(("plain",))
    assert part is not None
    return re.findall(r"https?://\S+/confirm/\S+", part.get_content())[0]


async def test_without_a_mail_server_a_mail_is_a_file_and_its_link_confirms(live: Live, token: str) -> None:
    async with httpx.AsyncClient(base_url=live.url) as client:
        assert (await client.post("/v1/signatures", data=form(token))).json()["status"] == "pending"
        (file,) = await until(lambda: sorted(live.mail_folder.glob("*.eml")))
        assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f-]{36}\.eml", file.name)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(live.mail_folder.stat().st_mode) == 0o700
        url = link(file.read_bytes())
        assert url.startswith(f"{live.url}/confirm/")
        assert (await client.get(url)).status_code == 200
        assert (await client.get("/v1/letters/letter")).json()["counts"]["total"] == 0
        await client.post(url)
        assert (await client.get("/v1/letters/letter")).json()["counts"]["total"] == 1


async def test_with_a_mail_server_it_leaves_at_once(
    database_url: str, letter: Letter, partner: Partner, token: str, box: Postbox, tmp_path: Path
) -> None:
    bound = free_socket()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        smtp_url=box.url,
        mail_from="letters@example.org",
    )
    app = create_app(settings, mail_folder=tmp_path / "mail")
    async with served(app, bound) as url, httpx.AsyncClient(base_url=url) as client:
        await client.post("/v1/signatures", data=form(token))
        (handed,) = await box.wait_for(1)
        assert (handed.sender, handed.recipient) == ("letters@example.org", "odile@example.org")
        await client.post(link(handed.content))
        assert (await client.get("/v1/letters/letter")).json()["counts"]["total"] == 1
    assert not (tmp_path / "mail").exists()


async def test_the_log_says_once_where_mails_go_unless_somebody_chose_it(
    database_url: str, letter: Letter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(_env_file=None, database_url=database_url, secret_keys=(KEY,))  # type: ignore[call-arg]
    with structlog.testing.capture_logs() as lines:
        async with served(create_app(settings), free_socket()):
            pass
        async with served(create_app(settings, mail_folder=tmp_path / "mail"), free_socket()):
            pass
    assert [line["folder"] for line in lines if line["event"] == "mail.to_folder"] == ["var/mail"]


async def test_a_folder_that_cannot_be_written_is_no_way_out(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NoWayOut) as refused:
        await Folder(tmp_path / "file", clock).send(Message("name", "a@b.org", "c@d.org", b"x", utf8=False))
    assert str(refused.value) == "mail_folder: no way out (connect) FileExistsError"


@pytest.fixture
async def place(tmp_path: Path, letter_folder: Path, box: Postbox) -> Installation:
    """On one engine: the lease that it waits for has tests on both."""
    place = installation(tmp_path / "place", f"sqlite:///{tmp_path}/place.db", smtp_url=box.url)
    await place.command("letter", "load", str(letter_folder))
    await place.command("letter", "open", "letter")
    return place


async def test_a_dispatcher_on_a_machine_of_its_own_and_one_that_is_killed(place: Installation, box: Postbox) -> None:
    token = (await place.json("partner", "show", "letter", "house"))["token"]
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def stall(_: str) -> None:
        begun.set()
        await go_on.wait()

    box.on_data = stall
    async with place.serving("--no-dispatch"):
        async with httpx.AsyncClient(base_url=place.url) as client:
            await client.post("/v1/signatures", data=form(token))
        (mail,) = await place.json("delivery", "list", "letter")
        assert (mail["event_type"], mail["destination_id"]) == ("signer.mail", None)
        assert (mail["status"], mail["attempts"]) == ("pending", 0)

        async def dispatch() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                CONSOLE_SCRIPT, "dispatch", cwd=place.folder, env=dict(place.environment), start_new_session=True
            )

        first = await dispatch()
        await asyncio.wait_for(begun.wait(), 30)
        os.killpg(first.pid, signal.SIGKILL)
        await first.wait()
        box.on_data = lambda _: None
        go_on.set()
        second = await dispatch()
        try:
            await box.wait_for(1, seconds=40)  # once the lease of the dead one has run out
            shown = await place.json("delivery", "show", mail["id"])
            while shown["status"] == "pending":
                shown = await place.json("delivery", "show", mail["id"])
            assert (shown["status"], shown["attempts"], shown["kind"]) == ("delivered", 1, "signer-mail")
            assert "odile" not in str(shown)
        finally:
            second.send_signal(signal.SIGTERM)
            await second.wait()
    assert {handed.mail["Message-ID"] for handed in box.mails} == {f"<{mail['id']}@127.0.0.1>"}
