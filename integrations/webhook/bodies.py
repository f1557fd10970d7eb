"""The body of a request, in one of three forms.

`full` is the public contract's. `thin` names what happened and to what, without anything about a person. `flat` is one
object without objects in it, for tools that map fields by hand.

One thing must stay true: the keys of a form depend on the type of event alone, never on what was or was not filled in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from widget_server.contract import Event

FULL, THIN, FLAT = "full", "thin", "flat"
FORMS = (FULL, THIN, FLAT)

_IDS = frozenset({"id", "letter", "statement", "status", "erased", "milestone", "of", "destination", "delivery"})
_PARTS: Mapping[str, tuple[str, ...]] = {"partner": ("slug", "name")}
"""What is in an object that may be null."""
_ONE_OF_THESE: Mapping[str, tuple[str, ...]] = {"abuse.spike": ("client", "domain", "partner")}
"""Keys of which a full body has one."""


def body(event: Event, form: str) -> bytes:
    """The event as JSON, in UTF-8."""
    return json.dumps(_MAKERS[form](event), ensure_ascii=False, separators=(",", ":")).encode()


def _full(event: Event) -> dict[str, Any]:
    """Type, when it happened, data; `test` beside them only where it is one."""
    return _envelope(event) | {"data": dict(event.data)}


def _thin(event: Event) -> dict[str, Any]:
    return _envelope(event) | {"data": {key: value for key, value in event.data.items() if key in _IDS}}


def _envelope(event: Event) -> dict[str, Any]:
    test = {"test": True} if event.test else {}
    return {"type": event.type, **test, "timestamp": _written(event.occurred_at)}


def _flat(event: Event) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_id": event.id,
        "type": event.type,
        "timestamp": _written(event.occurred_at),
        "test": event.test,
    }
    for key, value in event.data.items():
        row.update(_leaves(key, value))
    for key in _ONE_OF_THESE.get(event.type, ()):
        row.setdefault(key, "")
    return row


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is None and key in _PARTS:
        value = dict.fromkeys(_PARTS[key])
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _leaves(f"{key}_{part}", inner)
    else:
        yield key, "" if value is None else value


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_MAKERS: Mapping[str, Callable[[Event], dict[str, Any]]] = {FULL: _full, THIN: _thin, FLAT: _flat}
