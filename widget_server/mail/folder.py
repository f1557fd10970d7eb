"""Where mails go while no mail server is set: a folder, one file a mail.

One thing must stay true: a file that is there is whole; it was renamed into place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from widget_server.contract import Response
from widget_server.mail.message import Message
from widget_server.mail.trouble import NoWayOut

FOLDER = Path("var/mail")


class Folder:
    """Writes `TIME-NAME.eml`, readable by nobody else: the names sort by time."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    async def send(self, mail: Message) -> Response:
        """Raises `NoWayOut` where the folder cannot be written."""
        file = self._folder / f"{self._now():%Y%m%dT%H%M%S.%fZ}-{mail.name}.eml"
        try:
            await asyncio.to_thread(_write, file, mail.content)
        except OSError as error:
            raise NoWayOut("mail_folder", "connect", type(error).__name__) from error
        return Response(250, {}, f"written to {self._folder / file.name}".encode())

    def rest(self) -> None:
        """Nothing is kept open."""

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
        out.write(content)
    new.replace(file)
