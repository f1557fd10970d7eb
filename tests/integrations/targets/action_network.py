"""Action Network.

Sources: actionnetwork.org/docs/v2/record_signature_helper (matching by address, a new person is subscribed, `status`
may only be `subscribed` there and changes somebody who is there), /signatures (one a person and petition), /delete
("Unsubscribe people": look up by filter, PUT the status), /unauthenticated-post ("blind POST": 200 with nothing), /docs
("Rate limiting": 4 calls a second, 429). That the entry point shows `osdi:tags` only with a good key: client of
ControlShift, lib/action_network_rest/entry_point.rb. Error bodies `{"error": …}`: its response/raise_error.rb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.integrations.people_samples import PEOPLE, PETITION
from tests.integrations.targets.base import Answer, Asked, Target

TAGS = ("open letter", "june")
CUSTOM_FIELDS = ("Town",)


@dataclass
class Activist:
    id: str
    email: str
    status: str = "subscribed"
    person: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


class ActionNetwork(Target):
    kind = "action-network"

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, Activist] = {}
        self.signatures: dict[tuple[str, str], dict[str, Any]] = {}

    def options(self) -> dict[str, str]:
        return dict(PEOPLE["action-network"])

    def mailable(self) -> list[str]:
        return sorted(one.email for one in self.people.values() if one.status == "subscribed")

    def records(self) -> list[str]:
        return sorted(email for _, email in self.signatures)

    def answer(self, asked: Asked) -> Answer:
        known = self.credentials_good and asked.headers.get("osdi-api-token") == self.options()["key"]
        if asked.path == "/api/v2":
            links = {"self": {"href": "…"}} | ({"osdi:tags": {"href": "…"}} if known else {})
            return Answer(200, {"motd": "Welcome", "_links": links})
        if found := re.fullmatch(r"/api/v2/petitions/([^/]+)/signatures", asked.path):
            return self._sign(found[1], asked.json, known=known)
        if not known:
            return Answer(403, {"error": "API Key invalid or not present"})
        if asked.path == "/api/v2/people":
            return self._find(asked.query["filter"])
        if found := re.fullmatch(r"/api/v2/people/([^/]+)", asked.path):
            return self._update(found[1], asked.json)
        if found := re.fullmatch(r"/api/v2/petitions/([^/]+)", asked.path):
            return Answer(200, {"title": "A petition"}) if found[1] == PETITION else Answer(404, {"error": "Not found"})
        if asked.path == "/api/v2/tags":
            page = int(asked.query.get("page", "1"))
            shown = [{"name": TAGS[page - 1]}] if page <= len(TAGS) else []
            return Answer(200, {"total_pages": len(TAGS), "page": page, "_embedded": {"osdi:tags": shown}})
        if asked.path == "/api/v2/metadata/custom_fields":
            return Answer(200, {"action_network:custom_fields": [{"name": name} for name in CUSTOM_FIELDS]})
        return Answer(404, {"error": "Not found"})

    def _sign(self, petition: str, body: dict[str, Any], *, known: bool) -> Answer:
        if not known:
            return Answer(200, {})
        if petition != PETITION:
            return Answer(404, {"error": "Not found"})
        (address,) = body["person"]["email_addresses"]
        email = address["address"].lower()
        if "@" not in email or email.endswith(".invalid"):
            return Answer(400, {"error": "email_addresses is invalid"})
        if address.get("status", "subscribed") != "subscribed":
            return Answer(400, {"error": "status must be subscribed"})
        one = self.people.setdefault(email, Activist(f"00000000-0000-4000-8000-{len(self.people):012}", email))
        one.status = address.get("status", one.status)
        one.person |= body["person"]
        one.tags |= {tag for tag in body.get("add_tags", []) if tag in TAGS}
        self.signatures[petition, email] = body
        return Answer(200, {"identifiers": ["action_network:1"], "action_network:person_id": one.id})

    def _find(self, wanted: str) -> Answer:
        found = re.fullmatch(r"email_address eq '((?:[^']|'')*)'", wanted)
        if found is None:
            return Answer(400, {"error": "the filter cannot be read"})
        one = self.people.get(found[1].replace("''", "'").lower())
        shown = [] if one is None else [self._shown(one)]
        return Answer(200, {"total_records": len(shown), "_embedded": {"osdi:people": shown}})

    def _update(self, id_: str, body: dict[str, Any]) -> Answer:
        for one in self.people.values():
            if one.id == id_:
                one.status = body["email_addresses"][0]["status"]
                return Answer(200, self._shown(one))
        return Answer(404, {"error": "You must specify a valid person id"})

    def _shown(self, one: Activist) -> dict[str, Any]:
        return {
            "identifiers": [f"action_network:{one.id}"],
            "email_addresses": [{"address": one.email, "primary": True, "status": one.status}],
        }
