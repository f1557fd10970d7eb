"""`undersigned partner`: the partners of a letter, their snippets and what they say of themselves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from widget_server.cli.desk import Desk, Json, command, desk, say
from widget_server.domain.letters import Letter
from widget_server.domain.partner_changes import KEYS, read_pairs
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
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
        _say_snippet(d, its_letter, partner, as_json, f"Partner {slug} is added. Its snippet:")


@app.command("list")
@command
async def list_(letter: LetterSlug, as_json: Json = False) -> None:
    """List the partners of a letter."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partners = await d.directory.partners(its_letter.id)
        lines = [
            f"{p.slug}  {'revoked' if p.revoked_at else 'active'}  {p.name}  {' '.join(p.origins)}".rstrip()
            for p in partners
        ]
        say([_described(p, its_letter) for p in partners], as_json, lines)


@app.command()
@command
async def show(letter: LetterSlug, slug: Slug, as_json: Json = False) -> None:
    """Show a partner: what it says of itself, its token and its snippet."""
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        partner = await partner_named(d.directory, its_letter, slug)
        value = {**_described(partner, its_letter), **_snippet(d, its_letter, partner)}
        lines = [
            f"  {key:<17}{_readable(shown)}"
            for key, shown in value.items()
            if key not in ("token", "snippet") and shown not in (None, [], "")
        ]
        if not partner.is_house and not partner.may_ask_consent:
            lines.append(
                "  No consent box is shown for this partner until legal_name, postal_address, privacy_url and"
                " contact_email or phone are set."
            )
        say(value, as_json, [*lines, "", value["snippet"]])


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
    and contact_email or phone are set may offer signers a consent box of its own.
    """
    async with desk() as d:
        its_letter = await letter_named(d.directory, letter)
        await partner_named(d.directory, its_letter, slug)
        partner = await set_partner(d.db, its_letter, slug, read_pairs(pairs), now=d.now(), actor=d.actor)
        value = _described(partner, its_letter)
        say(value, as_json, f"Partner {slug} is as you said.")


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
        said = f"The token of {slug} now has version {partner.version}; older ones still work. Its new snippet:"
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


def _snippet(d: Desk, letter: Letter, partner: Partner) -> dict[str, Any]:
    token = token_of(d.seals, letter, partner)
    locale = letter.locale(partner.locale)
    return {
        "letter": letter.slug,
        "partner": partner.slug,
        "version": partner.version,
        "token": token,
        "snippet": snippet(d.settings.public_url, letter, partner, token, locale),
    }


def _say_snippet(d: Desk, letter: Letter, partner: Partner, as_json: bool, said: str) -> None:
    value = _snippet(d, letter, partner)
    say(value, as_json, [said, "", value["snippet"]])


def _described(partner: Partner, letter: Letter) -> dict[str, Any]:
    return {
        "letter": letter.slug,
        "partner": partner.slug,
        "status": "revoked" if partner.revoked_at else "active",
        "version": partner.version,
        "revoked_versions": sorted(partner.revoked_versions),
        "revoked_at": partner.revoked_at.isoformat() if partner.revoked_at else None,
        **{key: list(v) if isinstance(v := getattr(partner, key), tuple) else v for key in KEYS},
        "created_at": partner.created_at.isoformat(),
    }


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
