"""Asking before something that weighs: on a terminal, or not at all.

One thing must stay true: what nobody was asked about and nobody said yes to is not done.
"""

from __future__ import annotations

import sys

import typer

from widget_server.domain.refusals import Problems


def make_sure(question: str, *, yes: bool) -> None:
    """Returns once somebody has said yes. The question goes to standard error. Raises `Problems`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Problems([f"{question} Nobody can be asked here: add --yes"])
    if not typer.confirm(question, err=True):
        raise Problems(["nothing was done"])
