"""The Makefile where it can go wrong before anything is installed. What it installs is seen by running it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("demo", "test", "check", "bench", "setup", "lock", "clean")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setup reads, without a .venv."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    # The tests may themselves run under make, whose flags are in the environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    if path is not None:
        environment["PATH"] = str(path)
    binary = shutil.which("make") or "make"
    return subprocess.run([binary, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def tools(folder: Path, **programs: str) -> Path:
    """A folder for PATH with a shell's own few tools and `programs`, given as shell scripts."""
    found = folder / "tools"
    found.mkdir()
    for name in ("sh", "bash", "rm", "echo", "id"):
        if (program := shutil.which(name)) is not None:
            (found / name).symlink_to(program)
    for name, script in programs.items():
        (found / name).write_text(f"#!/bin/sh\n{script}\n")
        (found / name).chmod(0o755)
    return found


def test_make_alone_lists_the_targets(checkout: Path) -> None:
    answer = make(checkout)
    assert answer.returncode == 0
    for target in TARGETS:
        assert f"make {target}" in answer.stdout


def test_without_a_python_that_is_new_enough_it_says_so_in_a_sentence(checkout: Path) -> None:
    answer = make(checkout, "setup", path=tools(checkout, python3="exit 1"))
    assert answer.returncode == 2
    assert "Python 3.11 or newer is needed" in answer.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_told_from_one_that_is_too_old(checkout: Path) -> None:
    # `python3 -c …` works, `python3 -m venv` does not: Debian's python3 without python3-venv.
    path = tools(checkout, python3=f'[ "$1" = -m ] && exit 1; exec {sys.executable} "$@"')
    answer = make(checkout, "setup", path=path)
    assert answer.returncode == 2
    assert "apt install python3-venv" in answer.stderr


def test_an_installation_that_fails_is_taken_up_again(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text(f"nowhere-to-be-found==1.0 --hash=sha256:{'0' * 64}\n")
    (checkout / "Makefile").write_text(
        (checkout / "Makefile").read_text("utf-8").replace("PIP   :=", "export PIP_NO_INDEX = 1\nPIP   :=")
    )
    answer = make(checkout, "setup", f"PYTHON={sys.executable}")
    assert answer.returncode == 2
    assert "nowhere-to-be-found" in answer.stderr
    assert "The installation failed" in answer.stderr
    assert not (checkout / ".venv/.ready").exists()
