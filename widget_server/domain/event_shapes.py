"""What is in the `data` of each type of event: every key, what it may be, what it means, an example.

One thing must stay true: a key that `payloads.py` or a flow puts into an event stands in this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from widget_server.domain.events import TEST

Schema = dict[str, Any]

_ID = "019f2b3c-5d6e-7f80-9a1b-2c3d4e5f6071"
EXAMPLE_ID = "019f2b3c-5d6e-7f80-9a1b-2c3d4e5f6072"
EXAMPLE_AT = "2026-06-20T12:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of `data`. `in_thin`: in thin bodies too. `of_several`: there or not, as another key says."""

    schema: Schema
    example: Any
    in_thin: bool = False
    of_several: bool = False


Keys = Mapping[str, Key]


def text(means: str, **more: Any) -> Schema:
    return {"description": means, "type": "string", **more}


def time(means: str) -> Schema:
    return text(means, format="date-time")


def flag(means: str) -> Schema:
    return {"description": means, "type": "boolean"}


def number(means: str, least: int = 0) -> Schema:
    return {"description": means, "type": "integer", "minimum": least}


def choice(means: str, *values: str) -> Schema:
    return {"description": means, "type": "string", "enum": list(values)}


def or_null(schema: Schema) -> Schema:
    nullable = schema | {"type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


_LETTER: Keys = {"letter": Key(text("the letter's slug"), "stca", in_thin=True)}

_SIGNATURE: Keys = {
    "id": Key(text("the signature's id, the same in all events about it", format="uuid"), _ID, in_thin=True),
    **_LETTER,
    "statement": Key(or_null(text("code of the statement that was signed; null once erased")), "ca", in_thin=True),
    "kind": Key(or_null(choice("who signed; null once erased", "individual", "organization")), "individual"),
    "status": Key(text("the status when it happened"), "confirmed", in_thin=True),
    "listing": Key(
        or_null(
            choice(
                "whether the public list shows it; null once erased",
                "listed",
                "awaiting_review",
                "hidden_by_signer",
                "hidden_by_staff",
            )
        ),
        "listed",
    ),
    "name": Key(
        or_null(text("the person's, or an organization's representative's; null where it is private")), "Zoë Gagné"
    ),
    "organization": Key(or_null(text("the organization's name, or a person's affiliation")), None),
    "role": Key(or_null(text("the person's or representative's role")), None),
    "email": Key(
        or_null(text("only of those who opted in to you; with that opt-in false: take this address out")),
        "zoe@example.org",
    ),
    "country": Key(or_null(text("ISO 3166-1 alpha-2")), "CA"),
    "city": Key(or_null(text("as its signer wrote it")), "Montréal"),
    "postal_code": Key(or_null(text("only of those who opted in to you")), "H2X 1Y4"),
    "comment": Key(or_null(text("only of those who opted in to you; never public")), None),
    "locale": Key(or_null(text("the language it was signed in; null once erased")), "fr"),
    "public": Key(or_null(flag("whether its signer lets the name be listed; null once erased")), True),
    "contact_opt_in": Key(flag("the initiators may write to the signer"), True),
    "partner_opt_in": Key(flag("the partner may write to the signer"), False),
    "erased": Key(flag("remove everything that you keep under this id"), False, in_thin=True),
    "partner": Key(
        {
            "description": "through whom it came; null where that partner is no more",
            "type": ["object", "null"],
            "properties": {
                "slug": text("its slug, `house` for the letter's own page"),
                "name": text("its name"),
            },
            "required": ["slug", "name"],
        },
        {"slug": "maple", "name": "Maple House"},
    ),
    "source": Key(or_null(text("tag of the link or mail-out that brought it")), "newsletter-june"),
    "page": Key(or_null(text("address of the page it was signed on, without query")), "https://maple.example/sign"),
    "created_at": Key(or_null(time("when it was signed; null once erased")), EXAMPLE_AT),
    "confirmed_at": Key(or_null(time("when it was confirmed; null while it is not")), EXAMPLE_AT),
}

_COUNTS = Key(
    {
        "description": "confirmed signatures, those not listed included",
        "type": "object",
        "properties": {
            "total": number("all of them"),
            "individuals": number("persons"),
            "organizations": number("organizations"),
            "by_statement": {
                "description": "by the statement's code",
                "type": "object",
                "additionalProperties": number("signatures of this statement"),
            },
        },
        "required": ["total", "individuals", "organizations", "by_statement"],
    },
    {"total": 1000, "individuals": 952, "organizations": 48, "by_statement": {"ca": 700, "us": 300}},
)
_GOAL = Key(or_null(number("what the letter wants to reach, if it says", 1)), 5000)
_DESTINATION: Keys = {
    **_LETTER,
    "destination": Key(text("the destination's id", format="uuid"), EXAMPLE_ID, in_thin=True),
    "kind": Key(text("its kind, such as `slack`"), "slack"),
}
_TROUBLE: Keys = {
    **_DESTINATION,
    "delivery": Key(text("the delivery that failed: `undersigned delivery show ID`", format="uuid"), _ID, in_thin=True),
    "error": Key(text("what went wrong, by its code"), "http_500"),
}
_SPIKE: Keys = {
    **_LETTER,
    "of": Key(choice("what they have in common", "client", "domain", "partner"), "domain", in_thin=True),
    "client": Key(text("the start of the client's hash"), None, of_several=True),
    "domain": Key(text("the mail domain"), "mail.example", of_several=True),
    "partner": Key(text("the partner's slug"), None, of_several=True),
    "number": Key(number("how many signatures", 1), 120),
    "minutes": Key(number("within how many minutes", 1), 10),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One type of event. `statuses`: what `status` may be; `example`: what differs from the keys' examples."""

    keys: Keys
    statuses: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)


_ENDED = dict.fromkeys(
    ("name", "organization", "role", "email", "country", "city", "postal_code", "comment", "source", "page")
) | {"contact_opt_in": False, "partner_opt_in": False}

SHAPES: Mapping[str, Shape] = {
    "signature.created": Shape(
        _SIGNATURE,
        ("pending", "confirmed"),
        {"status": "pending", "email": None, "postal_code": None, "confirmed_at": None},
    ),
    "signature.confirmed": Shape(_SIGNATURE, ("confirmed",)),
    "signature.assisted": Shape(_SIGNATURE, ("confirmed",), {"partner": {"slug": "birch", "name": "Birch"}}),
    "signature.updated": Shape(
        _SIGNATURE, ("pending", "confirmed", "withdrawn", "rejected"), {"listing": "hidden_by_signer"}
    ),
    "signature.withdrawn": Shape(
        _SIGNATURE, ("withdrawn",), _ENDED | {"status": "withdrawn", "email": "zoe@example.org", "erased": True}
    ),
    "signature.rejected": Shape(_SIGNATURE, ("rejected",), _ENDED | {"status": "rejected"}),
    "letter.milestone": Shape(
        {
            **_LETTER,
            "milestone": Key(number("the number passed", 1), 1000, in_thin=True),
            "counts": _COUNTS,
            "goal": _GOAL,
        }
    ),
    "letter.opened": Shape(
        {**_LETTER, "status": Key(text("the letter's"), "open", in_thin=True), "counts": _COUNTS, "goal": _GOAL},
        ("open",),
    ),
    "letter.closed": Shape(
        {**_LETTER, "status": Key(text("the letter's"), "closed", in_thin=True), "counts": _COUNTS, "goal": _GOAL},
        ("closed",),
    ),
    "abuse.spike": Shape(_SPIKE),
    "destination.failing": Shape(_TROUBLE),
    "destination.disabled": Shape(_TROUBLE, example={"error": "http_410"}),
    TEST: Shape(_DESTINATION, example={"kind": "webhook"}),
}


def example_data(type_: str) -> dict[str, Any]:
    """The `data` of a made-up event of this type."""
    shape = SHAPES[type_]
    named = {key: one.example for key, one in shape.keys.items() if not (one.of_several and one.example is None)}
    return named | dict(shape.example)
