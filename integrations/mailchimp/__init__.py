"""Kind `mailchimp`: members of a Mailchimp audience.

One thing must stay true: the status of somebody who is there already is never sent, except to end it: it would
subscribe again whoever has unsubscribed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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
    mismatch,
    parsed,
    words,
)
from widget_server.contract import Destination, Event, Limits, Option, Permanent, Problem, Response, Suppressed, Tools

_KEY = re.compile(r"[0-9a-zA-Z]{10,}-([a-z]{2,4}[0-9]{1,3})")
_LIST = re.compile(r"[0-9a-f]{6,16}")
_MERGE = "merge_fields."
_DEFAULT = """\
merge_fields.FNAME = given_name
merge_fields.LNAME = family_name
language = language
"""
# mailchimp.com/developer, "Error glossary": the person's own choice, or the platform's for them.
_CHOSEN = frozenset({"Member In Compliance State", "Forgotten Email Not Subscribed"})
_OFF_THE_LIST = frozenset({"unsubscribed", "cleaned"})


class Mailchimp(People):
    kind: ClassVar[str] = "mailchimp"
    summary: ClassVar[str] = "members of a Mailchimp audience, for those who opted in"
    default_map: ClassVar[str] = _DEFAULT
    targets: ClassVar[Targets] = Targets(
        frozenset({"language"}),
        custom=re.compile(r"merge_fields\.[A-Z][A-Z0-9_]{0,9}"),
        custom_help="merge_fields.TAG",
    )
    options: ClassVar[Sequence[Option]] = (
        Option("key", "API key, with the data centre at its end (…-us21)", required=True, secret=True),
        Option("list", "id of the audience (Settings > Audience name and defaults)", required=True),
        Option("tags", "tags to put on everybody, separated by commas"),
        Option(
            "double_opt_in",
            "`yes`: Mailchimp asks new members by mail before it subscribes them",
            default="no",
            form="choice",
            choices=("no", "yes"),
        ),
        map_option(_DEFAULT),
    )

    @override
    def address(self, options: Mapping[str, str]) -> str:
        found = _KEY.fullmatch(options.get("key", "").strip())
        return f"https://{found[1]}.api.mailchimp.com" if found else ""

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """Ten connections at once, for the account as a whole; some are left to others."""
        return Limits(pace_seconds=0.1, in_flight=1, hosts=frozenset({".api.mailchimp.com"}))

    @override
    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = []
        if options.get("key") and not _KEY.fullmatch(options["key"].strip()):
            found.append(Problem("key", "an API key ends with a hyphen and the data centre, such as -us21"))
        if options.get("list") and not _LIST.fullmatch(options["list"]):
            found.append(Problem("list", "an audience id, such as a1b2c3d4e5"))
        return found

    @override
    async def add(self, person: Person, destination: Destination, tools: Tools) -> Response:
        api, path = _api(destination, tools), _member(destination, person.email)
        response = await api.call(
            "PUT", f"{path}?skip_merge_validation=true", member(person, destination.options), read_bytes=MANY_BYTES
        )
        answer = an_object(_judged(api, response))
        if answer.get("status") in _OFF_THE_LIST:
            raise Suppressed(answer["status"], "no longer on the list, by their own choice", **facts_of(response))
        if tags := words(destination.options.get("tags", "")):
            body = {"tags": [{"name": tag, "status": "active"} for tag in tags]}
            return _judged(api, await api.call("POST", f"{path}/tags", body))
        return response

    @override
    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        api = _api(destination, tools)
        response = await api.call("PATCH", _member(destination, email), {"status": "unsubscribed"})
        if response.status_code == 404 or _title(response) in _CHOSEN:
            return NOBODY
        an_object(_judged(api, response))
        return response

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        api, options = _api(destination, tools), destination.options
        found = await api.call("GET", f"/3.0/lists/{options['list']}?fields=id")
        if found.status_code in (401, 403):
            return [Problem("key", "Mailchimp refuses this key")]
        if found.status_code == 404:
            return [Problem("list", "there is no audience with this id in the key's account")]
        api.judged(found)
        path = f"/3.0/lists/{options['list']}/merge-fields?count=1000&fields=merge_fields.tag"
        answer = an_object(await api.ask("GET", path, read_bytes=MANY_BYTES))
        tags = {field.get("tag") for field in answer.get("merge_fields", [])}
        return [
            Problem("map", f"the audience has no merge field for `{target}`")
            for target in self.reading(options).targets
            if target.startswith(_MERGE) and target.removeprefix(_MERGE) not in tags
        ]


def member(person: Person, options: Mapping[str, str]) -> dict[str, Any]:
    """The body of "Add or update list member"."""
    body: dict[str, Any] = {
        "email_address": person.email,
        "status_if_new": "pending" if options.get("double_opt_in") == "yes" else "subscribed",
        **person.named("language"),
    }
    if fields := person.under(_MERGE):
        body["merge_fields"] = fields
    return body


def _api(destination: Destination, tools: Tools) -> Api:
    key = destination.options["key"].strip()
    headers = {"authorization": f"Basic {base64.b64encode(f'any:{key}'.encode()).decode()}"}
    return Api(tools.client, destination.url, headers, tools.now)


def _member(destination: Destination, email: str) -> str:
    hashed = hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
    return f"/3.0/lists/{destination.options['list']}/members/{hashed}"


def _title(response: Response) -> str:
    """Errors are problem details; their title says which (mailchimp.com/developer, "Error glossary")."""
    answer = parsed(response)
    return str(answer.get("title", "")) if response.status_code >= 400 and isinstance(answer, dict) else ""


def _judged(api: Api, response: Response) -> Response:
    title = _title(response)
    if title in _CHOSEN:
        raise Suppressed(title.lower().replace(" ", "_"), "their own choice there", **facts_of(response))
    if response.status_code == 400:
        raise Permanent("http_400", title, item=True, **facts_of(response))
    if response.status_code == 404:
        raise mismatch("list", "Mailchimp has no audience with this id", response)
    return api.judged(response)
