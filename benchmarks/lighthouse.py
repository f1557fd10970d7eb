"""Lighthouse on a plain partner's page, without the letter and with it: `python -m benchmarks.lighthouse`.

Apart from `make bench`, since it takes Node and fetches Lighthouse by npx. Both pages are measured in turn, so that
what else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.letter import KEY, load_folder
from benchmarks.machine import ROOT, describe, free_port, server
from benchmarks.partner import partner
from benchmarks.widget import snippet_of

RUNS = 3
LIGHTHOUSE = "lighthouse@12"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
METRICS = {
    "first-contentful-paint": "FCP ms", "largest-contentful-paint": "LCP ms", "total-blocking-time": "TBT ms",
    "cumulative-layout-shift": "CLS",
}  # fmt: skip
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def measured(npx: str, url: str) -> dict[str, float]:
    """One run: the scores from 0 to 100, and the metrics behind the first of them."""
    chromium = os.environ.get("CHROME_PATH") or shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}",
                f"--only-categories={','.join(CATEGORIES)}", "--form-factor=mobile", "--max-wait-for-load=30000",
                "--no-enable-error-reporting", f"--chrome-flags={FLAGS}",
            ],
            check=True, env=os.environ | {"CHROME_PATH": chromium},
        )  # fmt: skip
        found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    scores = {name: 100 * found["categories"][name]["score"] for name in CATEGORIES}
    return scores | {name: found["audits"][audit]["numericValue"] for audit, name in METRICS.items()}


def main() -> None:
    npx = shutil.which("npx")
    if npx is None:
        sys.exit("This takes Node: there is no npx here.")
    print(describe())
    undersigned = str(Path(sys.executable).with_name("undersigned"))
    with tempfile.TemporaryDirectory() as folder:
        url, port = f"sqlite:///{folder}/bench.db", free_port()
        asyncio.run(load_folder(url, ROOT / "examples" / "ask-here", datetime.now(UTC)))
        environment = {
            "UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY,
            "UNDERSIGNED_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        seen: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
        with (
            server([undersigned, "serve", "--port", str(port), "--no-dispatch"], port, environment, "/healthz"),
            partner(snippet_of(undersigned, environment, "ask-here")) as address,
        ):
            for _ in range(RUNS):
                for name, runs in seen.items():
                    runs.append(measured(npx, f"{address}/{name}"))
    for name in (*CATEGORIES, *METRICS.values()):
        before, after = (statistics.median(run[name] for run in runs) for runs in seen.values())
        spread = f"{min(run[name] for run in seen['with']):.2f}–{max(run[name] for run in seen['with']):.2f}"
        print(f"{name}: {before:.2f} without, {after:.2f} with ({spread})")


if __name__ == "__main__":
    main()
