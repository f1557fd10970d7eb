"""The settings: read once, from the environment or `.env`, and handed down as plain values.

One thing must stay true: a wrong value stops the start, and all wrong ones are named at once.
"""

from __future__ import annotations

import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from widget_server.domain.emails import BadEmail
from widget_server.domain.emails import read as read_email
from widget_server.domain.limits import Window, read_windows
from widget_server.domain.refusals import Problems
from widget_server.mail.servers import read_mail_server

PREFIX = "UNDERSIGNED_"
KEY_FILE = Path("var/secret.key")

Network = IPv4Network | IPv6Network


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    parts = _split(value)
    try:
        return tuple(part if isinstance(part, Network) else ip_network(part) for part in parts)
    except ValueError as error:
        raise ValueError("CIDR blocks, comma-separated, such as 10.0.0.0/8,fd00::/8") from error


def _database_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "sqlite" and len(parts.path) > 1 and not parts.netloc:
        return value
    if parts.scheme in ("postgresql", "postgres") and len(parts.path) > 1:
        return "postgresql" + value[len(parts.scheme) :]
    raise ValueError("sqlite:///PATH or postgresql://USER@HOST/NAME")


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme in ("http", "https")
        and parts.hostname
        and not (parts.path.strip("/") or parts.query or parts.fragment)
    ):
        return value.rstrip("/")
    raise ValueError("http:// or https:// and a host, without a path, such as https://letters.example.org")


def _smtp_url(value: str) -> str | None:
    if not value:
        return None
    read_mail_server(value)
    return value


def _mail_from(value: str) -> str:
    if value:
        try:
            read_email(value)
        except BadEmail as error:
            raise ValueError("an e-mail address, such as letters@example.org") from error
    return value


def _keys(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(len(key) < 16 for key in value):
        raise ValueError("keys of at least 16 characters, comma-separated, the newest first")
    return value


def _rate_limit(value: str) -> str:
    read_windows(value)
    return value


class Settings(BaseSettings):
    """Contract, section 2. Construct it with keyword values, or read the environment with `read_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = "sqlite:///var/undersigned.db"
    secret_keys: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_keys)] = ()
    public_url: Annotated[str, AfterValidator(_public_url)] = "http://127.0.0.1:8000"
    smtp_url: Annotated[str | None, BeforeValidator(_smtp_url)] = None
    mail_from: Annotated[str, AfterValidator(_mail_from)] = ""
    egress_allow: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    proof_of_work: Literal["off", "auto", "always"] = "auto"
    rate_limit: Annotated[str, AfterValidator(_rate_limit)] = Field(default="10/minute;60/hour")

    @property
    def sender(self) -> str:
        """`mail_from`, or `undersigned@` the public URL's host."""
        return self.mail_from or f"undersigned@{urlsplit(self.public_url).hostname}"

    @property
    def windows(self) -> tuple[Window, ...]:
        """The rate limit's windows, which hold together; none when it is off."""
        return read_windows(self.rate_limit)


_ACCEPTED = {"literal_error": "off, auto or always"}
_ADDRESSES = {"smtp_url", "database_url"}


def read_settings() -> Settings:
    """The environment's settings, with a secret key made and kept on the first start. Raises `Problems`."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise Problems([_sentence(problem) for problem in error.errors(include_url=False)]) from error
    if not settings.secret_keys:
        settings = settings.model_copy(update={"secret_keys": (_kept_key(KEY_FILE),)})
    return settings


def _sentence(problem: Any) -> str:
    name = str(problem["loc"][0])
    variable = f"{PREFIX}{name.upper()}"
    message = problem["msg"].removeprefix("Value error, ")
    accepted = _ACCEPTED.get(problem["type"], message)
    given = _shown(name, str(problem["input"]))
    return f"{variable}: {given} cannot be used; accepted: {accepted}"


def _shown(name: str, given: str) -> str:
    """What was given, without the keys and the credentials in it."""
    scheme, found, _ = given.partition("://")
    if name in _ADDRESSES and found:
        return repr(f"{scheme}://…")
    return "what was given (not shown here)" if name in ("secret_keys", *_ADDRESSES) else repr(given)


def _kept_key(file: Path) -> str:
    """The key in `file`; made first, readable by nobody else, where there is none yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        key = file.read_text("utf-8").strip()
        if len(key) < 16:
            raise Problems([f"{file} holds no key: delete it to make a new one, or set {PREFIX}SECRET_KEYS"]) from None
        return key
    key = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(key + "\n")
    return key
