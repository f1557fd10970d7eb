"""When staff correct what the list shows of a signature, or its kind.

1. Find it: one that waits or is confirmed, and that does not repeat another.
2. Read what was given, as on signing: every problem at once. A person needs a name, an organization its own.
3. Of another kind, it is counted there, holds its signer's place of that kind (unless they have one), and is reviewed
   as a new one. Nobody's name comes into view by it that was not meant to: a person who hid theirs stays a person, and
   a representative's name is shown only where staff write it.
4. Keep who did it and which fields, never what stood in them; destinations are told.

Repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.names import sort_key
from widget_server.domain.refusals import Invalid, Problems
from widget_server.domain.sign_form import correctable, read_corrections
from widget_server.domain.signatures import Kind, Signature
from widget_server.domain.signers import signer_hash
from widget_server.flows.by_staff import Staff, signatures_named
from widget_server.flows.correct import change_shown, unreviewed
from widget_server.flows.merge import was_merged
from widget_server.flows.standing import household
from widget_server.flows.turn import Turn, Turns
from widget_server.store.places import leave_places, take_place
from widget_server.store.signatures import update_signature

EDIT = "signatures.edit"
KEYS = ("kind", "name", "organization", "role", "city", "organization_website")


@dataclass(frozen=True, slots=True)
class Edited:
    """Which columns changed; none where it stood so already."""

    id: str
    changed: tuple[str, ...]


async def edit(turns: Turns, letter: Letter, id_: str, given: Mapping[str, str], staff: Staff) -> Edited:
    """Raises `Problems` with every key that is wrong, `Unavailable`."""

    async def work(turn: Turn) -> Edited:
        [signature] = await signatures_named(turn, [id_], _fault)
        changed = _changes(given, letter, signature)
        if "kind" in changed:
            await _change_kind(turn, signature, changed, staff)
        elif changed:
            await _change_words(turn, signature, changed)
        if changed:
            await staff.note(turn, EDIT, signature.id, {"fields": sorted(changed)})
        return Edited(signature.id, tuple(changed))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be edited, or None."""
    if signature.status not in ("pending", "confirmed"):
        return f"this is {signature.status}"
    if signature.repeat_of is not None:
        return f"this repeats {signature.repeat_of}, which is the one that is shown"
    return None


def _changes(given: Mapping[str, str], letter: Letter, signature: Signature) -> dict[str, Any]:
    """Values by column, of those that differ. Raises `Problems` with all that is wrong."""
    kind = given.get("kind", signature.kind)
    if kind not in get_args(Kind):
        raise Problems([f'kind: "{kind}" is neither individual nor organization'])
    new_kind = cast(Kind, kind)
    problems = _misplaced(given, correctable(letter.settings, new_kind), new_kind)
    problems += _hidden_ones(given, signature, new_kind)
    read: dict[str, Any] = {"kind": new_kind}
    try:
        read |= read_corrections(given, letter.settings, new_kind)
    except Invalid as error:
        problems += _in_words(error)
    if new_kind == "organization" and "organization" not in given and not signature.organization:
        problems.append("organization: an organization needs a name")
    if problems:
        raise Problems(problems)
    return {name: value for name, value in read.items() if getattr(signature, name) != value}


_WORDS = {
    "missing": "this may not be empty",
    "too_long": "at most {max} characters",
    "control": "without control characters and invisible ones",
    "link": "a name, not a web address",
    "punctuation": "with letters or digits",
    "url": "a web address such as https://example.org",
    "signed_already": "its signer has signed for that organization already",
}


def _in_words(error: Invalid) -> list[str]:
    """For staff: the texts of the form speak to the signer."""
    return [f"{one.field}: {_WORDS[one.code].format_map(one.values)}" for one in error.errors]


def _misplaced(given: Mapping[str, str], fields: tuple[str, ...], kind: Kind) -> list[str]:
    """Keys that this signature does not have in this letter."""
    known = ("kind", *fields)
    return [
        f"{key}: {f'a signature of kind {kind} in this letter has none' if key in KEYS else 'this cannot be edited'}"
        f"; known: {', '.join(known)}"
        for key in given
        if key not in known
    ]


def _hidden_ones(given: Mapping[str, str], signature: Signature, kind: Kind) -> list[str]:
    if kind == signature.kind:
        return []
    if kind == "organization" and not signature.public:
        return ["kind: its signer chose not to be listed, which staff cannot undo; an organization is always shown"]
    if kind == "individual" and not given.get("name", "").strip():
        return ["name: say which name is shown from now on; a representative's never was"]
    return []


async def _change_words(turn: Turn, signature: Signature, changed: Mapping[str, Any]) -> None:
    try:
        await change_shown(turn, signature, changed, by_staff=True)
    except Invalid as error:
        raise Problems(_in_words(error)) from error


async def _change_kind(turn: Turn, signature: Signature, changed: Mapping[str, Any], staff: Staff) -> None:
    new = replace(signature, **changed)
    home = await household(turn, signature)
    repeats = [one for one in home.mine if one.id != signature.id and one.status == "confirmed"]
    merged = [*home.merged, *[one for one in repeats if await was_merged(turn, one)]]
    if merged:
        raise Problems([f"{one.id}: this is merged with {signature.id}; restore it first" for one in merged])
    values = {**changed, "sort_key": sort_key(new.display_name), "initiator_rank": None}
    if signature.listing != "hidden_by_staff":
        values["listing"] = listing_of(turn.letter.settings, new.kind, public=new.public, match=evidence(new))
    if signature.email is not None and signature.signer_hash is not None:
        values["signer_hash"] = await _move_place(turn, signature, new)
    if signature.counted:
        turn.count(signature, -1)
        turn.count(new, 1)
    await update_signature(turn.writer, signature.id, **values)
    await unreviewed(turn, signature, staff.actor)
    if signature.quarantine is None:
        turn.tell(new, "signature.updated", status=signature.status)
    for one in repeats:
        await _go_along(turn, one, new, values)


async def _go_along(turn: Turn, repeat: Signature, new: Signature, values: Mapping[str, Any]) -> None:
    """What repeats it is the same signer's, and so of the same kind."""
    own: dict[str, Any] = {
        "kind": new.kind, "organization": new.organization,
        "name": repeat.name or (new.name if new.kind == "individual" else None),
        "signer_hash": values.get("signer_hash", repeat.signer_hash),
    }  # fmt: skip
    changed = replace(repeat, **own)
    await update_signature(turn.writer, repeat.id, **own, sort_key=sort_key(changed.display_name))
    turn.tell(changed, "signature.updated", status=repeat.status)


async def _move_place(turn: Turn, signature: Signature, new: Signature) -> str:
    """The signer's hash of the new kind. Raises `Problems` where they have signed as that already."""
    canonical = emails.read(signature.email or "").canonical
    moved = signer_hash(turn.letter.signer_key, new.kind, canonical, new.organization)
    if signature.counted:
        held = await take_place(turn.writer, signature.letter_id, moved, signature.id)
        if held is not None:
            what = "was refused" if held.rejected else "is there already"
            raise Problems([f"kind: this signer's signature of kind {new.kind} {what}: {held.signature_id}"])
        await leave_places(turn.writer, signature)
    return moved
