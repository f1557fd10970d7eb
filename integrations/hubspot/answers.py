"""How HubSpot's answers are read: a batch, whole or in part, and what an error asks for.

One thing must stay true: a contact that the answer does not name is not taken for written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from integrations.people import MANY_BYTES, Api, an_object, facts_of, mismatch, parsed
from widget_server.contract import DeliveryError, Permanent, Response, Temporary, judge_api, retry_after_seconds

Input = Mapping[str, Any]
_MOST_REQUESTS = 24
"""In one send, while a batch that was refused whole is halved to find whom it was for."""
_ROLLING_SECONDS = 10.0
_LOCKED_SECONDS = 2.0
_MISSING = "PROPERTY_DOESNT_EXIST"
_PASSING = frozenset({"RATE_LIMITS", "OBJECT_ALREADY_LOCKED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "CONFLICT"})


async def upserted(api: Api, path: str, inputs: Sequence[Input]) -> tuple[Response, dict[str, DeliveryError]]:
    """Writes a batch. The answer of what succeeded, and what went wrong, by trace id.

    HubSpot refuses a batch as a whole (400) for one bad address in it: then its halves are written, and theirs.
    """
    troubles: dict[str, DeliveryError] = {}
    good: Response | None = None
    bad: DeliveryError | None = None
    waiting = [list(inputs)]
    requests = 0
    while waiting:
        batch = waiting.pop(0)
        if requests == _MOST_REQUESTS:
            troubles |= {one["objectWriteTraceId"]: Temporary("not_tried", "too many refusals before") for one in batch}
            continue
        requests += 1
        response = await api.call("POST", path, {"inputs": batch}, read_bytes=MANY_BYTES)
        if response.status_code == 400 and _MISSING not in response.text:
            if len(batch) > 1:
                middle = len(batch) // 2
                waiting += [batch[:middle], batch[middle:]]
            else:
                bad = _refusal(response.text, response)
                troubles[batch[0]["objectWriteTraceId"]] = bad
            continue
        if requests > 1 and not 200 <= response.status_code < 300:
            bad = _judgement(response, api.now())
            troubles |= dict.fromkeys((one["objectWriteTraceId"] for one in batch), bad)
            continue
        good = judged(response, api.now())
        troubles |= dict(_partly(batch, good))
    if good is None:
        assert bad is not None, "nothing succeeded and nothing failed"
        if len(inputs) == 1:
            raise bad
        good = response
    return good, troubles


def _partly(batch: Sequence[Input], response: Response) -> Iterator[tuple[str, DeliveryError]]:
    """What an answer says of each: errors name whom they are about by trace id or by id; results name the others. A 200
    with as many results as were sent is about all of them."""
    answer = an_object(response)
    results = answer.get("results") or []
    if response.status_code != 207 and len(results) >= len(batch):
        return
    done = {one.get("objectWriteTraceId") for one in results}
    done |= {str(one.get("properties", {}).get("email", "")).casefold() for one in results}
    about: dict[str, DeliveryError] = {}
    for error in answer.get("errors", []):
        for named in _named(error.get("context", {})):
            about[named.casefold()] = _item_trouble(error, response)
    for one in batch:
        trace, id_ = str(one["objectWriteTraceId"]), str(one["id"]).casefold()
        if trouble := about.get(trace.casefold()) or about.get(id_):
            yield trace, trouble
        elif trace not in done and id_ not in done:
            yield trace, Temporary("not_answered", "the answer names neither success nor error", status_code=207)


def _named(context: Any) -> Iterator[str]:
    for name in ("objectWriteTraceId", "objectWriteTraceIds", "ids", "id", "email"):
        value = context.get(name) if isinstance(context, dict) else None
        yield from [value] if isinstance(value, str) else [str(one) for one in value or []]


def _item_trouble(error: Mapping[str, Any], response: Response) -> DeliveryError:
    category, message = str(error.get("category", "")), str(error.get("message", ""))[:500]
    if category in _PASSING:
        return Temporary(category.lower(), message, status_code=response.status_code)
    return Permanent(category.lower() or "refused", message, status_code=response.status_code, item=True)


def _refusal(text: str, response: Response) -> Permanent:
    code = "invalid_email" if "INVALID_EMAIL" in text else "http_400"
    return Permanent(code, item=True, **facts_of(response))


def _judgement(response: Response, now: datetime) -> DeliveryError:
    try:
        judged(response, now)
    except DeliveryError as error:
        return error
    raise AssertionError("asked of failures only")


def judged(response: Response, now: datetime) -> Response:
    """As `judge_api`, with HubSpot's own: 429 often says not how long (its policy does), 423 and 477 pass."""
    status = response.status_code
    if status == 400 and _MISSING in response.text:
        raise mismatch("map", "HubSpot has no property that it names", response)
    if status == 429 and retry_after_seconds(response.headers.get("retry-after"), now) is None:
        answer = parsed(response)
        policy = str(answer.get("policyName", "")) if isinstance(answer, dict) else ""
        wait = _until_midnight(now) if policy == "DAILY" else _ROLLING_SECONDS
        raise Temporary("http_429", policy, retry_after_seconds=wait, **facts_of(response))
    if status in (423, 477):
        raise Temporary(f"http_{status}", retry_after_seconds=_LOCKED_SECONDS, **facts_of(response))
    return judge_api(response, now=now)


def _until_midnight(now: datetime) -> float:
    """The day is the account's, in a time zone that we do not know: until the next full hour, and asked again."""
    return ((now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0) - now).total_seconds()
