"""The schemas of webhook bodies, as JSON Schema 2020-12: one for each type of event in each of three forms.

`full` is the public contract's, section 8; `thin` and `flat` are made from it by rule. Whoever writes a receiver reads
them, and our own tests hold every body to them that is sent.

One thing must stay true: they are made from `event_shapes.py` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from widget_server.domain.event_shapes import (
    EXAMPLE_AT,
    EXAMPLE_ID,
    SHAPES,
    Schema,
    example_data,
    flag,
    or_null,
    text,
    time,
)
from widget_server.domain.events import EVENT_TYPES, TEST, TEST_MEANS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMS: Mapping[str, str] = {
    "full": "everything, as docs/webhooks.md shows it",
    "thin": "type, time and ids, nothing about a person",
    "flat": 'one object without objects in it; what is null in a full body is "" here',
}


def catalogue() -> dict[str, Any]:
    """Every type with its three schemas: what `GET /v1/events.json` answers."""
    return {
        "title": "Events of Undersigned at a webhook",
        "forms": dict(FORMS),
        "events": {
            type_: {"description": EVENT_TYPES.get(type_, TEST_MEANS), **{form: schema(type_, form) for form in FORMS}}
            for type_ in SHAPES
        },
    }


def schema(type_: str, form: str) -> Schema:
    """The schema of one type's bodies in one form. Keys that it does not name may come: receivers ignore them."""
    inner = _flat(type_) if form == "flat" else _enveloped(type_, thin=form == "thin")
    return {
        "$schema": DIALECT,
        "title": f"{type_}, {form}",
        "type": "object",
        **inner,
        "examples": [_example(type_, form)],
    }


def _data(type_: str) -> dict[str, Schema]:
    shape = SHAPES[type_]
    found = {key: one.schema for key, one in shape.keys.items()}
    if shape.statuses:
        found["status"] = found["status"] | {"enum": list(shape.statuses)}
    return found


def _head(type_: str) -> dict[str, Schema]:
    return {
        "type": {"const": type_},
        "timestamp": time("when it happened: the same on every attempt"),
    }


def _enveloped(type_: str, *, thin: bool) -> Schema:
    keys = {key: one for key, one in SHAPES[type_].keys.items() if one.in_thin or not thin}
    data: Schema = {
        "type": "object",
        "properties": {key: value for key, value in _data(type_).items() if key in keys},
        "required": [key for key, one in keys.items() if not one.of_several],
    }
    several = [key for key, one in keys.items() if one.of_several]
    if several:
        data["oneOf"] = [{"required": [key]} for key in several]
    test = {"description": "there only for a test, which is in no count", "const": True}
    required = ["type", *(["test"] if type_ == TEST else []), "timestamp", "data"]
    return {"properties": {**_head(type_), "test": test, "data": data}, "required": required}


def _flat(type_: str) -> Schema:
    properties = {
        "event_id": text("the event's id, the same as webhook-id: the same on every attempt", format="uuid"),
        **_head(type_),
        "test": {"const": True} if type_ == TEST else flag("a test, which is in no count"),
    }
    named_by: dict[str, Schema] = {}
    for key, value in _data(type_).items():
        leaves, patterns = _leaves(key, or_null(value) if SHAPES[type_].keys[key].of_several else value)
        properties |= leaves
        named_by |= patterns
    patterns_too = {"patternProperties": named_by} if named_by else {}
    return {"properties": properties, **patterns_too, "required": list(properties)}


def _leaves(key: str, value: Schema) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """What a key of a full body is called in a flat one, and what it may be there; then the same for keys whose names
    only a letter knows, such as each statement's count."""
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    nullable = "null" in types
    if "object" not in types:
        return {key: _empty_for_null(value) if nullable else value}, {}
    found: dict[str, Schema] = {}
    named_by: dict[str, Schema] = {}
    for part, inner in value.get("properties", {}).items():
        leaves, patterns = _leaves(f"{key}_{part}", or_null(inner) if nullable else inner)
        found |= leaves
        named_by |= patterns
    if "additionalProperties" in value:
        named_by[f"^{key}_"] = value["additionalProperties"]
    return found, named_by


def _empty_for_null(value: Schema) -> Schema:
    kind = next(one for one in value["type"] if one != "null")
    if kind != "string":
        return {"description": value["description"], "anyOf": [{"type": kind}, {"const": ""}]}
    enum = {"enum": ["" if one is None else one for one in value["enum"]]} if "enum" in value else {}
    plain = {name: part for name, part in value.items() if name != "format"}  # "" is of no format
    return plain | {"type": "string"} | enum


def _example(type_: str, form: str) -> dict[str, Any]:
    data = example_data(type_)
    test = {"test": True} if type_ == TEST else {}
    if form == "flat":
        head = {"event_id": EXAMPLE_ID, "type": type_, "timestamp": EXAMPLE_AT, "test": type_ == TEST}
        return head | _flattened("", {key: data.get(key) for key in SHAPES[type_].keys})
    if form == "thin":
        data = {key: value for key, value in data.items() if SHAPES[type_].keys[key].in_thin}
    return {"type": type_, **test, "timestamp": EXAMPLE_AT, "data": data}


def _flattened(prefix: str, value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            found |= _flattened(f"{prefix}{key}_", inner)
        else:
            found[prefix + key] = "" if inner is None else inner
    return found
