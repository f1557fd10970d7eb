"""A "no" that we mean, as a value: answered in one place (web/problems.py, cli), with a stable `code`.

`code` names a text in the catalogues (`refusal.CODE`), so that every reader gets it in their own language.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a form. `code` names the text `field.CODE`, `values` fill it."""

    field: str
    code: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Refusal(Exception):
    """A no. `status` is the HTTP status that says the same; `extra` goes into the problem document."""

    status = 400

    def __init__(self, code: str, *, values: Mapping[str, Any] | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values: Mapping[str, Any] = values or {}
        self.extra: Mapping[str, Any] = extra
        self.retry_after_seconds: int | None = None


class Unreadable(Refusal):
    status = 400


class NotAllowed(Refusal):
    status = 403


class Unknown(Refusal):
    status = 404


class NotOpen(Refusal):
    status = 409


class TooLarge(Refusal):
    status = 413


class WrongType(Refusal):
    status = 415


class Invalid(Refusal):
    """Fields are wrong: every one of them."""

    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("invalid")
        self.errors = tuple(errors)


class TooMany(Refusal):
    status = 429

    def __init__(self, code: str, *, retry_after_seconds: int, **extra: Any) -> None:
        super().__init__(code, **extra)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    """Storage cannot take it now; nothing was stored."""

    status = 503

    def __init__(self, code: str = "unavailable", *, retry_after_seconds: int = 2) -> None:
        super().__init__(code)
        self.retry_after_seconds = retry_after_seconds


class Problems(Exception):
    """Everything that is wrong with a folder, a file or a command, one sentence each, in reading order."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
