"""The machine and the commit that numbers belong to, and servers to measure."""

from __future__ import annotations

import json
import os
import platform
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def describe() -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{machine}, Python {platform.python_version()}, commit {commit or '?'}"


@dataclass(frozen=True, slots=True)
class Served:
    """A server process: where it listens, how long it took to its first answer, its process id."""

    port: int
    first_answer_seconds: float
    pid: int

    def resident_mib(self) -> float:
        """Memory it holds, from /proc (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_command(environment: Mapping[str, str], *words: str) -> None:
    console_script = str(Path(sys.executable).with_name("undersigned"))
    subprocess.run(
        [console_script, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def server(command: Sequence[str], port: int | None, environment: Mapping[str, str], path: str) -> Iterator[Served]:
    """Runs a process until the block ends; `path` is asked until it answers, where it listens at all."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        while port is not None and not _answers(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
        yield Served(port or 0, time.perf_counter() - started, process.pid)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            return connection.recv(12).startswith(b"HTTP/1.1")
    except OSError:
        return False


def load(port: int, connections: int, requests: Sequence[bytes]) -> dict[str, Any]:
    """Sends the requests from another process; rates and latencies as it saw them."""
    framed = b"".join(struct.pack(">I", len(request)) + request for request in requests)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", "127.0.0.1", str(port), str(connections)],
        cwd=ROOT, input=framed, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)  # type: ignore[no-any-return]
