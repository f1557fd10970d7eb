"""Kind `webhook`: Standard Webhooks 1.0, for anybody who can receive a POST.

One thing must stay true: the bytes that are signed are the bytes that are sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.webhook.bodies import FORMS, FULL, THIN, body
from integrations.webhook.signing import SCHEMES, V1, public_key, signed_headers
from widget_server.contract import (
    Destination,
    Event,
    Integration,
    Limits,
    Option,
    Problem,
    Response,
    Temporary,
    Tools,
    judge,
)

_LONGEST_PACE_SECONDS = 3600.0
_LONGEST_HEADER = 1000
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_OURS_ALONE = frozenset(
    "connection cookie date expect forwarded host keep-alive set-cookie te trailer transfer-encoding upgrade user-agent"
    " via".split()
)
"""Headers that frame the request, say who sends it or where it came from; with any of these beginnings too."""
_OURS_ALONE_FROM = ("accept", "content-", "if-", "proxy-", "sec-", "webhook-", "x-forwarded-")
_TRIED_BY_HAND = "/webhook-test/"
_QUEUE_FULL = "queue is full"
_SHOWN = 1000


class Webhook(Integration):
    kind: ClassVar[str] = "webhook"
    summary: ClassVar[str] = "Standard Webhooks 1.0: signed JSON, one event a request; for Zapier, Make and n8n too"
    options: ClassVar[Sequence[Option]] = (
        Option(
            "contact_details",
            "`all` sends e-mail, postal code and comment of every signer, not only of those who opted in;"
            " the audit log keeps that you asked for it",
            form="choice",
            choices=("all",),
        ),
        Option(
            "body",
            "`full`: everything, as docs/webhooks.md shows it; `thin`: type, time and ids, nothing about a person;"
            " `flat`: one object without objects in it, for Zapier, Make and n8n",
            default=FULL,
            form="choice",
            choices=FORMS,
        ),
        Option(
            "signature",
            "`v1`: HMAC-SHA256 with the shared secret; `v1a`: Ed25519, verified with a public key; or `both`",
            default=V1,
            form="choice",
            choices=SCHEMES,
        ),
        Option("header_name", "a header of your own with each request, such as X-Token, for a tool that cannot verify"),
        Option("header_value", "its value: a long random text that nobody can guess", secret=True),
        Option(
            "pace",
            "least seconds between two requests, such as 0.5; none by default",
            default="0",
            form="number",
        ),
    )
    signed: ClassVar[bool] = True
    tests: ClassVar[bool] = True

    @override
    def carries_contact(self, options: Mapping[str, str]) -> bool:
        return options.get("body", FULL) != THIN

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        return Limits(pace_seconds=_number(options.get("pace", "0")), in_flight=10)

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = []
        if _TRIED_BY_HAND in urlsplit(url).path:
            found.append(
                Problem(
                    "url",
                    "this is n8n's test address, which answers once and only while somebody looks: make the workflow"
                    " active and give its production address, with /webhook/ in it",
                )
            )
        if not 0 <= _number(options.get("pace", "0")) <= _LONGEST_PACE_SECONDS:
            found.append(Problem("pace", f"a number of seconds from 0 to {_LONGEST_PACE_SECONDS:g}"))
        return found + _header_problems(options.get("header_name"), options.get("header_value"))

    @override
    def public_keys(self, destination: Destination) -> Sequence[str]:
        if _scheme(destination) == V1:
            return ()
        return [public_key(secret) for secret in destination.secrets]

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        (event,) = events
        options = destination.options
        content = body(event, options.get("body", FULL))
        headers = {"content-type": "application/json"}
        if options.get("header_name"):
            headers[options["header_name"]] = options["header_value"]
        headers |= signed_headers(event.id, tools.now(), content, destination.secrets, _scheme(destination))
        response = await tools.client.post(destination.url, content=content, headers=headers)
        if response.status_code == 400 and _QUEUE_FULL in response.text.lower():
            # Make says so; there is room again once its scenario has run.
            raise Temporary("queue_full", status_code=400, response=response.text[:_SHOWN])
        return judge(response, now=tools.now())


def _scheme(destination: Destination) -> str:
    return destination.options.get("signature", V1)


def _header_problems(name: str | None, value: str | None) -> list[Problem]:
    found = []
    if value and not name:
        found.append(Problem("header_name", "needed: there is a header_value, and no header to put it in"))
    if name and not value:
        found.append(Problem("header_value", "needed: there is a header_name, and nothing to put in that header"))
    if name:
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name):
            found.append(Problem("header_name", "letters, digits and hyphens, such as X-Token or Authorization"))
        elif lower in _OURS_ALONE or lower.startswith(_OURS_ALONE_FROM):
            found.append(Problem("header_name", f"{lower} has a meaning of its own: take another, such as X-Token"))
    if value and not (len(value) <= _LONGEST_HEADER and _HEADER_VALUE.fullmatch(value)):
        found.append(
            Problem(
                "header_value",
                f"at most {_LONGEST_HEADER:,} letters, digits, signs and spaces of ASCII, no space at either end",
            )
        )
    return found


def _number(text: str) -> float:
    """0 for what is no number: the server speaks of that by itself."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if isfinite(number) else 0.0
