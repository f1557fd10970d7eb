"""`undersigned rule`: domains and addresses that are set aside, and those that are let through all the same."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.domain.block_rules import BlockRule
from widget_server.domain.letters import Letter
from widget_server.flows.block_rules import add_rules, is_blocked, remove_rules, rules_of
from widget_server.flows.named import letter_named

app = typer.Typer(
    help="Block rules: domains and addresses whose signatures are set aside.",
    no_args_is_help=True,
)

Slug = Annotated[str | None, typer.Option("--letter", metavar="SLUG", help="For one letter; without it, for all.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit log.")]


@app.command("list")
@command
async def list_(letter: Slug = None, as_json: Json = False) -> None:
    """List your own rules. The shipped ones (throwaway domains, addresses of machines) are not among them."""
    async with desk() as d:
        rules = await rules_of(d.db, await _letter(d, letter))
        values = await _described(d, rules)
        say(values, as_json, [_line(value) for value in values] or "No rule of your own; the shipped ones hold.")


@app.command()
@command
async def add(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN …",
            help="`spam.example` (addresses there), `*.spam.example` (below it), `jane*@x.example`, `noreply@*`.",
        ),
    ],
    letter: Slug = None,
    allow: Annotated[
        bool, typer.Option("--allow", help="Let these through, whatever other rules say, shipped ones included.")
    ] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Add rules. Whoever signs with such an address from now on is set aside and notices nothing.

    `*` stands for any characters, `?` for one. Addresses are compared as typed and in their canonical form. What was
    signed before is left as it is: "signatures reject" finds it by pattern.
    """
    async with desk() as d:
        its_letter = await _letter(d, letter)
        rules = await add_rules(
            d.db, its_letter, patterns, allow=allow, reason=reason, now=d.now(), actor=d.actor
        )  # fmt: skip
        values = await _described(d, rules)
        say(values, as_json, [_line(value) for value in values])


@app.command()
@command
async def remove(
    ids: Annotated[list[int], typer.Argument(metavar="ID …", help='Their numbers, from "rule list".')],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Remove rules: all that are named, or none."""
    async with desk() as d:
        values = await _described(d, await remove_rules(d.db, ids, reason=reason, now=d.now(), actor=d.actor))
        say(values, as_json, [f"Removed: {_line(value).lstrip()}" for value in values])


@app.command()
@command
async def check(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address, as somebody would type it.")],
    as_json: Json = False,
) -> None:
    """Say whether a signature with this address would be set aside, by the shipped rules and your own."""
    async with desk() as d:
        blocked = await is_blocked(d.db, await letter_named(d.directory, letter), address)
        value = {"letter": letter, "address": address, "blocked": blocked}
        say(value, as_json, f"{address}: {'blocked' if blocked else 'not blocked'}")


async def _letter(d: Desk, slug: str | None) -> Letter | None:
    return None if slug is None else await letter_named(d.directory, slug)


async def _described(d: Desk, rules: list[BlockRule]) -> list[dict[str, Any]]:
    slugs = {letter.id: letter.slug for letter in await d.directory.letters()}
    return [
        {
            "id": rule.id,
            "pattern": rule.pattern,
            "allow": rule.allow,
            "letter": None if rule.letter_id is None else slugs.get(rule.letter_id),
            "reason": rule.reason,
            "actor": rule.actor,
            "created_at": rule.created_at.isoformat(),
        }
        for rule in rules
    ]


def _line(value: dict[str, Any]) -> str:
    verb = "allow" if value["allow"] else "block"
    where = f"letter {value['letter']}" if value["letter"] else "all letters"
    return f"{value['id']:>5}  {verb}  {value['pattern']}  {where}{'  ' + value['reason'] if value['reason'] else ''}"
