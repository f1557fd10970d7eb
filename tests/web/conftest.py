"""What tests of the web layer may ask for besides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.conftest import Clock, Live
from widget_server.flows.load_letter import load_letter


@pytest.fixture
def reload(live: Live, letter_folder: Path, clock: Clock) -> Callable[[str], Awaitable[None]]:
    """Loads the letter again with a line more at the top of its settings."""

    async def again(line: str) -> None:
        settings = letter_folder / "letter.toml"
        settings.write_text(f"{line}\n{settings.read_text('utf-8')}", "utf-8")
        await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
        await live.site.directory.refresh(now_please=True)

    return again
