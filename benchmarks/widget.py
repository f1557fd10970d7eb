"""Bytes of `/w/TOKEN.js`, the one request that draws the form, as a browser gets them."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.letter import KEY, load_folder
from benchmarks.machine import ROOT, free_port, server

BUDGET = 8192


def letters() -> list[Path]:
    """The example letter, and the real one where it lies beside the project."""
    return [folder for folder in (ROOT / "examples" / "ask-here", ROOT.parent / "shared" / "stca") if folder.is_dir()]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url, port = f"sqlite:///{folder}/bench.db", free_port()
        tokens = {letter.name: asyncio.run(load_folder(url, letter, datetime.now(UTC))) for letter in letters()}
        environment = {"UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY}
        command = [
            str(Path(sys.executable).with_name("undersigned")),
            "serve",
            "--port",
            str(port),
            "--no-dispatch",
        ]
        with server(command, port, environment, "/healthz"):
            for name, (token, locales) in tokens.items():
                sizes = {}
                for encoding in ("br", "gzip", "identity"):
                    request = urllib.request.Request(
                        f"http://127.0.0.1:{port}/w/{token}.js", headers={"accept-encoding": encoding}
                    )
                    with urllib.request.urlopen(request) as answer:
                        sizes[encoding] = len(answer.read())
                print(
                    f"widget, letter {name} in {' and '.join(locales)}: {sizes['br']:,} B brotli (at most {BUDGET:,}),"
                    f" {sizes['gzip']:,} B gzip, {sizes['identity']:,} B plain, one request"
                )


if __name__ == "__main__":
    main()
