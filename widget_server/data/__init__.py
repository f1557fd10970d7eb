"""Rules kept as data: files beside this one, read once."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any


def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads(read_text(name))


def read_text(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


def read_lines(name: str) -> frozenset[str]:
    """One entry a line; what follows a # is for the reader."""
    lines = (line.partition("#")[0].strip() for line in read_text(name).splitlines())
    return frozenset(line for line in lines if line)
