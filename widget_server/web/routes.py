"""The URL table and nothing else."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from widget_server.web import (
    challenge,
    confirm,
    embed,
    event_schemas,
    health,
    home,
    install,
    letter,
    letters_api,
    my_signature,
    oembed,
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
    *embed.ROUTES,
    *oembed.ROUTES,
    *install.ROUTES,
    *letters_api.ROUTES,
    *event_schemas.ROUTES,
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
