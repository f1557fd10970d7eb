"""Kind `action-network`: signatures of a petition in Action Network, over its OSDI interface.

One thing must stay true: nobody who has unsubscribed there is subscribed again, unless the owner asked for that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from typing_extensions import override

from integrations.mapping import Targets, map_option
from integrations.people import (
    MANY_BYTES,
    NOBODY,
    Api,
    People,
    Person,
    an_object,
    facts_of,
    header_problems,
    mismatch,
    words,
)
from widget_server.contract import (
    Destination,
    Event,
    Limits,
    NotAuthorized,
    Option,
    Problem,
    Response,
    Tools,
)

ADDRESS = "https://actionnetwork.org"
_HOSTS = frozenset({"actionnetwork.org"})
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERSON = ("given_name", "family_name")
_PLACE = ("locality", "postal_code", "country")
_REFERRER = ("source", "website")
_CUSTOM = "custom_fields."
_DEFAULT = """\
given_name = given_name
family_name = family_name
languages_spoken = language
locality = city
postal_code = postal_code
country = country
comments = comment
source = source
website = page
"""
_MOST_PAGES = 20


class ActionNetwork(People):
    kind: ClassVar[str] = "action-network"
    summary: ClassVar[str] = "signatures of an Action Network petition, for those who opted in"
    default_map: ClassVar[str] = _DEFAULT
    targets: ClassVar[Targets] = Targets(
        frozenset({"languages_spoken", "comments", *_PERSON, *_PLACE, *_REFERRER}),
        custom=re.compile(r"custom_fields\.\S[^=|]*"),
        custom_help="custom_fields.NAME",
    )
    options: ClassVar[Sequence[Option]] = (
        Option("key", "API key of the group (Details > API & Sync)", required=True, secret=True),
        Option("petition", "id of the petition, as its API & Sync panel shows it", required=True),
        Option("tags", "tags to put on everybody, separated by commas; they must exist"),
        Option(
            "resubscribe",
            "`yes`: whoever unsubscribed there and opts in again when signing is subscribed again",
            default="no",
            form="choice",
            choices=("no", "yes"),
        ),
        map_option(_DEFAULT),
    )

    @override
    def address(self, options: Mapping[str, str]) -> str:
        return ADDRESS

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """Four calls a second (actionnetwork.org/docs, "Rate limiting")."""
        return Limits(pace_seconds=0.25, in_flight=1, hosts=_HOSTS)

    @override
    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found, petition = header_problems(options, "key"), options.get("petition")
        if petition and not _ID.fullmatch(petition):
            found.append(Problem("petition", "an id such as d91b4b2e-ae0e-4cd3-9ed7-d0ec501b0bc3"))
        return found

    @override
    async def add(self, person: Person, destination: Destination, tools: Tools) -> Response:
        """One call makes or finds the person and makes or replaces their one signature of this petition."""
        path = f"/api/v2/petitions/{destination.options['petition']}/signatures"
        response = await _petition_asked(_api(destination, tools), "POST", path, signature(person, destination.options))
        if not an_object(response):
            # Posting without a key that is known there is a "blind POST": 200, and nothing in the answer.
            raise NotAuthorized("blind_post", "the key is not known there", **facts_of(response))
        return response

    @override
    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        """As its tutorial "Unsubscribe people" does: find the person, change the status of the address."""
        api = _api(destination, tools)
        wanted = quote(f"email_address eq '{email.replace(chr(39), chr(39) * 2)}'")
        found = an_object(await api.ask("GET", f"/api/v2/people?filter={wanted}", read_bytes=MANY_BYTES))
        if "_embedded" not in found:
            raise NotAuthorized("key_refused", "the key may not read people")
        for one in found["_embedded"].get("osdi:people", []):
            addresses = [entry.get("address", "").casefold() for entry in one.get("email_addresses", [])]
            ids = [id_ for id_ in one.get("identifiers", []) if id_.startswith("action_network:")]
            if email.casefold() in addresses and ids:
                body = {"email_addresses": [{"address": email, "status": "unsubscribed"}]}
                response = await api.ask("PUT", f"/api/v2/people/{ids[0].removeprefix('action_network:')}", body)
                an_object(response)
                return response
        return NOBODY

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        api, options = _api(destination, tools), destination.options
        entry = an_object(await api.ask("GET", "/api/v2", read_bytes=MANY_BYTES))
        if "osdi:tags" not in entry.get("_links", {}):  # only shown to who has a key
            return [Problem("key", "Action Network does not know this key")]
        found = []
        if (await api.call("GET", f"/api/v2/petitions/{options['petition']}")).status_code == 404:
            found.append(Problem("petition", "there is no petition with this id in the key's group"))
        wanted = set(words(options.get("tags", "")))
        if missing := wanted - (await _tags(api) if wanted else set()):
            found.append(
                Problem("tags", f"the group has no tag {', '.join(sorted(missing))}: unknown ones are ignored")
            )
        return found + await _custom_problems(api, self.reading(options).targets)


def signature(person: Person, options: Mapping[str, str]) -> dict[str, Any]:
    """The body of the record signature helper. Empty fields are left out: they would stick to the person."""
    address = {"address": person.email, "primary": True}
    if options.get("resubscribe") == "yes" and person.event.type != "signature.updated":
        address["status"] = "subscribed"
    who: dict[str, Any] = {**person.named(*_PERSON), "email_addresses": [address]}
    if language := person.values.get("languages_spoken"):
        who["languages_spoken"] = [language]
    if place := person.named(*_PLACE):
        who["postal_addresses"] = [{"primary": True, **place}]
    if custom := person.under(_CUSTOM):
        who["custom_fields"] = custom
    body: dict[str, Any] = {"person": who, **person.named("comments")}
    if tags := words(options.get("tags", "")):
        body["add_tags"] = tags
    if referrer := person.named(*_REFERRER):
        body["action_network:referrer_data"] = referrer
    return {**body, "triggers": {"autoresponse": {"enabled": False}}}


def _api(destination: Destination, tools: Tools) -> Api:
    headers = {"osdi-api-token": destination.options["key"].strip(), "accept": "application/json"}
    return Api(tools.client, destination.url, headers, tools.now)


async def _petition_asked(api: Api, method: str, path: str, body: Any) -> Response:
    response = await api.call(method, path, body)
    if response.status_code == 404:
        raise mismatch("petition", "Action Network has no petition with this id", response)
    return api.judged(response)


async def _tags(api: Api) -> set[str]:
    names: set[str] = set()
    for page in range(1, _MOST_PAGES + 1):
        found = an_object(await api.ask("GET", f"/api/v2/tags?page={page}", read_bytes=MANY_BYTES))
        names |= {tag.get("name", "") for tag in found.get("_embedded", {}).get("osdi:tags", [])}
        if page >= found.get("total_pages", 1):
            break
    return names


async def _custom_problems(api: Api, targets: Sequence[str]) -> list[Problem]:
    wanted = [target for target in targets if target.startswith(_CUSTOM)]
    if not wanted:
        return []
    found = an_object(await api.ask("GET", "/api/v2/metadata/custom_fields", read_bytes=MANY_BYTES))
    names = {field.get("name") for field in found.get("action_network:custom_fields", [])}
    return [
        Problem("map", f"Action Network has no custom field for `{target}`")
        for target in wanted
        if target.removeprefix(_CUSTOM) not in names
    ]
