"""Kind `slack`: an incoming webhook of Slack, told who signs.

One thing must stay true: never an address, never a name that its signer keeps private, and nothing that
somebody typed is read by Slack as markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from integrations.slack.messages import LOCALES, is_gathered, message
from widget_server.contract import (
    Destination,
    Event,
    Limits,
    NotAuthorized,
    Option,
    Permanent,
    Problem,
    Response,
    Tools,
    judge,
)

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
DIGEST_SECONDS = 15.0
_LONGEST_DIGEST_SECONDS = 3600.0

# api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks; `no_active_hooks` and
# `team_disabled` from client libraries.
_GONE = (
    "no_service",
    "no_service_id",
    "no_team",
    "no_active_hooks",
    "channel_not_found",
    "channel_is_archived",
    "team_disabled",
)


class Slack:
    kind: ClassVar[str] = "slack"
    summary: ClassVar[str] = "Slack incoming webhook: organizations one by one, people in digests"
    options: ClassVar[Sequence[Option]] = (
        Option("digest_seconds", "how long to gather people into one message", default=f"{DIGEST_SECONDS:g}"),
        Option(
            "locale",
            f"language of the messages: {' or '.join(LOCALES)}; by default the letter's or partner's",
        ),
    )
    signed: ClassVar[bool] = False
    url_is_secret: ClassVar[bool] = True
    events: ClassVar[Sequence[str] | None] = (
        "signature.confirmed",
        "letter.milestone",
        "abuse.spike",
        "destination.failing",
        "destination.disabled",
    )
    contact_details: ClassVar[bool] = False

    def limits(self, options: Mapping[str, str]) -> Limits:  # noqa: ARG002  Slack's own, whatever the options
        """About one message a second for each webhook (docs.slack.dev, "Rate limits"); a little less, to
        be safe."""
        return Limits(batch=500, pace_seconds=1.2, in_flight=1, hosts=HOSTS)

    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = []
        if urlsplit(url).hostname in HOSTS and not urlsplit(url).path.startswith("/services/"):
            found.append(Problem("url", "an incoming webhook's address is https://hooks.slack.com/services/…"))
        if _digest_seconds(options) is None:
            found.append(Problem("digest_seconds", f"a number of seconds from 0 to {_LONGEST_DIGEST_SECONDS:g}"))
        if options.get("locale", LOCALES[0]) not in LOCALES:
            found.append(Problem("locale", " or ".join(LOCALES)))
        return found

    def plan(
        self, events: Sequence[Event], *, options: Mapping[str, str], quiet_seconds: float, now: datetime
    ) -> Sequence[Sequence[Event]]:
        """Organizations, milestones and trouble at once, each in a message of its own. People gather: the
        first of a quiet spell goes at once, the others together when `digest_seconds` have passed."""
        wait = _digest_seconds(options) or 0.0
        groups: list[list[Event]] = []
        gathered: dict[str, list[Event]] = {}
        for event in events:
            if not is_gathered(event):
                groups.append([event])
            elif event.type in gathered:
                gathered[event.type].append(event)
            else:
                gathered[event.type] = [event]
                groups.append(gathered[event.type])
        for group in gathered.values():
            oldest = min(event.occurred_at for event in group)
            if quiet_seconds < wait and (now - oldest).total_seconds() < wait:
                groups = [other for other in groups if other is not group]
        return groups

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        locale = destination.locale if destination.locale in LOCALES else LOCALES[0]
        content = json.dumps(message(events, locale), ensure_ascii=False).encode()
        response = await tools.client.post(
            destination.url, content=content, headers={"content-type": "application/json; charset=utf-8"}
        )
        return _judged(response, tools.now())


def _judged(response: Response, now: datetime) -> Response:
    """Slack answers errors with a word in plain text."""
    status, said = response.status_code, response.text.strip()[:200]
    if 400 <= status < 500 and status != 429:
        if status == 404 or said in _GONE:
            raise Permanent(f"http_{status}", said, status_code=status, response=said, gone=True)
        if status == 403:
            raise NotAuthorized(f"http_{status}", said, status_code=status, response=said)
    return judge(response, now=now)


def _digest_seconds(options: Mapping[str, str]) -> float | None:
    try:
        seconds = float(options.get("digest_seconds", DIGEST_SECONDS))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_DIGEST_SECONDS else None
