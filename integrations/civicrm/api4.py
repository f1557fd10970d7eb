"""APIv4 of CiviCRM over HTTP, and how its answers are read.

One thing must stay true: a 200 is no success by itself. An answer to several calls is one when any of them worked, and
each is looked at.

CiviCRM answers 403 where a permission is missing and 500 to everything else that goes wrong, a mistake in what was sent
included, mostly with a message that says nothing (CRM/Api4/Page/AJAX.php): such a 500 is tried three times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from integrations.people import MANY_BYTES, an_object, facts_of, parsed
from widget_server.contract import (
    Client,
    Clock,
    Destination,
    Event,
    NotAuthorized,
    Permanent,
    Response,
    Temporary,
    Tools,
    judge_api,
)

Call = tuple[str, str, Mapping[str, Any]]
"""Entity, action, parameters."""
_PATH = "/civicrm/ajax/api4"
_MOST_REFUSALS = 3
_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Api4:
    """`refused`: keeps that a 500 came, and says how many there have been, this one included."""

    client: Client
    base: str
    headers: Mapping[str, str]
    now: Clock
    refused: Callable[[], int]

    @classmethod
    def of(cls, destination: Destination, tools: Tools, event: Event | None = None) -> Api4:
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-civi-auth": f"Bearer {destination.options['api_key'].strip()}",
            "x-requested-with": "XMLHttpRequest",  # without it: 400, SECURITY ALERT
        }
        if site_key := destination.options.get("site_key"):
            headers["x-civi-key"] = site_key.strip()

        def refused() -> int:
            if event is None:
                return _MOST_REFUSALS
            number = (int(event.note) if event.note and event.note.isdecimal() else 0) + 1
            tools.remember(event.id, str(number))
            return number

        return cls(tools.client, destination.url, headers, tools.now, refused)

    async def do(
        self, entity: str, action: str, params: Mapping[str, Any], *, once: bool = False
    ) -> tuple[list[Any], Response]:
        """The values that came, and the answer. `once` for what makes another each time."""
        response = await self._post(f"/{entity}/{action}", f"params={_form(params)}", once=once)
        return _values(an_object(response), response), response

    async def get(
        self, entity: str, select: Sequence[str], where: Sequence[Any], limit: int
    ) -> tuple[list[Any], Response]:
        params = {"select": list(select), "where": list(where), "orderBy": {"id": "ASC"}, "limit": limit}
        return await self.do(entity, "get", params)

    async def several(self, calls: Mapping[str, Call]) -> tuple[dict[str, list[Any]], Response]:
        """Several calls in one request, not atomic: what each gave, by its key. Raises where any failed; all of ours
        may be made again."""
        response = await self._post("", f"calls={_form(calls)}")
        answer = an_object(response)
        for key in calls:
            one = answer.get(key)
            if not isinstance(one, dict) or one.get("error_code") or one.get("error_message"):
                raise self._failed(response, f"{key} failed, others may have worked")
        return {key: _values(answer[key], response) for key in calls}, response

    async def _post(self, path: str, body: str, *, once: bool = False) -> Response:
        response = await self.client.request(
            "POST", self._url(path), content=body.encode(), headers=self.headers, read_bytes=MANY_BYTES, once=once
        )
        answer = parsed(response)
        if response.status_code == 500 and isinstance(answer, dict):
            raise self._failed(response, str(answer.get("error_message", ""))[:_SHOWN])
        if response.status_code == 404:
            raise NotAuthorized("not_there", "url: CiviCRM does not answer at this address", **facts_of(response))
        return judge_api(response, now=self.now())

    def _failed(self, response: Response, detail: str) -> Permanent | Temporary:
        if self.refused() >= _MOST_REFUSALS:
            return Permanent("refused", detail, item=True, **facts_of(response))
        return Temporary("refused", detail, **facts_of(response))

    def _url(self, path: str) -> str:
        """Below the site's address; where that has a query (WordPress without pretty links), at the end of it."""
        base = self.base.strip().rstrip("/")
        if urlsplit(base).query:
            return f"{base}{path}"
        return f"{base.removesuffix(_PATH)}{_PATH}{path}"


def _form(value: Any) -> str:
    return quote(json.dumps(value, ensure_ascii=False, separators=(",", ":")), safe="")


def _values(answer: Mapping[str, Any], response: Response) -> list[Any]:
    values = answer.get("values")
    if not isinstance(values, list):
        raise Temporary("unreadable_answer", **facts_of(response))
    return values
