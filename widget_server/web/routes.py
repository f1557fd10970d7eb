"""The URL table and nothing else."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from widget_server.web import (
    challenge,
    confirm,
    health,
    home,
    letter,
    letters_api,
    my_signature,
    privacy,
    sign,
    signatories,
    signer,
    styles,
    unsubscribe,
    widget,
)

ROUTES: list[BaseRoute] = [
    Route("/v1/signatures", sign.Sign()),
    *challenge.ROUTES,
    *widget.ROUTES,
    *letters_api.ROUTES,
    *letter.ROUTES,
    *signatories.ROUTES,
    *my_signature.ROUTES,
    *privacy.ROUTES,
    *confirm.ROUTES,
    *signer.ROUTES,
    *unsubscribe.ROUTES,
    *styles.ROUTES,
    *home.ROUTES,
    *health.ROUTES,
]
