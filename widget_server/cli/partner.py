"""`undersigned partner`: the partners of a letter, their snippets and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.cli.table import short_time, table
from widget_server.domain.embeddings import Embedding
from widget_server.domain.install_pages import install_url
from widget_server.domain.letters import Letter
from widget_server.domain.partner_changes import KEYS, read_pairs
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height, snippet
from widget_server.flows.named import letter_named, partner_named
from widget_server.flows.partners import add_partner, revoke_partner, rotate_partner, set_partner, token_of

app = typer.Typer(
    help="A letter's partners: snippets, origins, identity.",
    no_args_is_help=True,
)

LetterSlug = Annotated[str, typer.Argument(metavar="LETTER", help="The letter's slug.")]
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The partner's slug within the letter.")]


@app.command()
@command
async def add(
    letter: LetterSlug,
    slug: Slug,
    name: Annotated[str, typer.Option(help="The organization's name, as signers read it.")],
    origin: Annotated[
        list[str],
        typer.Option(help="Where the snippet will stand, such as https://www.example.org. Repeat it for each one."),
    ],
    locale: Annotated[str | None, typer.Option(help="The site's language, one of the letter's.")] = None,
    contact: Annotated[str | None, typer.Option(help="Whom to tell of trouble with this partner's deliveries.")] = None,
    as_json: Json = False,
) -> None:
    """Add a partner and print the snippet that its webmaster pastes into a page."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partner = await add_partner(
            d.db, its_letter, slug, name=name, origins=origin, locale=locale, contact=contact,
            now=d.now(), actor=d.actor,
        )  # fmt: skip
        said = [f"Partner {slug} is added.", _consent_sentence(partner), "Its snippet:"]
        _say_snippet(d, its_letter, partner, as_json, said)


@app.command("list")
@command
async def list_(letter: LetterSlug, as_json: Json = False) -> None:
    """List the partners of a letter."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partners = await d.directory.partners(its_letter.id)
        heading = ("partner", "status", "consent box", "name", "origins")
        rows = [(p.slug, _status(p), _consent_mark(p), p.name, " ".join(p.origins)) for p in partners]
        say([_described(p, its_letter) for p in partners], as_json, table(heading, rows))


@app.command()
@command
async def show(letter: LetterSlug, slug: Slug, as_json: Json = False) -> None:
    """Show a partner: what it says of itself, its token, its snippet, and the address of its webmaster's page."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partner = await partner_named(d.directory, its_letter, slug)
        value = {**_described(partner, its_letter), **_snippet(d, its_letter, partner)}
        value["pinned_snippet"] = _pinned(d, its_letter, partner)
        lines = [
            f"  {key:<17}{_readable(shown)}"
            for key, shown in value.items()
            if key not in _SHOWN_APART and shown not in (None, [], "")
        ]
        lines += [f"  {'added':<17}{short_time(partner.created_at)}"]
        lines += [f"  {'revoked':<17}{short_time(partner.revoked_at)}"] if partner.revoked_at else []
        lines += [f"  {'consent box':<17}{_consent_words(partner)}"]
        lines += [] if partner.revoked_at else [f"  {'height':<17}{value['height']} px, reserved by the snippet"]
        say(value, as_json, [*lines, "", *_readable_snippet(value, partner)])


@app.command("set")
@command
async def set_(
    letter: LetterSlug,
    slug: Slug,
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE …", help=f"Keys: {', '.join(KEYS)}.")],
    as_json: Json = False,
) -> None:
    """Change what a partner says of itself; an empty value clears it.

    Several origins are separated by commas or blanks. A partner whose legal_name, postal_address, privacy_url
    and contact_email or phone are set offers signers a consent box of its own, and its form is higher by that.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        before = await partner_named(d.directory, its_letter, slug)
        partner = await set_partner(d.db, its_letter, slug, read_pairs(pairs), now=d.now(), actor=d.actor)
        value = {**_described(partner, its_letter), "height_before": height(its_letter, before)}
        say(value, as_json, [f"Partner {slug} is as you said.", *_consequences(d, its_letter, before, partner)])


@app.command()
@command
async def rotate(letter: LetterSlug, slug: Slug, as_json: Json = False) -> None:
    """Make a new version of a partner's token and print the new snippet.

    Older versions go on working and crediting the partner, until "partner revoke LETTER SLUG --version N".
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        await partner_named(d.directory, its_letter, slug)
        partner = await rotate_partner(d.db, its_letter, slug, now=d.now(), actor=d.actor)
        said = [f"The token of {slug} now has version {partner.version}; older ones still work. Its new snippet:"]
        _say_snippet(d, its_letter, partner, as_json, said)


@app.command()
@command
async def revoke(
    letter: LetterSlug,
    slug: Slug,
    version: Annotated[
        int | None, typer.Option(help="Revoke only this version of its token; without it, the whole partner.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Revoke a partner, or one version of its token. What was signed through it stays."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        await partner_named(d.directory, its_letter, slug)
        partner = await revoke_partner(d.db, its_letter, slug, version=version, now=d.now(), actor=d.actor)
        if version is None:
            said = f"Partner {slug} is revoked: its site now shows a link to the letter instead of the form."
        elif version == partner.version:
            said = f'Version {version} of {slug}, the newest, is revoked; "partner rotate" makes another.'
        else:
            said = f"Version {version} of {slug} is revoked."
        say(_described(partner, its_letter), as_json, said)


def _status(partner: Partner) -> str:
    return "revoked" if partner.revoked_at else "active"


def _consent_words(partner: Partner) -> str:
    """Whether signers are offered the partner's own consent box, and what is missing for it."""
    if partner.is_house:
        return "none of its own: the letter's page offers the initiators', by identity in letter.toml"
    if partner.revoked_at:
        return "not offered: the partner is revoked"
    missing = partner.missing_for_consent
    return f"not offered, missing: {', '.join(missing)}" if missing else "offered"


def _consent_mark(partner: Partner) -> str:
    return "offered" if partner.may_ask_consent and not partner.revoked_at else ""


def _consent_sentence(partner: Partner) -> str:
    return f"Consent box: {_consent_words(partner)}."


def _consequences(d: Desk, letter: Letter, before: Partner, after: Partner) -> list[str]:
    """What a change means for the form and for the snippet that stands in a page already."""
    lines = []
    if before.missing_for_consent != after.missing_for_consent:
        lines.append(_consent_sentence(after))
    if after.revoked_at:
        return lines
    old, new = height(letter, before), height(letter, after)
    again = f"send the snippet again: undersigned partner show {letter.slug} {after.slug}"
    if old != new:
        lines.append(f"The snippet's height changed from {old} to {new} px: {again}")
    elif _snippet(d, letter, before)["snippet"] != _snippet(d, letter, after)["snippet"]:
        lines.append(f"The language of the snippet's link changed: {again}")
    return lines


_SHOWN_APART = frozenset(
    {
        "token",
        "snippet",
        "pinned_snippet",
        "install_url",
        "consent_offered",
        "consent_missing",
        "height",
        "created_at",
        "revoked_at",
    }
)


def _snippet(d: Desk, letter: Letter, partner: Partner) -> dict[str, Any]:
    token = token_of(d.seals, letter, partner)
    locale = letter.locale(partner.locale)
    return {
        "letter": letter.slug,
        "partner": partner.slug,
        "version": partner.version,
        "token": token,
        "snippet": snippet(d.settings.public_url, letter, partner, token, locale),
        "install_url": install_url(d.settings.public_url, d.seals, letter, partner),
    }


def _pinned(d: Desk, letter: Letter, partner: Partner) -> str:
    """With the integrity of this version's library."""
    from widget_server.web.scripts import Script
    from widget_server.web.widget_file import widget_files

    library = Script.of("widget", widget_files(d.settings.public_url, d.texts).alone)
    token, locale = token_of(d.seals, letter, partner), letter.locale(partner.locale)
    return Embedding(d.settings.public_url, letter, partner, token, locale).pinned(library.path, library.integrity)


def _say_snippet(d: Desk, letter: Letter, partner: Partner, as_json: bool, said: list[str]) -> None:
    value = _snippet(d, letter, partner)
    say(value, as_json, [*said, "", *_readable_snippet(value, partner)])


def _readable_snippet(value: Mapping[str, Any], partner: Partner) -> list[str]:
    page = [
        "",
        "The webmaster's own page has it for every system, with colours, where it was seen, and numbers. Whoever has",
        "this address sees them, until the partner is revoked:",
        "",
        value["install_url"],
    ]
    return [value["snippet"], *([] if partner.revoked_at else page)]


def _described(partner: Partner, letter: Letter) -> dict[str, Any]:
    return {
        "letter": letter.slug,
        "partner": partner.slug,
        "status": _status(partner),
        "version": partner.version,
        "revoked_versions": sorted(partner.revoked_versions),
        "revoked_at": partner.revoked_at.isoformat() if partner.revoked_at else None,
        **{key: list(v) if isinstance(v := getattr(partner, key), tuple) else v for key in KEYS},
        "consent_offered": partner.may_ask_consent and partner.revoked_at is None,
        "consent_missing": [] if partner.is_house else list(partner.missing_for_consent),
        "height": height(letter, partner),
        "created_at": partner.created_at.isoformat(),
    }


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
