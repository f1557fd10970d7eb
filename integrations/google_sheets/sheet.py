"""One sheet of a spreadsheet, over the Google Sheets API: read, append, change.

One thing must stay true: values go as RAW. As USER_ENTERED, a name such as `=IMPORTXML(…)` would run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from integrations.google_sheets.account import Account
from integrations.people import MANY_BYTES, Api, an_object, facts_of, mismatch, parsed
from widget_server.contract import (
    Destination,
    NotAuthorized,
    Permanent,
    Problem,
    Response,
    Temporary,
    Tools,
    judge_api,
    retry_after_seconds,
)

_ROWS_A_READ = 15_000
"""Ids of 36 characters, with what JSON puts round them, stay below what one answer may have."""
_MOST_ROWS = 10_000_000
_QUOTA_SECONDS = 60.0
_RATE_REASONS = ("RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded")
_CELL_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class Table:
    """The headings, and the row number of each id in column A. `response` is the last answer of reading."""

    headings: Sequence[str]
    rows: Mapping[str, int]
    response: Response

    def must_have(self, columns: Sequence[str]) -> None:
        if not self.headings or self.headings[0] != "id":
            raise mismatch("sheet", "cell A1 no longer holds the heading id", self.response)
        missing = [name for name in columns if name not in self.headings]
        if missing:
            raise mismatch("map", f"the sheet has no column {', '.join(missing)} any more", self.response)

    def cells(self, row: Mapping[str, str]) -> list[str | None]:
        """A row's cells in the order of the headings; None leaves a cell as it is."""
        return [row[name][:_CELL_LIMIT] if name in row else None for name in self.headings]


class Sheet:
    """For one send."""

    def __init__(self, destination: Destination, tools: Tools) -> None:
        self._destination = destination
        self._tools = tools
        self._kept = destination.kept
        self._account = Account.read(destination.options["credentials"])
        self._name = f"'{(destination.options.get('sheet') or 'Sheet1').replace(chr(39), chr(39) * 2)}'"
        self._path = f"/v4/spreadsheets/{destination.options['spreadsheet']}"

    async def problem(self) -> Problem | None:
        """Whether the account may write there, without writing: it is shared with it, and the sheet is in it."""
        response = await self._sent("GET", f"{self._path}?fields=sheets.properties.title")
        if response.status_code == 404:
            return Problem("spreadsheet", "there is no spreadsheet with this id")
        if response.status_code == 403 and not _is_quota(response):
            return Problem("spreadsheet", f"share it with {self._account.email}, as an editor")
        titles = [one["properties"]["title"] for one in an_object(self._judged(response)).get("sheets", [])]
        name = self._destination.options.get("sheet") or "Sheet1"
        if name not in titles:
            return Problem("sheet", f"there is no sheet {name} in it; there are {', '.join(titles)}")
        return None

    async def read(self) -> Table:
        """The headings and column A, in as few reads as its length needs."""
        headings: list[str] = []
        rows: dict[str, int] = {}
        first = 2
        while True:
            last = first + _ROWS_A_READ - 1
            ranges = [f"{self._name}!1:1"] if first == 2 else []
            ranges.append(f"{self._name}!A{first}:A{last}")
            query = "&".join(f"ranges={quote(one)}" for one in ranges)
            response = await self._asked(
                "GET", f"{self._path}/values:batchGet?{query}&majorDimension=ROWS&prettyPrint=false"
            )
            found = [one.get("values", []) for one in an_object(response).get("valueRanges", [])]
            if first == 2:
                top = found.pop(0) if found else []
                headings = [str(cell) for cell in top[0]] if top else []
            column = found[0] if found else []
            for number, cells in enumerate(column, first):
                if cells and cells[0] not in rows:
                    rows[str(cells[0])] = number
            if len(column) < _ROWS_A_READ or last >= _MOST_ROWS:
                return Table(headings, rows, response)
            first = last + 1

    async def append(self, table: Table, rows: Sequence[Mapping[str, str]]) -> Response:
        body = {"majorDimension": "ROWS", "values": [table.cells(row) for row in rows]}
        where = quote(f"{self._name}!A1", safe="")
        query = "valueInputOption=RAW&insertDataOption=INSERT_ROWS"
        response = await self._asked("POST", f"{self._path}/values/{where}:append?{query}", body, once=True)
        an_object(response, "updates")
        return response

    async def change(self, table: Table, rows: Mapping[int, Mapping[str, str]]) -> Response:
        data = [
            {"range": f"{self._name}!A{number}", "majorDimension": "ROWS", "values": [table.cells(row)]}
            for number, row in rows.items()
        ]
        body = {"valueInputOption": "RAW", "data": data}
        response = await self._asked("POST", f"{self._path}/values:batchUpdate", body)
        an_object(response, "spreadsheetId")
        return response

    async def _asked(self, method: str, path: str, body: Any = None, *, once: bool = False) -> Response:
        return self._judged(await self._sent(method, path, body, once=once))

    async def _sent(self, method: str, path: str, body: Any = None, *, once: bool = False) -> Response:
        """The answer, whatever it is; with a new token once, where the one in hand is refused."""
        self._kept = await self._account.token(self._kept, self._tools)
        response = await self._api().call(method, path, body, read_bytes=MANY_BYTES, once=once)
        if response.status_code == 401:
            self._kept = await self._account.token(self._kept, self._tools, refused=True)
            response = await self._api().call(method, path, body, read_bytes=MANY_BYTES, once=once)
        return response

    def _api(self) -> Api:
        headers = {"authorization": f"Bearer {self._kept['access_token']}"}
        return Api(self._tools.client, self._destination.url, headers, self._tools.now)

    def _judged(self, response: Response) -> Response:
        """Errors say more in `error.status` and `error.message` (cloud.google.com/apis/design/errors)."""
        status, now = response.status_code, self._tools.now()
        if status == 429 or (status == 403 and _is_quota(response)):
            wait = retry_after_seconds(response.headers.get("retry-after"), now)
            raise Temporary(
                f"http_{status}", retry_after_seconds=_QUOTA_SECONDS if wait is None else wait, **facts_of(response)
            )
        if status == 403:
            raise NotAuthorized("http_403", f"share it with {self._account.email}, as an editor", **facts_of(response))
        if status == 404:
            raise Permanent("http_404", "the spreadsheet is gone", gone=True, **facts_of(response))
        if status == 400 and re.search(r"Unable to parse range", response.text):
            raise mismatch("sheet", "there is no sheet of this name any more", response)
        return judge_api(response, now=now)


def _is_quota(response: Response) -> bool:
    answer = parsed(response)
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    return error.get("status") == "RESOURCE_EXHAUSTED" or any(reason in response.text for reason in _RATE_REASONS)
