"""The OAuth tokens of a nation: they last a day, and each refresh token is good for one use.

One thing must stay true: a refresh token is used by one process, once, and the pair that comes is stored before anybody
uses it. `Tools.renew` sees to both.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from integrations.people import an_object, facts_of
from widget_server.contract import Destination, Kept, NotAuthorized, Response, Tools, judge_api

_EARLY = timedelta(minutes=5)
_LASTS_SECONDS = 24 * 3600


class Tokens:
    """For one send. `refresh_token` of the options is the first one; what is kept follows from it."""

    def __init__(self, destination: Destination, tools: Tools) -> None:
        self._destination = destination
        self._tools = tools
        self._kept = destination.kept
        # Whoever authorizes anew gives another first token: then nothing that is kept is good any more.
        self._root = hashlib.sha256(destination.options["refresh_token"].encode()).hexdigest()[:16]

    async def access(self) -> str:
        if not self._is_good(self._kept):
            self._kept = await self._tools.renew(self._destination.kept, self._refreshed)
        return self._kept["access_token"]

    async def renewed(self) -> str:
        """After the one in hand was refused."""
        self._kept = await self._tools.renew(self._kept, self._refreshed)
        return self._kept["access_token"]

    def _is_good(self, kept: Kept) -> bool:
        if kept.get("root") != self._root:
            return False
        return self._tools.now() + _EARLY < datetime.fromisoformat(kept["until"])

    async def _refreshed(self, kept: Kept) -> Kept:
        options = self._destination.options
        known = kept.get("root") == self._root
        body = {
            "grant_type": "refresh_token",
            "refresh_token": kept["refresh_token"] if known else options["refresh_token"].strip(),
            "client_id": options["client_id"].strip(),
            "client_secret": options["client_secret"].strip(),
        }
        response = await self._tools.client.request(
            "POST",
            f"{self._destination.url.rstrip('/')}/oauth/token",
            content=json.dumps(body).encode(),
            headers={"content-type": "application/json", "accept": "application/json"},
            once=True,
        )
        answer = an_object(_judged(response, self._tools.now()), "access_token", "refresh_token")
        seconds = float(answer.get("expires_in") or _LASTS_SECONDS)
        return {
            "root": self._root,
            "access_token": str(answer["access_token"]),
            "refresh_token": str(answer["refresh_token"]),
            "until": (self._tools.now() + timedelta(seconds=seconds)).isoformat(),
        }


def _judged(response: Response, now: datetime) -> Response:
    if response.status_code in (400, 401, 403):
        # Its text may quote what was sent.
        raise NotAuthorized("refresh_refused", "authorize again and give the new refresh_token", **facts_of(response))
    return judge_api(response, now=now)
