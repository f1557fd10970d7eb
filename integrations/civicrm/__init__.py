"""Kind `civicrm`: contacts of a CiviCRM, in a group and as signers of its petition, over APIv4.

One thing must stay true: everything is looked for before it is made. No call of APIv4 promises that twice is once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from typing_extensions import override

from integrations.civicrm.api4 import Api4, Call
from integrations.mapping import Targets, map_option
from integrations.people import NOBODY, People, Person, facts_of, header_problems
from widget_server.contract import (
    Destination,
    Event,
    Limits,
    NotAuthorized,
    Option,
    Problem,
    Response,
    Suppressed,
    Temporary,
    Tools,
)

_DEFAULT = """\
first_name = given_name
last_name = family_name
address_primary.city = city
address_primary.postal_code = postal_code
address_primary.country_id:abbr = country
"""
_OPTED_OUT = ("is_opt_out", "do_not_email")


class CiviCRM(People):
    kind: ClassVar[str] = "civicrm"
    summary: ClassVar[str] = "contacts, group members and petition signatures in CiviCRM, for those who opted in"
    url: ClassVar[Literal["needed", "optional", "none"]] = "needed"
    default_map: ClassVar[str] = _DEFAULT
    targets: ClassVar[Targets] = Targets(
        frozenset({"first_name", "last_name", "preferred_language", "job_title", "source", "nick_name"}),
        custom=re.compile(r"(?!email)[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)?(:(name|label|abbr))?"),
        custom_help="any field of Contact that APIv4 takes, such as Group_name.Field_name",
    )
    options: ClassVar[Sequence[Option]] = (
        Option("api_key", "API key of a user who may edit all contacts", required=True, secret=True),
        Option("site_key", "the site key, where the site asks for it", secret=True),
        Option("group", "name of the group (not its title) that people join, and leave when their consent ends"),
        Option("petition", "id of the petition that they sign, a number"),
        Option(
            "resubscribe",
            "`yes`: whoever had opted out of mail and opts in again when signing is opted in again",
            default="no",
            form="choice",
            choices=("no", "yes"),
        ),
        map_option(_DEFAULT),
    )

    @override
    def limits(self, options: Mapping[str, str]) -> Limits:
        """Somebody's own web host: one request at a time, two a second; a person takes up to five."""
        return Limits(pace_seconds=0.5, in_flight=1)

    @override
    def problems(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        petition, group = options.get("petition"), options.get("group")
        found = header_problems(options, "api_key", "site_key")
        if petition and not (petition.isascii() and petition.isdecimal()):
            found.append(Problem("petition", "a number, as its address in CiviCRM shows it (sid=…)"))
        if group and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", group):
            found.append(Problem("group", "the group's name: letters, digits, hyphens and underscores"))
        return found

    @override
    async def add(self, person: Person, destination: Destination, tools: Tools) -> Response:
        api, options = Api4.of(destination, tools, person.event), destination.options
        (known, _) = await api.get("Contact", ["id", *_OPTED_OUT], _by_email(person.email), 1)
        record: dict[str, Any] = {"contact_type": "Individual", **person.values, "email_primary.email": person.email}
        if known:
            if any(known[0].get(flag) for flag in _OPTED_OUT):
                if options.get("resubscribe") != "yes" or person.event.type == "signature.updated":
                    raise Suppressed("opted_out", "the contact has opted out of mail there")
                record |= dict.fromkeys(_OPTED_OUT, False)
            record["id"] = known[0]["id"]
        values, response = await api.do("Contact", "save", {"records": [record]}, once=True)
        if not values:
            raise Temporary("unreadable_answer", **facts_of(response))
        id_ = values[0]["id"]
        calls: dict[str, Call] = {}
        if group := options.get("group"):
            calls["group"] = _membership(group, id_, "Added")
        if petition := options.get("petition"):
            calls["signed"] = _signed(petition, id_)
        if calls:
            came, response = await api.several(calls)
            if "signed" in calls and not came["signed"]:
                _, response = await api.do("Activity", "create", {"values": _activity(person, options, id_)}, once=True)
        return response

    @override
    async def take_out(self, email: str, event: Event, destination: Destination, tools: Tools) -> Response:
        """Out of the group, and no bulk mail to any contact with this address."""
        api = Api4.of(destination, tools, event)
        known, _ = await api.get("Contact", ["id"], _by_email(email), 25)
        if not known:
            return NOBODY
        ids = [one["id"] for one in known]
        calls: dict[str, Call] = {
            "contact": ("Contact", "update", {"where": [["id", "IN", ids]], "values": {"is_opt_out": True}})
        }
        if group := destination.options.get("group"):
            where = [["group_id:name", "=", group], ["contact_id", "IN", ids]]
            calls["group"] = ("GroupContact", "update", {"where": where, "values": {"status": "Removed"}})
        _, response = await api.several(calls)
        return response

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        api, options = Api4.of(destination, tools), destination.options
        found = []
        try:
            await api.get("Contact", ["id"], [["id", "=", 0]], 1)
        except NotAuthorized as error:
            if error.code == "not_there":
                return [Problem("url", error.detail)]
            return [Problem("api_key", f"CiviCRM refuses it: {error.response or error.code}"[:300])]
        if group := options.get("group"):
            rows, _ = await api.get("Group", ["id"], [["name", "=", group]], 1)
            found += [] if rows else [Problem("group", f"there is no group with the name {group}")]
        if petition := options.get("petition"):
            where = [["id", "=", int(petition)], ["activity_type_id:name", "=", "Petition"]]
            rows, _ = await api.get("Survey", ["id"], where, 1)
            found += [] if rows else [Problem("petition", f"there is no petition with the id {petition}")]
        names = {target.partition(":")[0] for target in self.reading(options).targets}
        own = [name for name in names if not name.startswith(("address_primary.", "phone_primary."))]
        fields, _ = await api.do(
            "Contact", "getFields", {"action": "save", "select": ["name"], "where": [["name", "IN", sorted(own)]]}
        )
        there = {field["name"] for field in fields}
        return found + [
            Problem("map", f"CiviCRM's contacts have no field `{name}`") for name in sorted(set(own) - there)
        ]


def _by_email(email: str) -> list[Any]:
    return [
        ["email_primary.email", "=", email],
        ["contact_type", "=", "Individual"],
        ["is_deleted", "=", False],
    ]


def _membership(group: str, contact_id: int, status: str) -> Call:
    record = {"group_id:name": group, "contact_id": contact_id, "status": status}
    return ("GroupContact", "save", {"records": [record], "match": ["group_id", "contact_id"]})


def _signed(petition: str, contact_id: int) -> Call:
    """Whether this contact has signed: a signature is an activity, and nothing there forbids a second one."""
    where = [
        ["contact_id", "=", contact_id],
        ["record_type_id:name", "=", "Activity Source"],
        ["activity_id.activity_type_id:name", "=", "Petition"],
        ["activity_id.source_record_id", "=", int(petition)],
        ["activity_id.is_deleted", "=", False],
    ]
    return ("ActivityContact", "get", {"select": ["activity_id"], "where": where, "limit": 1})


def _activity(person: Person, options: Mapping[str, str], contact_id: int) -> dict[str, Any]:
    """As CiviCRM's own petition form writes it (CRM/Campaign/BAO/Petition.php)."""
    data = person.event.data
    return {
        "activity_type_id:name": "Petition",
        "source_record_id": int(options["petition"]),
        "source_contact_id": contact_id,
        "target_contact_id": [contact_id],
        "status_id:name": "Completed",
        "subject": person.event.letter.title,
        "activity_date_time": str(data.get("confirmed_at") or data.get("created_at") or "")[:19].replace("T", " "),
    }
