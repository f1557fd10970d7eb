"""/signatures/TOKEN/data and data.json: everything that is kept about a signer, to read, to print, to take away.

One thing must stay true: page and file are made of the same document (`flows/own_data.py`).
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from widget_server.flows.own_data import NOTED, TYPED, as_json, own_data
from widget_server.web.links import followed, page_about
from widget_server.web.notes import over
from widget_server.web.place import LANGUAGES
from widget_server.web.site import site_of


async def page(request: Request) -> Response:
    site, here = site_of(request), await followed(request, "signer")
    if here.over:
        return await over(request, here)
    everything = await own_data(site.db, site.directory, here.letter, here.seen)
    return await page_about(
        request,
        here,
        "signer_data.html",
        everything=everything,
        typed_facts=TYPED,
        noted_facts=NOTED,
        languages=LANGUAGES,
        now=site.now(),
    )


async def file(request: Request) -> Response:
    """JSON: `{"letter", "made_at", "signatures": […]}`."""
    site, here = site_of(request), await followed(request, "signer")
    if here.over:
        return await over(request, here)
    document = {
        "letter": {"slug": here.letter.slug, "url": f"{site.public_url}/letters/{here.letter.slug}"},
        "made_at": site.now(),
        "signatures": await own_data(site.db, site.directory, here.letter, here.seen),
    }
    return Response(
        json.dumps(as_json(document), ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={
            **site.pages.policies,
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="{here.letter.slug}.json"',
            "x-robots-tag": "noindex",
        },
    )
