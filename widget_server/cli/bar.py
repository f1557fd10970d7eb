"""A progress bar for work that may take a while."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_AFTER_SECONDS = 0.7


class Bar:
    """A progress bar on standard error, once work has taken a moment and only where somebody watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._total = 0
        self._done = 0
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def starting(self, total: int) -> None:
        self._total = total

    def advance(self, number: int) -> None:
        self._done += number
        if self._progress is None:
            if not sys.stderr.isatty() or time.monotonic() - self._started < _AFTER_SECONDS:
                return
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=Console(file=sys.stderr), transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=self._total)
        if self._task is not None:
            self._progress.update(self._task, completed=self._done)
