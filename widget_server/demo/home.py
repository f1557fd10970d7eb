"""Where the demo lives: `var/demo/`, with settings of its own and a command line on its own data.

One thing must stay true: nothing from the environment or `.env` reaches the demo's settings, so that it
cannot touch a database that is in use.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from widget_server.settings import PREFIX, Settings

HOME = Path("var/demo")


@dataclass(frozen=True, slots=True)
class Home:
    """The demo's folder and the ports that it is reached at."""

    folder: Path
    port: int

    @property
    def server_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pages_url(self) -> str:
        """A second origin: other name, other port."""
        return f"http://localhost:{self.port + 1}"

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Where the pages may be opened; the second is for whoever types the number."""
        return (self.pages_url, f"http://127.0.0.1:{self.port + 1}")

    @property
    def inbox_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    @property
    def inbox_file(self) -> Path:
        return self.folder / "inbox.jsonl"

    @property
    def mail_folder(self) -> Path:
        """Where mails to signers are written."""
        return self.folder / "mail"

    @property
    def command_file(self) -> Path:
        """The command line on this database."""
        return self.folder / "undersigned"

    def start_over(self) -> None:
        """Removes everything that the demo has made."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self) -> Settings:
        """Makes the folder, its key and its command; gives the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = self._variables(self._key())
        self._write_command(variables)
        given = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}
        # Every setting is given: what is not would be read from the environment.
        return Settings(_env_file=None, **given)  # type: ignore[arg-type]

    def _variables(self, key: str) -> Mapping[str, str]:
        return {
            f"{PREFIX}DATABASE_URL": f"sqlite:///{self.folder.absolute()}/undersigned.db",
            f"{PREFIX}SECRET_KEYS": key,
            f"{PREFIX}PUBLIC_URL": self.server_url,
            f"{PREFIX}SMTP_URL": "",
            f"{PREFIX}MAIL_FROM": "",
            f"{PREFIX}EGRESS_ALLOW": "127.0.0.0/8",
            f"{PREFIX}TRUSTED_PROXIES": "",
            f"{PREFIX}PROOF_OF_WORK": "auto",
            f"{PREFIX}RATE_LIMIT": "60/minute;600/hour",
        }

    def _key(self) -> str:
        file = self.folder / "secret.key"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32) + "\n")
        return file.read_text("utf-8").strip()

    def _write_command(self, variables: Mapping[str, str]) -> None:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        write_private(
            self.command_file,
            "#!/bin/sh\n# The command line on the demo's own data. Written anew at each start of the demo.\n"
            f'{"".join(lines)}exec {shlex.quote(sys.executable)} -m widget_server "$@"\n',
            mode=0o700,
        )


def write_private(file: Path, text: str, *, mode: int = 0o600) -> None:
    """Writes `file` whole, readable by nobody else."""
    new = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode), "w", encoding="utf-8") as out:
        out.write(text)
    new.replace(file)
