"""How a send fails, and how an answer is read.

One thing must stay true: a failure says by its class what is to be done about it; its code only names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Response:
    """What a target answered: status, lower-case header names, the raw body as far as it was read (16 KiB, unless
    `Client.request` asks for more)."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class DeliveryError(Exception):
    """A send that did not succeed. `code` is one word that stays the same (`http_500`, `timeout`, `dns_error`, …); a
    kind may have words of its own."""

    def __init__(self, code: str, detail: str = "", *, status_code: int | None = None, response: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.status_code = status_code
        self.response = response


class Temporary(DeliveryError):
    """Worth another try. `retry_after_seconds` is what the target asked for; None: as the schedule says."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status_code: int | None = None,
        response: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(code, detail, status_code=status_code, response=response)
        self.retry_after_seconds = retry_after_seconds


class Unknown(Temporary):
    """The request was sent and no answer came: it may have arrived. Tried again on the schedule, with
    `Event.doubtful` set."""


class Permanent(DeliveryError):
    """A repeat cannot mend it. `gone` says that the target is no more and the destination is to be disabled;
    `item` that only this item was refused, which says nothing about the destination's health."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status_code: int | None = None,
        response: str = "",
        gone: bool = False,
        item: bool = False,
    ) -> None:
        super().__init__(code, detail, status_code=status_code, response=response)
        self.gone = gone
        self.item = item


class Suppressed(DeliveryError):
    """The person has chosen otherwise at the target (unsubscribed, forgotten there): final, and nobody's fault."""


class NotAuthorized(DeliveryError):
    """The target refuses our credentials: the destination is paused, keeps its work, its owner is told."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a send came to where not every event fared alike. `failed`: by event id; all the others were delivered.
    `response` is what the log shows for these."""

    response: Response
    failed: Mapping[str, DeliveryError]


_FAILS_AT_ONCE = frozenset({400, 405, 409, 411, 413, 414, 415, 422})
_THIS_ITEM_ONLY = frozenset({400, 413, 422})
_CREDENTIALS = frozenset({401, 403, 407})
_SHOWN = 1000


def judge(response: Response, *, now: datetime) -> Response:
    """The default reading of an answer: returns it on any 2xx, else raises.

    3xx and what a repeat cannot mend are `Permanent`, 410 is `Permanent(gone)`, all else is `Temporary`;
    `Retry-After` (seconds or an HTTP date) is read on 429 and 503.
    """
    status = response.status_code
    if 200 <= status < 300:
        return response
    code, text = f"http_{status}", response.text[:_SHOWN]
    if status == 410:
        raise Permanent(code, "the target says it is gone", status_code=status, response=text, gone=True)
    if 300 <= status < 400:
        raise Permanent(
            "redirect", "redirects are not followed: give the new address", status_code=status, response=text
        )
    if status in _FAILS_AT_ONCE:
        raise Permanent(code, status_code=status, response=text, item=status in _THIS_ITEM_ONLY)
    after = retry_after_seconds(response.headers.get("retry-after"), now) if status in (429, 503) else None
    raise Temporary(code, status_code=status, response=text, retry_after_seconds=after)


def judge_api(response: Response, *, now: datetime) -> Response:
    """As `judge`, for a target whose interface is known: refused credentials are `NotAuthorized`, 404 is
    `Permanent`, since nothing there comes back by waiting."""
    status, text = response.status_code, response.text[:_SHOWN]
    if status in _CREDENTIALS:
        raise NotAuthorized(f"http_{status}", status_code=status, response=text)
    if status == 404:
        raise Permanent("http_404", status_code=status, response=text)
    return judge(response, now=now)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), or None when it is not readable."""
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds < float("inf") else (0.0 if seconds < 0 else None)
