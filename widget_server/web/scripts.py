"""Scripts under a name that carries the hash of their content, `/NAME.HASH.js`, so that a page may pin them.

Each script that this version gives out is kept in the database when a server starts, and a hash that another version
gave out is answered from there: an upgrade breaks no page. One thing must stay true: what was once answered for a name
and a hash is answered byte for byte for ever.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256, sha384

import brotli
import rjsmin
from starlette.requests import Request
from starlette.responses import Response

from widget_server.domain.refusals import Unknown
from widget_server.store.db import Db
from widget_server.store.scripts import find_script, has_script, keep_script
from widget_server.web.encodings import accepted, matches
from widget_server.web.problems import CORS
from widget_server.web.styles import static_folder

MEDIA_TYPE = "text/javascript; charset=utf-8"
CROSS_ORIGIN = CORS | {
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
FOR_EVER = "public, max-age=31536000, immutable"

_NAME = re.compile(r"[a-z]{1,32}")
_HASH = re.compile(r"[0-9a-f]{16}")
_OLD_ONES_HELD = 32


def file_hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Script:
    """A script that this version gives out. `path` is its address below the server's own."""

    name: str
    content: bytes
    hash: str

    @classmethod
    def of(cls, name: str, content: bytes) -> Script:
        return cls(name, content, file_hash(content))

    @classmethod
    def read(cls, name: str) -> Script:
        """`static/NAME.js`, minified."""
        return cls.of(name, rjsmin.jsmin((static_folder() / f"{name}.js").read_text("utf-8")).encode())

    @property
    def path(self) -> str:
        return f"{self.name}.{self.hash}.js"

    @property
    def integrity(self) -> str:
        """For the attribute of that name (Subresource Integrity)."""
        return f"sha384-{b64encode(sha384(self.content).digest()).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Packed:
    """One script in each encoding."""

    bodies: dict[str, bytes]

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, content: bytes) -> Packed:
        """Tens of milliseconds, the first time for each content: not on the event loop."""
        packed = brotli.compress(content, mode=brotli.MODE_TEXT, quality=11)
        return cls._with(content, packed)

    @classmethod
    def kept(cls, packed: bytes) -> Packed:
        return cls._with(brotli.decompress(packed), packed)

    @classmethod
    def _with(cls, content: bytes, packed: bytes) -> Packed:
        return cls({"identity": content, "br": packed, "gzip": gzip.compress(content, 9, mtime=0)})


class Scripts:
    """The scripts of this version, by name, and those of others as they are asked for."""

    def __init__(self, db: Db, own: Iterable[Script]) -> None:
        self._db = db
        self._own = {script.name: script for script in own}
        self._packed: dict[tuple[str, str], Packed] = {}
        self._old: OrderedDict[tuple[str, str], Packed] = OrderedDict()

    def __getitem__(self, name: str) -> Script:
        return self._own[name]

    async def start(self, now: datetime) -> None:
        """Compresses this version's scripts, once, and keeps those that the database does not have yet."""
        for script in self._own.values():
            packed = await asyncio.to_thread(Packed.of, script.content)
            self._packed[script.name, script.hash] = packed
            if not await has_script(self._db, script.name, script.hash):
                async with self._db.write() as writer:
                    await keep_script(writer, script.name, script.hash, packed.bodies["br"], now)

    async def get(self, name: str, hash_: str) -> Packed:
        """Raises `Unknown` for what no server ever gave out."""
        key = (name, hash_)
        found = self._packed.get(key) or self._old.get(key)
        if found is None:
            kept = (
                await find_script(self._db, name, hash_) if _NAME.fullmatch(name) and _HASH.fullmatch(hash_) else None
            )
            if kept is None:
                raise Unknown("not_found")
            found = self._old[key] = await asyncio.to_thread(Packed.kept, kept)
            while len(self._old) > _OLD_ONES_HELD:
                self._old.popitem(last=False)
        elif key in self._old:
            self._old.move_to_end(key)
        return found


def answer(request: Request, packed: Packed, hash_: str, cache_control: str) -> Response:
    """A script as its reader takes it, or that it has not changed."""
    encoding = accepted(request.headers.get("accept-encoding", ""))
    etag = f'"{hash_}-{encoding}"'
    headers = CROSS_ORIGIN | {"cache-control": cache_control, "etag": etag, "vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if encoding != "identity":
        headers["content-encoding"] = encoding
    return Response(packed.bodies[encoding], headers=headers | {"content-type": MEDIA_TYPE})
