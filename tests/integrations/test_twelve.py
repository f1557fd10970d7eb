"""Twelve destinations of twelve kinds, three dead, one slow, one throttled, one answering nonsense, and restarts in
the middle: everything arrives where it can, and the log explains what did not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.twelve import DEAD, ILL, NONSENSE, twelve

NUMBER = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """On both engines, unlike its neighbours."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgresql"))
    return f"sqlite:///{tmp_path}/undersigned.db"


async def test_everything_arrives_everywhere_it_can(database_url: str, tmp_path: Path) -> None:
    async with twelve(database_url, tmp_path, NUMBER) as scene:
        assert len(scene.ids) == 12
        await scene.sign_through_a_crash()
        well = [kind for kind in scene.ids if kind not in ILL]
        await scene.deliver(*well)
        await scene.leave_late()
        await scene.deliver(*well)

        assert [wrong for kind in well for wrong in await scene.wrong_at(kind)] == []
        assert await scene.unexplained() == []
        assert scene.doors["mailchimp"].throttled > 0
        assert scene.doors["mailchimp"].impatient <= scene.kills
        for kind, code in DEAD.items():
            assert code in await scene.errors(kind) <= {code, "timeout"}
            assert await scene.off_schedule(kind) == []
        assert await scene.errors(NONSENSE)
        for kind in ILL:
            assert not any(one["status"] == "delivered" for one in await scene.rows(kind))
            assert await scene.wrong_at(kind), "nothing can have arrived there yet"

        await scene.heal()
        await scene.deliver(*scene.ids)
        assert [wrong for kind in scene.ids for wrong in await scene.wrong_at(kind)] == []
        assert await scene.unexplained() == []
