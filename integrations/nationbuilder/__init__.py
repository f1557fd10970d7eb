"""Kind `nationbuilder`: people of a nation, and its petition's signatures, over NationBuilder's API v2.

One thing must stay true: what has been done of the two steps is kept, so that a repeat goes on at the second; and no
signature is made without looking whether it is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from typing_extensions import override

from integrations.mapping import Targets, map_option
from integrations.nationbuilder.tokens import Tokens
from integrations.people import MANY_BYTES, NOBODY, People, Person, an_object, facts_of, mismatch, parsed
from widget_server.contract import (
    Destination,
    Event,
    Limits,
    NotAuthorized,
    Option,
    Problem,
    Response,
    Temporary,
    Tools,
    judge_api,
)

_NATION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CUSTOM = "custom_values."
_ADDRESS = "home_address_attributes."
_PLAIN = ("first_name", "last_name", "employer", "occupation", "language")
_DEFAULT = """\
first_name = given_name
last_name = family_name
employer = organization
language = language
home_address_attributes.city = city
home_address_attributes.zip = postal_code
home_address_attributes.country_code = country
"""
_MOST_PAGES = 10


class NationBuilder(People):
    kind: ClassVar[str] = "nationbuilder"
    summary: ClassVar[str] = "people and petition signatures in NationBuilder, for those who opted in"
    default_map: ClassVar[str] = _DEFAULT
    targets: ClassVar[Targets] = Targets(
        frozenset({"comment", *_PLAIN, *(f"{_ADDRESS}{name}" for name in ("city", "zip", "country_code"))}),
        custom=re.compile(r"custom_values\.[a-z0-9_]+"),
        custom_help="custom_values.SLUG",
    )
    options: ClassVar[Sequence[Option]] = (
        Option("nation", "the nation's slug: what stands before .nationbuilder.com", required=True),
        Option("client_id", "client id of the registered app", required=True),
        Option("client_secret", "its client secret", required=True, secret=True),
        Option("refresh_token", "a refresh token that nobody else uses", required=True, secret=True),
        Option("petition", "id of the petition whose signatures are made; without it, only people are"),
        map_option(_DEFAULT),
    )

    @override
    def address(self, options: Mapping[str, str]) -> str:
        return f"https://{options.get('nation', '')}.nationbuilder.com"

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """250 requests in 10 s for each token; a person takes up to four."""
        return Limits(pace_seconds=0.2, in_flight=1, hosts=frozenset({".nationbuilder.com"}))

    @override
    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        nation, petition = options.get("nation"), options.get("petition")
        found = []
        if nation and not _NATION.fullmatch(nation):
            found.append(Problem("nation", "only the slug, such as mynation of mynation.nationbuilder.com"))
        if petition and not (petition.isascii() and petition.isdecimal()):
            found.append(Problem("petition", "the petition's id, a number"))
        return found

    @override
    async def add(self, person: Person, destination: Destination, tools: Tools) -> Response:
        nation = Nation(destination, tools)
        event, id_ = person.event, person.event.note
        response = NOBODY
        if id_ is None:
            again = event.type == "signature.updated" and await nation.signup(person.email) is not None
            body = {"data": {"type": "signups", "attributes": attributes(person, opt_in=not again)}}
            response = await nation.ask("PATCH", "/signups/push", body)
            id_ = str(an_object(response, "data")["data"].get("id") or "")
            if not id_:
                raise Temporary("unreadable_answer", **facts_of(response))
        petition = destination.options.get("petition")
        if not petition:
            return response
        if event.note is None:
            tools.remember(event.id, id_)
        return await nation.signed(
            id_, petition, person.values.get("comment"), private=event.data.get("public") is False
        )

    @override
    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        """No more e-mail: the opt-in of the person goes. Neither they nor their signature are deleted."""
        nation = Nation(destination, tools)
        id_ = await nation.signup(email)
        if id_ is None:
            return NOBODY
        body = {"data": {"id": id_, "type": "signups", "attributes": {"email_opt_in": False}}}
        response = await nation.ask("PATCH", f"/signups/{id_}", body)
        an_object(response, "data")
        return response

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        nation, options = Nation(destination, tools), destination.options
        found = []
        try:
            await nation.ask("GET", "/signups?page[size]=1&fields[signups]=id")
        except NotAuthorized as error:
            return [Problem("refresh_token", f"NationBuilder refuses it: {error.detail or error.code}")]
        if petition := options.get("petition"):
            one = await nation.call("GET", f"/petitions/{petition}?fields[petitions]=id")
            if one.status_code == 404:
                found.append(Problem("petition", f"there is no petition with the id {petition}"))
            else:
                _judged(one, tools.now())
        wanted = [target for target in self.reading(options).targets if target.startswith(_CUSTOM)]
        slugs = await nation.custom_fields() if wanted else set()
        return found + [
            Problem("map", f"the nation has no custom field for `{target}`")
            for target in wanted
            if target.removeprefix(_CUSTOM) not in slugs
        ]


class Nation:
    """The interface of one nation, for one send."""

    def __init__(self, destination: Destination, tools: Tools) -> None:
        self._base = f"{destination.url.rstrip('/')}/api/v2"
        self._tools = tools
        self._tokens = Tokens(destination, tools)

    async def call(self, method: str, path: str, body: Any = None, *, once: bool = False) -> Response:
        """The answer, whatever it is; with a new token once, where the one in hand has expired meanwhile."""
        response = await self._sent(method, path, body, await self._tokens.access(), once=once)
        if response.status_code == 401 and _code(response) == "token_expired":
            response = await self._sent(method, path, body, await self._tokens.renewed(), once=once)
        return response

    async def ask(self, method: str, path: str, body: Any = None) -> Response:
        return _judged(await self.call(method, path, body), self._tools.now())

    async def signup(self, email: str) -> str | None:
        """The id of the person with this address."""
        found = an_object(await self.ask("GET", f"/signups?filter[email]={quote(email)}&fields[signups]=email"))
        for one in found.get("data", []):
            if str(one.get("attributes", {}).get("email", "")).casefold() == email.casefold():
                return str(one["id"])
        return None

    async def signed(self, signup_id: str, petition: str, comment: str | None, *, private: bool) -> Response:
        """The person's signature of the petition, made unless it is there: twice would be two."""
        query = f"filter[signup_id]={signup_id}&filter[petition_id]={petition}&page[size]=100"
        found = await self.ask("GET", f"/petition_signatures?{query}")
        for one in an_object(found).get("data", []):
            if str(one.get("attributes", {}).get("petition_id")) == petition:
                return found
        made = {
            "signup_id": signup_id,
            "petition_id": petition,
            "is_private": private,
            "trigger_autoresponses": False,
            **({"comment": comment} if comment else {}),
        }
        body = {"data": {"type": "petition_signatures", "attributes": made}}
        response = await self.call("POST", "/petition_signatures", body, once=True)
        if response.status_code == 404:
            raise mismatch("petition", "NationBuilder has no petition with this id", response)
        an_object(_judged(response, self._tools.now()), "data")
        return response

    async def custom_fields(self) -> set[str]:
        slugs: set[str] = set()
        for page in range(1, _MOST_PAGES + 1):
            answer = an_object(await self.ask("GET", f"/custom_fields?page[size]=100&page[number]={page}"))
            for one in answer.get("data", []):
                if one.get("attributes", {}).get("resource_type") == "Signup":
                    slugs.add(str(one["attributes"].get("slug")))
            if len(answer.get("data", [])) < 100:
                break
        return slugs

    async def _sent(self, method: str, path: str, body: Any, token: str, *, once: bool) -> Response:
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json",  # both, or it answers 406
        }
        content = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        url = self._base + path.replace("[", "%5B").replace("]", "%5D")
        return await self._tools.client.request(
            method, url, content=content, headers=headers, read_bytes=MANY_BYTES, once=once
        )


def attributes(person: Person, *, opt_in: bool) -> dict[str, Any]:
    """The attributes of a person. `opt_in` is said outright: each nation has a default of its own."""
    found: dict[str, Any] = {"email": person.email, **person.named(*_PLAIN)}
    if opt_in:
        found["email_opt_in"] = True
    if address := person.under(_ADDRESS):
        found["home_address_attributes"] = address
    if custom := person.under(_CUSTOM):
        found["custom_values"] = custom
    return found


def _code(response: Response) -> str:
    answer = parsed(response)
    return str(answer.get("code", "")) if isinstance(answer, dict) else ""


def _judged(response: Response, now: datetime) -> Response:
    """By their codes, not their texts."""
    if response.status_code == 400 and _code(response) == "invalid_custom_field":
        raise mismatch("map", "the nation has no custom field that it names", response)
    if response.status_code == 406:
        raise Temporary("http_406", "a proxy on the way changed our headers", **facts_of(response))
    return judge_api(response, now=now)
