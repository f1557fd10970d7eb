"""What the widget's form asks a person or an organization, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from widget_server.domain.letters import Fields, FieldUse
from widget_server.domain.signatures import Kind


def asked(use: Fields, kind: Kind, boxes: Sequence[str]) -> list[str]:
    """The fields' names, with a star behind those that must be filled. `boxes`: the consent fields offered.

    The country comes first, since it decides which statement is signed; boxes to tick come last.
    """
    place = [
        *_named("city", use.city),
        *_named("postal_code", use.postal_code),
        *_named("comment", use.comment),
    ]
    if kind == "individual":
        own = ["name*", "email*", "organization", *_named("role", use.role)]
        return ["country*", *own, *place, "public", *boxes]
    # Whoever signs for an organization is never asked for a role as a condition (contract, section 5).
    role = [] if use.role == "hidden" else ["role"]
    own = ["organization*", "organization_website", "name", *role, "email*"]
    return ["country*", *own, *place, "authorized*", *boxes]


def _named(name: str, use: FieldUse) -> list[str]:
    return {"hidden": [], "optional": [name], "required": [name + "*"]}[use]
