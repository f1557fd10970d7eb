"""Kind `hubspot`: contacts in HubSpot, a hundred in one request.

One thing must stay true: what becomes of each is read from the answer; one bad address costs nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from typing_extensions import override

from integrations.hubspot.answers import judged, upserted
from integrations.mapping import Targets, map_option
from integrations.people import (
    MANY_BYTES,
    NOBODY,
    Api,
    People,
    Person,
    an_object,
    header_problems,
    is_trial,
    refused,
    runs,
)
from widget_server.contract import (
    DeliveryError,
    Destination,
    Event,
    Limits,
    Option,
    Problem,
    Report,
    Response,
    Tools,
)

ADDRESS = "https://api.hubapi.com"
_HOSTS = frozenset({"api.hubapi.com"})
_CONTACTS = "/crm/objects/2026-03/contacts"
_PREFERENCES = "/communication-preferences"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_MAPPED = re.compile(rf"(?!email$){_NAME.pattern}")
_DEFAULT = """\
firstname = given_name
lastname = family_name
company = organization
jobtitle = role
city = city
zip = postal_code
country = country | country_name(en)
"""
BATCH = 100


class HubSpot(People):
    kind: ClassVar[str] = "hubspot"
    summary: ClassVar[str] = "contacts in HubSpot, for those who opted in"
    default_map: ClassVar[str] = _DEFAULT
    targets: ClassVar[Targets] = Targets(
        frozenset(), custom=_MAPPED, custom_help="any contact property by its internal name, such as firstname"
    )
    options: ClassVar[Sequence[Option]] = (
        Option(
            "token", "access token of a private app, with the scopes that the README names", required=True, secret=True
        ),
        Option(
            "opt_in_property",
            "internal name of a contact property that is set to true with the opt-in and to false when it ends",
        ),
        Option(
            "subscription",
            "id of the subscription type that ends with the consent; without it, every e-mail to the address ends",
        ),
        map_option(_DEFAULT),
    )

    @override
    def address(self, options: Mapping[str, str]) -> str:
        return ADDRESS

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """100 requests in 10 s for the smallest accounts; others call there too."""
        return Limits(batch=BATCH, pace_seconds=1.0, in_flight=1, hosts=_HOSTS)

    @override
    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = header_problems(options, "token")
        name, subscription = options.get("opt_in_property"), options.get("subscription")
        if name and not _NAME.fullmatch(name):
            found.append(Problem("opt_in_property", "an internal name: small letters, digits and underscores"))
        if subscription and not (subscription.isascii() and subscription.isdecimal()):
            found.append(Problem("subscription", "the id of a subscription type, a number"))
        return found

    @override
    def plan(
        self,
        events: Sequence[Event],
        *,
        options: Mapping[str, str],
        quiet_seconds: float,
        now: datetime,
    ) -> Sequence[Sequence[Event]]:
        return runs(events, BATCH)

    @override
    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response | Report:
        if len(events) == 1 and (events[0].ended or is_trial(events[0])):
            return await super().send(events, destination, tools)
        failed: dict[str, DeliveryError] = {}
        by_address: dict[str, list[Person]] = {}  # the same address twice fails the whole batch
        for event in events:
            if trouble := refused(event):
                failed[event.id] = trouble
            else:
                by_address.setdefault(event.data["email"].casefold(), []).append(self.person(event, destination))
        if not by_address:
            return Report(NOBODY, failed)
        inputs = [self._input(people[-1], destination.options) for people in by_address.values()]
        response, troubles = await upserted(_api(destination, tools), f"{_CONTACTS}/batch/upsert", inputs)
        for people in by_address.values():
            if trouble := troubles.get(people[-1].event.id):
                failed |= {person.event.id: trouble for person in people}
        return Report(response, failed) if failed else response

    def _input(self, person: Person, options: Mapping[str, str]) -> dict[str, Any]:
        properties = {**person.values, "email": person.email}
        if name := options.get("opt_in_property"):
            properties[name] = "true"
        return {
            "idProperty": "email",
            "id": person.email,
            "objectWriteTraceId": person.event.id,
            "properties": properties,
        }

    @override
    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        """The opt-in property goes first: the end of a subscription may be there already."""
        api, options = _api(destination, tools), destination.options
        if name := options.get("opt_in_property"):
            path = f"{_CONTACTS}/{quote(email, safe='')}?idProperty=email"
            changed = await api.call("PATCH", path, {"properties": {name: "false"}})
            if changed.status_code != 404:
                judged(changed, api.now())
        if subscription := options.get("subscription"):
            body = {"emailAddress": email, "subscriptionId": subscription}
            ended = await api.call("POST", f"{_PREFERENCES}/v3/unsubscribe", body)
            if ended.status_code == 400 and "already unsubscribed" in ended.text.lower():
                return Response(200, ended.headers, ended.content)
        else:
            path = f"{_PREFERENCES}/2026-03/statuses/{quote(email, safe='')}/unsubscribe-all?channel=EMAIL"
            ended = await api.call("POST", path)
        an_object(judged(ended, api.now()))
        return ended

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        api, options = _api(destination, tools), destination.options
        first = await api.call("GET", f"{_CONTACTS}?limit=1&properties=email")
        if first.status_code in (401, 403):
            return [
                Problem("token", f"HubSpot refuses it, or it has not the scopes that the README names: {_said(first)}")
            ]
        judged(first, api.now())
        found = []
        wanted = [("map", name) for name in self.reading(options).targets]
        wanted += [("opt_in_property", options["opt_in_property"])] if options.get("opt_in_property") else []
        for option, name in wanted:
            one = await api.call("GET", f"/crm/v3/properties/contacts/{name}")
            if one.status_code == 404:
                found.append(Problem(option, f"HubSpot's contacts have no property `{name}`"))
            else:
                judged(one, api.now())
        types = await api.call("GET", f"{_PREFERENCES}/v3/definitions", read_bytes=MANY_BYTES)
        if types.status_code in (401, 403):
            found.append(
                Problem("token", "without the scope communication_preferences.read_write no consent can end there")
            )
        elif options.get("subscription"):
            known = an_object(judged(types, api.now())).get("subscriptionDefinitions", [])
            if options["subscription"] not in {str(one.get("id")) for one in known}:
                found.append(Problem("subscription", "there is no subscription type with this id"))
        return found


def _api(destination: Destination, tools: Tools) -> Api:
    headers = {"authorization": f"Bearer {destination.options['token'].strip()}"}
    return Api(tools.client, destination.url, headers, tools.now)


def _said(response: Response) -> str:
    return response.text[:200]
