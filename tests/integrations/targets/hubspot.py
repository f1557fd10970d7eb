"""HubSpot CRM.

Sources: developers.hubspot.com/docs/api-reference/2026-03/crm/objects/contacts/batch/upsert-contacts (inputs, 200 and
207, `objectWriteTraceId`, `numErrors`, `errors[]` with `category` and `context`), …/crm/properties,
/communication-preferences v3 and 2026-03 (unsubscribe, unsubscribe-all, no undo; a subscription that has ended is
refused again with 400); limits and 429 bodies: …/docs/guides/apps/api-usage/usage-details. That one bad address fails a
batch as a whole: reference of the v1 batch, "any errors with a single contact in your batch will prevent the entire
batch". `partial` chooses between that and a 207.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from tests.integrations.people_samples import PEOPLE
from tests.integrations.targets.base import Answer, Asked, Target

PROPERTIES = {
    "email", "firstname", "lastname", "company", "jobtitle", "city", "zip", "country", "letters_opt_in", "hs_language",
}  # fmt: skip
SUBSCRIPTION = "12345"


def problem(status: int, category: str, message: str, **more: Any) -> Answer:
    return Answer(status, {"status": "error", "message": message, "category": category, "correlationId": "c1", **more})


class HubSpot(Target):
    kind = "hubspot"

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, str]] = {}
        self.unsubscribed: set[str] = set()
        self.ended: set[tuple[str, str]] = set()
        self.partial = True
        self.padding = ""

    def options(self) -> dict[str, str]:
        return dict(PEOPLE["hubspot"])

    def mailable(self) -> list[str]:
        off = self.unsubscribed | {email for email, _ in self.ended}
        return sorted(email for email in self.contacts if email not in off)

    def records(self) -> list[str]:
        return sorted(self.contacts)

    def answer(self, asked: Asked) -> Answer:
        if not self.credentials_good or asked.headers.get("authorization") != f"Bearer {self.options()['token']}":
            return problem(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if asked.path == "/crm/objects/2026-03/contacts/batch/upsert":
            return self._upsert(asked.json["inputs"])
        if found := re.fullmatch(r"/crm/objects/2026-03/contacts/([^/]+)", asked.path):
            return self._change(unquote(found[1]), asked.json["properties"])
        if asked.path == "/crm/objects/2026-03/contacts":
            return Answer(200, {"results": []})
        if found := re.fullmatch(r"/crm/v3/properties/contacts/([^/]+)", asked.path):
            there = found[1] in PROPERTIES
            return Answer(200, {"name": found[1]}) if there else problem(404, "OBJECT_NOT_FOUND", "Property not found")
        if asked.path == "/communication-preferences/v3/definitions":
            return Answer(200, {"subscriptionDefinitions": [{"id": SUBSCRIPTION, "name": "News"}]})
        if asked.path == "/communication-preferences/v3/unsubscribe":
            pair = (asked.json["emailAddress"].lower(), asked.json["subscriptionId"])
            if pair in self.ended:
                return problem(
                    400, "VALIDATION_ERROR", f"{pair[0]} is already unsubscribed from subscription {pair[1]}"
                )
            self.ended.add(pair)
            return Answer(200, {"id": pair[1], "status": "NOT_SUBSCRIBED"})
        if found := re.fullmatch(r"/communication-preferences/2026-03/statuses/([^/]+)/unsubscribe-all", asked.path):
            if asked.query.get("channel") != "EMAIL":
                return problem(400, "VALIDATION_ERROR", "channel is required")
            self.unsubscribed.add(unquote(found[1]).lower())
            return Answer(200, {"status": "COMPLETE", "results": []})
        return problem(404, "OBJECT_NOT_FOUND", "resource not found")

    def _change(self, email: str, properties: dict[str, str]) -> Answer:
        if email.lower() not in self.contacts:
            return problem(404, "OBJECT_NOT_FOUND", "contact not found")
        self.contacts[email.lower()] |= properties
        return Answer(200, {"id": "1"})

    def _upsert(self, inputs: list[dict[str, Any]]) -> Answer:
        if len(inputs) > 100:
            return problem(400, "VALIDATION_ERROR", "at most 100 inputs")
        ids = [one["id"].lower() for one in inputs]
        if len(set(ids)) < len(ids):
            return problem(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
        for one in inputs:
            for name in set(one["properties"]) - PROPERTIES:
                error = f'{{"isValid":false,"error":"PROPERTY_DOESNT_EXIST","name":"{name}"}}'
                return problem(400, "VALIDATION_ERROR", f"Property values were not valid: [{error}]")
        bad = [one for one in inputs if one["id"].endswith(".invalid")]
        if bad and not self.partial:
            return problem(400, "VALIDATION_ERROR", 'Property values were not valid: [{"error":"INVALID_EMAIL"}]')
        good = [one for one in inputs if one not in bad]
        for one in good:
            self.contacts.setdefault(one["id"].lower(), {}).update(one["properties"])
        results = [
            {
                "id": str(number),
                "new": True,
                "objectWriteTraceId": one["objectWriteTraceId"],
                "properties": {**one["properties"], "about": self.padding},
            }
            for number, one in enumerate(good)
        ]
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if not bad:
            return Answer(200, answer)
        answer["numErrors"] = len(bad)
        answer["errors"] = [
            {
                "status": "error",
                "category": "VALIDATION_ERROR",
                "message": "INVALID_EMAIL",
                "context": {"objectWriteTraceId": [one["objectWriteTraceId"]]},
            }
            for one in bad
        ]
        return Answer(207, answer)
