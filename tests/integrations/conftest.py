"""The dispatcher's fixtures, for integrations that are tried on the real path.

On one database engine: what differs between the two is the store's, and tested with it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integrations.place import place, target
from tests.outbox.conftest import add_destination, dispatcher, kinds, make_dispatcher, office, sign, vault

__all__ = ["add_destination", "dispatcher", "kinds", "make_dispatcher", "office", "place", "sign", "target", "vault"]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    file = tmp_path / "undersigned.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"
