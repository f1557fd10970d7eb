"""Logs: one line an event, on standard error.

One thing must stay true: they carry ids and codes, never an address, a name, a body or a secret.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(*, level: int = logging.WARNING) -> None:
    """Lines for a terminal where there is one, JSON otherwise. Libraries may speak from WARNING up."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Standard error as it is when something is said, not as it was now: a stream that was replaced and closed
        # would turn every warning into an error of its own.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
