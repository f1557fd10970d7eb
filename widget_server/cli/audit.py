"""`undersigned audit`: who changed what, when and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from widget_server.cli.desk import Json, command, desk, say
from widget_server.cli.signature_lines import LetterSlug
from widget_server.flows.named import letter_named
from widget_server.store.audit import AuditLine, audit_of


@command
async def audit(
    letter: LetterSlug,
    limit: Annotated[int, typer.Option(min=1, help="The latest so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the latest changes to a letter and what belongs to it, the newest last: when, by whom, what, to what, why.

    It holds ids, numbers and reasons. Names and addresses are not in it, unless somebody wrote one as a reason.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        lines = await audit_of(d.db, its_letter.id, limit)
        say([_described(one) for one in lines], as_json, [_line(one) for one in lines] or "Nothing yet.")


def _described(one: AuditLine) -> dict[str, Any]:
    """As --json has it. Times are ISO 8601, in UTC."""
    at = one.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "at": at, "actor": one.actor, "action": one.action, "subject": one.subject,
        "reason": one.reason, "data": one.data,
    }  # fmt: skip


def _line(one: AuditLine) -> str:
    said = [f"{one.at:%Y-%m-%d %H:%M:%S}Z", one.actor, one.action, one.subject or "–"]
    if one.reason is not None:
        said.append(f'"{one.reason}"')
    if one.data:
        said.append(json.dumps(one.data, ensure_ascii=False))
    return "  ".join(said)
