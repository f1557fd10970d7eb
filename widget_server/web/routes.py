"""The URL table and nothing else."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from widget_server.web import health, home, letter, letters_api, privacy, sign, signatories, styles, widget

ROUTES: list[BaseRoute] = [
    Route("/v1/signatures", sign.Sign()),
    *widget.ROUTES,
    *letters_api.ROUTES,
    *letter.ROUTES,
    *signatories.ROUTES,
    *privacy.ROUTES,
    *styles.ROUTES,
    *home.ROUTES,
    *health.ROUTES,
]
