"""The form that a signer sends: read field by field, judged whole, every problem at once.

One thing must stay true: nothing that fails here is stored, and nothing that passes can make a database driver fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from widget_server.domain import emails, names
from widget_server.domain.countries import CODES
from widget_server.domain.ids import read_id
from widget_server.domain.letters import LetterSettings
from widget_server.domain.partners import read_page, read_source
from widget_server.domain.refusals import FieldError, Invalid
from widget_server.domain.signatures import Kind

HONEYPOT = "hp_contact_2"
MAX_COMMENT = 1000
MAX_URL = 500
MAX_ELAPSED = 2**53

_TRUE = frozenset({"true", "1", "on", "yes"})
_FALSE = frozenset({"false", "0", "off", "no"})


class SignForm(NamedTuple):
    """What passed. `email` is both forms of the address; an organization is always `public`."""

    id: str | None
    kind: Kind
    name: str | None
    organization: str | None
    authorized: bool
    role: str | None
    organization_website: str | None
    email: emails.Email
    country: str
    postal_code: str | None
    city: str | None
    comment: str | None
    locale: str
    public: bool
    contact_opt_in: bool
    partner_opt_in: bool
    source: str | None
    page: str | None
    shown: str | None
    replaces: str | None
    elapsed: int | None
    honeypot: bool
    test: bool


class _Wrong(ValueError):
    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("text")
    return value


def _line(max_length: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = _text(value)
        if not {"\n", "\r"}.isdisjoint(text.strip()):
            raise _Wrong("control")  # no browser sends a line break in a line; what writes mail headers does
        try:
            return names.name(text, max_length=max_length)
        except names.BadText as error:
            if error.code == "too_long":
                raise _Wrong("too_long", max=max_length) from error
            raise _Wrong("missing" if error.code == "empty" else error.code) from error

    return read


def _email(value: Any) -> emails.Email:
    text = _text(value)
    try:
        return emails.read(text)
    except emails.BadEmail as error:
        if error.code == "too_long":
            raise _Wrong("too_long", max=emails.MAX_LENGTH) from error
        raise _Wrong("missing" if error.code == "empty" else "email") from error


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _Wrong("boolean")


def _kind(value: Any) -> Kind:
    if value == "individual":
        return "individual"
    if value == "organization":
        return "organization"
    raise _Wrong("choice")


def _country(value: Any) -> str:
    code = _text(value).strip().upper()
    if code not in CODES:
        raise _Wrong("country")
    return code


def _comment(value: Any) -> str:
    text = _text(value).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > MAX_COMMENT:
        raise _Wrong("too_long", max=MAX_COMMENT)
    if names.has_forbidden_characters(text):
        raise _Wrong("control")
    return text


def _website(value: Any) -> str:
    text = _text(value).strip()
    if len(text) > MAX_URL:
        raise _Wrong("too_long", max=MAX_URL)
    address = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise _Wrong("url") from error
    if (
        parts.scheme not in ("http", "https")
        or "." not in (parts.hostname or "")
        or parts.username is not None
        or not address.isprintable()
        or " " in address
    ):
        raise _Wrong("url")
    return address


def _id(value: Any) -> str:
    found = read_id(_text(value))
    if found is None:
        raise _Wrong("uuid")
    return found


def _dropped(reader: Callable[[str | None], str | None]) -> Callable[[Any], str | None]:
    """For attribution: a malformed tag is dropped, never an error."""
    return lambda value: reader(value) if isinstance(value, str) else None


def _elapsed(value: Any) -> int | None:
    """A measure for suspicion only: nonsense counts as not sent."""
    if isinstance(value, bool):
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < MAX_ELAPSED else None


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": _id,
    "kind": _kind,
    "name": _line(names.MAX_LENGTH),
    "organization": _line(names.MAX_LENGTH),
    "authorized": _boolean,
    "role": _line(names.MAX_LENGTH),
    "organization_website": _website,
    "email": _email,
    "country": _country,
    "postal_code": _line(20),
    "city": _line(100),
    "comment": _comment,
    "public": _boolean,
    "contact_opt_in": _boolean,
    "partner_opt_in": _boolean,
    "source": _dropped(read_source),
    "page": _dropped(read_page),
    "elapsed": _elapsed,
    "test": _boolean,
}

_BY_LETTER: tuple[Literal["role", "postal_code", "city", "comment"], ...] = (
    "role",
    "postal_code",
    "city",
    "comment",
)


def read_form(fields: Mapping[str, Any], letter: LetterSettings) -> SignForm:
    """Reads what was sent for `letter`. An empty field counts as not sent. Raises `Invalid` with every problem."""
    got: dict[str, Any] = {}
    wrong: dict[str, FieldError] = {}
    for field, value in fields.items():
        reader = _READERS.get(field)
        if reader is None or value is None or value == "":
            continue
        try:
            got[field] = reader(value)
        except _Wrong as error:
            wrong[field] = FieldError(field, error.code, error.values)

    def need(field: str) -> None:
        if not got.get(field) and field not in wrong:
            wrong[field] = FieldError(field, "missing")

    kind: Kind | None = got.get("kind")
    need("kind")
    if kind == "individual":
        need("name")
    if kind == "organization":
        need("organization")
        need("authorized")
    need("email")
    need("country")
    for field in _BY_LETTER:
        use = getattr(letter.fields, field)
        if use == "required" and not (field == "role" and kind == "organization"):
            need(field)
        elif use == "hidden":
            got.pop(field, None)
            wrong.pop(field, None)
    if "country" in got and letter.statement_for(got["country"]) is None:
        wrong["country"] = FieldError("country", "uncovered", {"country": got["country"]})
    locale = fields.get("locale") or letter.locales[0]
    if locale not in letter.locales:
        wrong["locale"] = FieldError("locale", "choice")
    if wrong:
        raise Invalid([wrong[field] for field in _ORDER if field in wrong])

    organization = kind == "organization"
    shown, replaces = fields.get("shown"), fields.get("replaces")
    return SignForm(
        id=got.get("id"),
        kind=got["kind"],
        name=got.get("name"),
        organization=got.get("organization"),
        authorized=organization and got.get("authorized", False),
        role=got.get("role"),
        organization_website=got.get("organization_website") if organization else None,
        email=got["email"],
        country=got["country"],
        postal_code=got.get("postal_code"),
        city=got.get("city"),
        comment=got.get("comment") or None,
        locale=locale,
        public=organization or got.get("public", True),
        contact_opt_in=got.get("contact_opt_in", False),
        partner_opt_in=got.get("partner_opt_in", False),
        source=got.get("source"),
        page=got.get("page"),
        shown=shown if isinstance(shown, str) else None,
        replaces=replaces if isinstance(replaces, str) else None,
        elapsed=got.get("elapsed"),
        honeypot=bool(fields.get(HONEYPOT)),
        test=got.get("test", False),
    )


_SHOWN_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "individual": ("name", "organization", "role", "city"),
    "organization": ("organization", "organization_website", "name", "role", "city"),
}
"""What a signer may correct, by kind."""


def correctable(letter: LetterSettings, kind: Kind) -> tuple[str, ...]:
    """The fields that a signature of this kind has in this letter, and that its signer may correct."""
    return tuple(
        field for field in _SHOWN_FIELDS[kind] if field not in _BY_LETTER or getattr(letter.fields, field) != "hidden"
    )


def read_corrections(fields: Mapping[str, Any], letter: LetterSettings, kind: Kind) -> dict[str, str | None]:
    """Values by field, of those that were sent; an empty one clears what may be empty. Raises `Invalid`."""
    got: dict[str, str | None] = {}
    wrong: list[FieldError] = []
    for field in correctable(letter, kind):
        if field not in fields:
            continue
        value = fields[field]
        if value is None or (isinstance(value, str) and not value.strip()):
            if must_stay(field, letter, kind):
                wrong.append(FieldError(field, "missing"))
            else:
                got[field] = None
            continue
        try:
            got[field] = _READERS[field](value)
        except _Wrong as error:
            wrong.append(FieldError(field, error.code, error.values))
    if wrong:
        raise Invalid(wrong)
    return got


def must_stay(field: str, letter: LetterSettings, kind: Kind) -> bool:
    """Whether a correction may not leave it empty."""
    if field == ("organization" if kind == "organization" else "name"):
        return True
    return kind == "individual" and getattr(letter.fields, field, "optional") == "required"


_ORDER = (
    "kind", "organization", "name", "role", "organization_website", "email", "country", "city", "postal_code",
    "comment", "authorized", "public", "contact_opt_in", "partner_opt_in", "locale", "id", "test",
)  # fmt: skip
"""As the form shows them, so that a summary reads from top to bottom."""
