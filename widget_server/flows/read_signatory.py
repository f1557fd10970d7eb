"""Reads one row of a CSV file as the signature that it stands for, or all that is wrong with it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from widget_server.domain import emails
from widget_server.domain.countries import CODES
from widget_server.domain.ids import new_id
from widget_server.domain.letter_rules import name_fault
from widget_server.domain.letters import Letter
from widget_server.domain.names import BadText, clean, fold, has_forbidden_characters, sort_key
from widget_server.domain.names import name as read_name
from widget_server.domain.partners import Partner
from widget_server.domain.signatory_columns import COUNTRY_FORMS, KINDS
from widget_server.domain.signatures import Kind
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.domain.urls import read_url
from widget_server.flows.read_csv import CsvRow
from widget_server.i18n import LOCALES, countries
from widget_server.store.imports import ImportedSignature

SOURCE = "import"
_MAX_LINE = 200


class Reading:
    """One row on its way to a signature; `problems` gathers all that is wrong with it."""

    def __init__(self, row: CsvRow, letter: Letter, now: datetime) -> None:
        self.cells = row.cells
        self.letter = letter
        self.now = now
        self.problems: list[str] = []

    def signature(
        self, house: Partner, occurrences: Counter[tuple[str, str, str]], pins: Mapping[str, int]
    ) -> ImportedSignature | None:
        """None where something is wrong. `occurrences` counts the file's rows so far by identity."""
        cells, letter = self.cells, self.letter
        kind = self._kind()
        country = self._country()
        statement = letter.settings.statement_for(country) if country else None
        if country and statement is None:
            self.problems.append(f"country: the letter has no statement for {countries('en')[country]} ({country})")
        name, organization = self._name("name"), self._name("organization")
        if kind == "organization" and organization is None:
            name, organization = None, name  # a single column of names holds persons and organizations alike
        shown = organization if kind == "organization" else name
        if shown is None and not any(field in cells for field in ("name", "organization")):
            self.problems.append("name: missing")
        elif shown is None and not self.problems:
            self.problems.append("name: missing; the person who signed has no name")
        email = self._email()
        role, city, postal_code = self._name("role"), self._line("city"), self._line("postal_code")
        website, locale, at = self._website(), self._locale(), self._date()
        if self.problems or kind is None or country is None or statement is None or shown is None:
            return None
        identity = (kind, fold(shown), statement.code)
        occurrences[identity] += 1
        return ImportedSignature(
            id=new_id(),
            letter_id=letter.id,
            partner_id=house.id,
            statement=statement.code,
            kind=kind,
            name=name,
            organization=organization,
            role=role,
            organization_website=website,
            email=email.address if email else None,
            signer_hash=signer_hash(letter.signer_key, kind, email.canonical, organization) if email else None,
            address_hash=address_hash(letter.signer_key, email.canonical) if email else None,
            country=country,
            postal_code=postal_code,
            city=city,
            locale=locale,
            source=SOURCE,
            text_version=letter.version,
            import_key=import_key(*identity, occurrences[identity]),
            sort_key=sort_key(shown),
            initiator_rank=pins.get(fold(shown)),
            created_at=at,
            confirmed_at=at,
        )

    def _kind(self) -> Kind | None:
        given = self.cells.get("kind")
        kind = KINDS.get(fold(given or ""))
        if kind is None:
            what = f'"{given}" is neither' if given else "missing"
            self.problems.append(f"kind: {what}; expected Individual or Organization (Individu, Organisation)")
        return kind

    def _country(self) -> str | None:
        given = self.cells.get("country")
        code = _countries().get(fold(given or ""))
        if code is None:
            what = f'"{given}" is not known' if given else "missing"
            self.problems.append(f"country: {what}; expected an ISO code such as CA, or a name in English or French")
        return code

    def _name(self, field: str) -> str | None:
        given = self.cells.get(field)
        if given is None:
            return None
        try:
            return read_name(given)
        except BadText as error:
            self.problems.append(f"{field}: this is {name_fault(error)}")
            return None

    def _line(self, field: str) -> str | None:
        given = self.cells.get(field)
        if given is not None and (len(given) > _MAX_LINE or has_forbidden_characters(given)):
            self.problems.append(f"{field}: expected at most {_MAX_LINE} characters, without control characters")
        return None if given is None else clean(given)

    def _email(self) -> emails.Email | None:
        given = self.cells.get("email")
        if given is None:
            return None
        try:
            return emails.read(given)
        except emails.BadEmail:
            self.problems.append(f'email: "{given}" is no e-mail address; correct it, or leave it empty')
            return None

    def _website(self) -> str | None:
        given = self.cells.get("organization_website")
        if given is None:
            return None
        url = read_url(given if "://" in given else f"https://{given}")
        if url is None:
            self.problems.append(f'organization_website: "{given}" is no web address')
        return url

    def _locale(self) -> str:
        given = self.cells.get("locale")
        if given is None:
            return self.letter.default_locale
        locale = _LANGUAGES.get(fold(given), fold(given))
        if locale not in self.letter.locales:
            self.problems.append(f'locale: "{given}" is none of the letter\'s ({", ".join(self.letter.locales)})')
        return locale

    def _date(self) -> datetime:
        given = self.cells.get("date")
        if given is None:
            return self.now
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            self.problems.append(f'date: "{given}" is not readable; expected one such as 2026-06-20')
            return self.now
        at = at.replace(tzinfo=UTC) if at.utcoffset() is None else at.astimezone(UTC)
        if at > self.now:
            self.problems.append(f'date: "{given}" is in the future')
        return at


_LANGUAGES = {
    "english": "en",
    "anglais": "en",
    "french": "fr",
    "francais": "fr",
    "en ca": "en",
    "fr ca": "fr",
}


@lru_cache
def _countries() -> Mapping[str, str]:
    """Folded code, name or usual form → ISO code."""
    names = {fold(name): code for locale in LOCALES for code, name in countries(locale).items()}
    return {**COUNTRY_FORMS, **names, **{code.casefold(): code for code in CODES}}


def import_key(kind: str, folded_name: str, statement: str, occurrence: int) -> str:
    """43 characters that stand for a row, the same whenever it is imported."""
    identity = json.dumps([kind, folded_name, statement, occurrence], ensure_ascii=False)
    return urlsafe_b64encode(sha256(identity.encode()).digest()).rstrip(b"=").decode("ascii")
