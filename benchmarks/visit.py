"""How long a visitor on a slow phone waits for the form: a real Chromium, emulated slow 4G, a plain page.

150 ms latency, 1.6 Mbit/s down, 0.75 Mbit/s up, a processor four times slower, nothing in the cache.
"""

from __future__ import annotations

import os
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.partner import partner

VISITS = 5
WAIT = 30
"""Seconds, at most."""
WIDTHS = (320, 600, 1280)
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]

WATCH = """
window.seen = { ready: 0, shift: 0, tasks: [] };
new PerformanceObserver((list) => list.getEntries().forEach((entry) => (seen.shift += entry.value)))
  .observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => list.getEntries().forEach((entry) => seen.tasks.push(Math.round(entry.duration))))
  .observe({ type: "longtask", buffered: true });
// Drawn, and painted: the frame after the one in which the form was put into the page. Then the countries come. The
// page says when: to be asked from outside takes a task of its own, as long as those that are counted here.
addEventListener("undersigned:ready", ({ target }) => {
  requestAnimationFrame(() => setTimeout(() => (seen.ready = performance.now())));
  const filled = () => target.shadowRoot.querySelector("select").options.length > 200;
  const look = () => (seen.ready && filled() ? told("") : setTimeout(look, 50));
  look();
});
"""


@dataclass(frozen=True, slots=True)
class Visits:
    """`tasks`: milliseconds, of those longer than 50, in all visits; `usual`: those of the page without the widget."""

    usable: list[float]
    requests: int
    shift: float
    tasks: list[int]
    usual: list[int]

    def said(self) -> str:
        spread = f"{min(self.usable):.2f}–{max(self.usable):.2f}"
        return (
            f"usable after {statistics.median(self.usable):.2f} s ({len(self.usable)} visits: {spread})"
            f" with {self.requests} request, layout shift {self.shift:.2f} at {', '.join(map(str, WIDTHS))} px,"
            f" long tasks {_tasks(self.tasks)} (the page alone: {_tasks(self.usual)})"
        )


def _tasks(tasks: list[int]) -> str:
    return f"{len(tasks)}, the longest {max(tasks)} ms" if tasks else "none"


def visit(snippet: str) -> Visits | None:
    """None where there is no Chromium. Each visit is a first one."""
    with sync_playwright() as playwright, partner(snippet) as address:
        found = os.environ.get("UNDERSIGNED_TEST_CHROMIUM") or shutil.which("chromium")
        executable = found or playwright.chromium.executable_path
        if not Path(executable).exists():
            return None
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        _once(browser, f"{address}/with", 320)  # so that nothing waits for the browser itself, or for the server
        seen = [_once(browser, f"{address}/with", width) for width in WIDTHS for _ in range(VISITS)]
        without = [_once(browser, f"{address}/without", 320) for _ in range(VISITS)]
        browser.close()
    return Visits(
        usable=[one["ready"] / 1000 for one in seen],
        requests=max(one["requests"] for one in seen),
        shift=max(one["shift"] for one in seen),
        tasks=[task for one in seen for task in one["tasks"]],
        usual=[task for one in without for task in one["tasks"]],
    )


def _once(browser: Browser, url: str, width: int) -> dict[str, Any]:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", NETWORK)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    devtools.send("Runtime.enable")
    devtools.send("Runtime.addBinding", {"name": "told"})
    told: list[object] = []
    devtools.on("Runtime.bindingCalled", lambda call: told.append(call))
    page.add_init_script(WATCH)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    if url.endswith("/with"):
        for _ in range(WAIT * 20):
            if told:
                break
            page.wait_for_timeout(50)
        else:
            raise TimeoutError("the form did not come")
    page.wait_for_timeout(500)  # what comes late comes now
    seen: dict[str, Any] = page.evaluate("seen")
    seen["requests"] = len([one for one in asked if not one.startswith(url.rpartition("/")[0])])
    context.close()
    return seen
