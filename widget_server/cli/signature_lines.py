"""Signatures as the commands show them, and the arguments that these commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from widget_server.cli.desk import Desk, say
from widget_server.domain.letters import Letter
from widget_server.domain.listing import Verdict, judge
from widget_server.domain.signatures import Signature
from widget_server.flows.export import as_dict

LetterSlug = Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID …", help='As "signatures list" shows them.')]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit log. Name nobody in it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking; needed where nobody can be asked.")]

CLIENT_SHOWN = 8
"""So many characters of a client's hash are enough to tell clients apart."""

_EVIDENCE: Mapping[Verdict, str] = {
    "match": "address confirmed, on {domain}, the website's domain",
    "unconfirmed": "address not confirmed",
    "no_address": "no address",
    "no_website": "address confirmed, on {domain}; no website given",
    "free_mail": "address confirmed, but anybody can have one at {domain}",
    "elsewhere": "address confirmed, on {domain}, which is not the website's domain",
}
_QUARANTINE = {
    "honeypot": "filled in a field that people do not see",
    "rejected_before": "its signer was refused before",
    "blocked": "a block rule fits its address",
    "fast": "sent sooner than anybody reads",
    "not_shown": "the form was not one of ours",
}


async def partner_slugs(d: Desk, letter: Letter) -> dict[int, str]:
    """By id."""
    return {partner.id: partner.slug for partner in await d.directory.partners(letter.id)}


def say_signatures(
    found: Sequence[Signature], partners: Mapping[int, str], as_json: bool, none: str, *, in_full: bool = False
) -> None:
    """`in_full`: with what tells one signer from another, and the client."""
    values = [as_dict(one, partners) | ({"client": one.client} if in_full else {}) for one in found]
    lines = [text for one in found for text in (_in_full(one, partners) if in_full else [line(one)])]
    say(values, as_json, lines or none)


def _in_full(one: Signature, partners: Mapping[int, str]) -> list[str]:
    who = [one.name] if one.kind == "organization" and one.name else []
    through = f"through {partners.get(one.partner_id, '–')}"
    signed = f"signed {one.created_at:%Y-%m-%d %H:%M}Z"
    return [line(one, with_client=True), f"    {', '.join([*who, one.email or 'no address'])}  {signed} {through}"]


def line(one: Signature, *, with_client: bool = False) -> str:
    """One signature on one line, with what staff would want to know before they decide."""
    marks = [name for name, holds in _marks(one).items() if holds]
    if with_client and one.client is not None:
        marks.append(f"client {one.client[:CLIENT_SHOWN]}")
    told = "".join(f"  [{mark}]" for mark in marks)
    if one.kind == "organization" and one.status in ("pending", "confirmed") and one.repeat_of is None:
        told += f"  {evidence_words(one)}"
    return (
        f"{one.id}  {one.status:<9}  {one.listing:<16}  {one.statement:<4}  "
        f"{one.kind:<12}  {one.display_name or '–'}{told}"
    )


def _marks(one: Signature) -> dict[str, bool]:
    return {
        "test": one.test,
        _quarantine_mark(one): one.quarantine is not None,
        "repeat": one.repeat_of is not None,
        "address refused": one.mail_refused_at is not None,
    }


def _quarantine_mark(one: Signature) -> str:
    """Why, and whether somebody waits there in earnest."""
    at = one.address_confirmed_at
    confirmed = "" if at is None else f"; address confirmed {at:%Y-%m-%d}"
    return f"quarantine: {quarantine_words(one.quarantine)}{confirmed}"


def quarantine_words(codes: str | None) -> str:
    return ", ".join(_QUARANTINE.get(code, code) for code in (codes or "").split(","))


def evidence_words(one: Signature) -> str:
    """What speaks for whoever signed for an organization, or against them."""
    judged = judge(one)
    return _EVIDENCE[judged.verdict].format(domain=judged.domain)


def numbered(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def done_lines(done: Sequence[str], what: str, repeated: Sequence[str], before: str) -> list[str]:
    return [f"{id_} {what}." for id_ in done] + [f"{id_} {before}." for id_ in repeated]
