"""`undersigned retention`, against real databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from tests.cli.test_letter_partner_signatures import Run, names, opened, run, value
from widget_server.store.db import Db
from widget_server.store.tables import signatures

__all__ = ["names", "opened", "run"]


async def _age_people(database_url: str) -> int:
    """Makes every person's signature one that nobody confirmed in 31 days; gives their number."""
    db = Db(database_url)
    await db.connect()
    async with db.write() as writer:
        people = signatures.c.kind == "individual"
        long_ago = datetime.now(UTC) - timedelta(days=31)
        await writer.execute(update(signatures).where(people).values(status="pending", created_at=long_ago))
    number = await db.value(select(func.count()).where(signatures.c.status == "pending"))
    await db.disconnect()
    return int(number)


def test_it_says_what_would_go_and_takes_it(run: Run, opened: str, names: Path, database_url: str) -> None:
    run("signatures", "import", opened, names)
    assert run("retention").stdout == "letter: nothing was over.\n"
    waiting = asyncio.run(_age_people(database_url))
    assert waiting > 0
    assert value(run("retention", "--dry-run", "--json"))[opened]["unconfirmed"] == waiting
    assert f"{waiting} never confirmed in 30 days would go" in run("retention", "--dry-run").stdout
    assert f"{waiting} never confirmed in 30 days went" in run("retention").stdout
    assert value(run("signatures", "list", opened, "--status", "pending", "--json")) == []
