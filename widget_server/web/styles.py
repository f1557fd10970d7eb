"""Style sheets under names that carry a hash of their content, so that a browser may keep them for ever.

One thing must stay true: another content has another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import brotli
import rcssmin
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import Unknown

_HASH_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Style:
    path: str
    content: bytes
    brotli: bytes


def static_folder() -> Path:
    """`static/` of the source tree, or its copy inside an installed package."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_static"
    return packaged if packaged.is_dir() else package.parent / "static"


@lru_cache
def styles() -> Mapping[str, Style]:
    """Every `static/*.css`, minified, by its name without suffix. Read once."""
    found: dict[str, Style] = {}
    for file in sorted(static_folder().glob("*.css")):
        content = rcssmin.cssmin(file.read_text("utf-8")).encode()
        digest = sha256(content).hexdigest()[:_HASH_LENGTH]
        found[file.stem] = Style(f"/styles/{file.stem}.{digest}.css", content, brotli.compress(content))
    return found


def style_path(name: str) -> str:
    """Where the present content of `static/NAME.css` is served. Raises KeyError where there is none."""
    return styles()[name].path


async def style(request: Request) -> Response:
    """One style sheet; an older hash is not there any more."""
    found = next((style for style in styles().values() if style.path == request.url.path), None)
    if found is None:
        raise Unknown("not_found")
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    if "br" in request.headers.get("accept-encoding", ""):
        return Response(found.brotli, media_type="text/css", headers=headers | {"content-encoding": "br"})
    return Response(found.content, media_type="text/css", headers=headers)


ROUTES = [Route("/styles/{file}", style)]
