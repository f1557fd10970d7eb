"""What tests of the command line share."""

from __future__ import annotations

from functools import cache

import pytest
from typer.main import get_command

_built = cache(get_command)


@pytest.fixture(autouse=True)
def command_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer's runner builds the whole command at each run, which takes longer than most commands do."""
    monkeypatch.setattr("typer.testing._get_command", _built)
