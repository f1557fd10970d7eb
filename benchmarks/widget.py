"""Bytes of `/w/TOKEN.js`, the one request that draws the form, as a browser gets them; and a visit on a slow phone."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.letter import KEY, load_folder
from benchmarks.machine import ROOT, free_port, server
from benchmarks.visit import visit

BUDGET = 8192


def letters() -> list[Path]:
    """The example letter, and the real one where it lies beside the project."""
    return [folder for folder in (ROOT / "examples" / "ask-here", ROOT.parent / "shared" / "stca") if folder.is_dir()]


def fetched(url: str, encoding: str) -> bytes:
    request = urllib.request.Request(url, headers={"accept-encoding": encoding})
    with urllib.request.urlopen(request) as answer:
        body: bytes = answer.read()
    return body


def snippet_of(command: str, environment: dict[str, str], letter: str) -> str:
    """As the partner would be given it."""
    shown = subprocess.run(
        [command, "partner", "show", letter, "maple", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return str(json.loads(shown.stdout)["snippet"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url, port = f"sqlite:///{folder}/bench.db", free_port()
        tokens = {letter.name: asyncio.run(load_folder(url, letter, datetime.now(UTC))) for letter in letters()}
        environment = {
            "UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY,
            "UNDERSIGNED_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        undersigned = str(Path(sys.executable).with_name("undersigned"))
        with server([undersigned, "serve", "--port", str(port), "--no-dispatch"], port, environment, "/healthz"):
            for name, (token, locales) in tokens.items():
                base = f"http://127.0.0.1:{port}"
                sizes = {e: len(fetched(f"{base}/w/{token}.js", e)) for e in ("br", "gzip", "identity")}
                print(
                    f"widget, letter {name} in {' and '.join(locales)}: {sizes['br']:,} B brotli (at most {BUDGET:,}),"
                    f" {sizes['gzip']:,} B gzip, {sizes['identity']:,} B plain, one request"
                )
                more = re.search(rb"more\.\w+\.js", fetched(f"{base}/w/{token}.js", "identity"))
                assert more is not None
                later = len(fetched(f"{base}/{more[0].decode()}", "br"))
                print(f"  and once somebody begins to write: {later:,} B brotli, one request")
                visits = visit(snippet_of(undersigned, environment, name))
                print(f"  slow 4G, 4x slower processor: {visits.said() if visits else 'no Chromium here'}")


if __name__ == "__main__":
    main()
