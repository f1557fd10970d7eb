"""CiviCRM, APIv4 over REST.

Sources: docs.civicrm.org/dev/en/latest/api/v4/rest (path, `params`, `calls`, headers); CRM/Api4/Page/AJAX.php of
civicrm-core (GET for a write 405, no `X-Requested-With` 400, 403 for a missing permission only, 500 masked for all
else, `calls` answered 200 if any worked, with an error in place of each that did not);
CRM/Campaign/BAO/Petition.php (a signature is an activity of type Petition whose `source_record_id` is the survey). Only
the filters and fields that are known here are accepted: anything else is an error, as there.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.integrations.people_samples import PEOPLE
from tests.integrations.targets.base import Answer, Asked, Target

MASKED = "Sorry an error occurred and your request was not completed. (Error ID: 20260620)"
FIELDS = {
    "id", "contact_type", "first_name", "last_name", "job_title", "source", "preferred_language", "is_opt_out",
    "do_not_email", "Letters.Source", "email_primary.email", "address_primary.city", "address_primary.postal_code",
    "address_primary.country_id:abbr",
}  # fmt: skip
READ_ONLY = ("get", "getFields")


class WrongCall(Exception):
    """What CiviCRM throws for whatever is wrong with a call."""


class CiviCRM(Target):
    kind = "civicrm"

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[int, dict[str, Any]] = {}
        self.groups: dict[tuple[str, int], str] = {}
        self.activities: list[dict[str, Any]] = []
        self.failing: set[str] = set()
        """`Entity.action` that throw, whatever is asked."""

    def options(self) -> dict[str, str]:
        return dict(PEOPLE["civicrm"])

    def mailable(self) -> list[str]:
        group = self.options()["group"]
        return sorted(
            contact["email_primary.email"]
            for id_, contact in self.contacts.items()
            if not contact.get("is_opt_out") and self.groups.get((group, id_)) == "Added"
        )

    def records(self) -> list[str]:
        return sorted(self.contacts[one["source_contact_id"]]["email_primary.email"] for one in self.activities)

    def answer(self, asked: Asked) -> Answer:
        found = re.fullmatch(r"/civicrm/ajax/api4(?:/(\w+)/(\w+))?", asked.path)
        if found is None:
            return Answer(404, "<html>Page not found</html>", {"content-type": "text/html"})
        if asked.headers.get("x-requested-with") != "XMLHttpRequest":
            return Answer(400, "SECURITY ALERT: Ajax requests can only be issued by javascript clients")
        if not self.credentials_good or asked.headers.get("x-civi-auth") != f"Bearer {self.options()['api_key']}":
            return Answer(401, "Invalid credential", {"content-type": "text/plain"})
        if asked.method != "POST":
            return Answer(405, {"error_code": 405, "error_message": "use POST"})
        if found[1] is None:
            return self._several(json.loads(asked.form["calls"]))
        try:
            return Answer(200, {"values": self._call(found[1], found[2], json.loads(asked.form["params"]))})
        except WrongCall:
            return Answer(500, {"error_code": 0, "error_message": MASKED, "status": 500})

    def _several(self, calls: dict[str, Any]) -> Answer:
        told: dict[str, Any] = {}
        for key, (entity, action, params) in calls.items():
            try:
                told[key] = {"values": self._call(entity, action, params)}
            except WrongCall:
                told[key] = {"error_code": 0, "error_message": MASKED, "status": 500}
        return Answer(200 if any("values" in one for one in told.values()) else 500, told)

    def _call(self, entity: str, action: str, params: dict[str, Any]) -> list[Any]:
        if f"{entity}.{action}" in self.failing:
            raise WrongCall
        method = getattr(self, f"_{entity}_{action}".lower(), None)
        if method is None:
            raise WrongCall
        found = method(params)
        assert isinstance(found, list)
        return found

    def _contact_get(self, params: dict[str, Any]) -> list[Any]:
        return [{"id": id_, **self.contacts[id_]} for id_ in self._wanted(params["where"])][
            : params.get("limit") or None
        ]

    def _contact_getfields(self, params: dict[str, Any]) -> list[Any]:
        ((_, _, names),) = params["where"]
        return [{"name": name} for name in names if name in FIELDS]

    def _contact_save(self, params: dict[str, Any]) -> list[Any]:
        saved = []
        for record in params["records"]:
            if set(record) - FIELDS or "@" not in record["email_primary.email"]:
                raise WrongCall
            if record["email_primary.email"].endswith(".invalid"):
                raise WrongCall
            id_ = record.get("id") or len(self.contacts) + 100
            self.contacts.setdefault(id_, {}).update({name: value for name, value in record.items() if name != "id"})
            saved.append({"id": id_})
        return saved

    def _contact_update(self, params: dict[str, Any]) -> list[Any]:
        ids = self._wanted(params["where"])
        for id_ in ids:
            self.contacts[id_] |= params["values"]
        return [{"id": id_} for id_ in ids]

    def _wanted(self, where: list[Any]) -> list[int]:
        ids = sorted(self.contacts)
        for name, operator, value in where:
            if (name, operator) == ("id", "="):
                ids = [id_ for id_ in ids if id_ == value]
            elif (name, operator) == ("id", "IN"):
                ids = [id_ for id_ in ids if id_ in value]
            elif (name, operator) == ("email_primary.email", "="):
                ids = [id_ for id_ in ids if self.contacts[id_]["email_primary.email"].lower() == value.lower()]
            elif name not in ("contact_type", "is_deleted"):
                raise WrongCall
        return ids

    def _groupcontact_save(self, params: dict[str, Any]) -> list[Any]:
        for record in params["records"]:
            if record["group_id:name"] != self.options()["group"]:
                raise WrongCall
            self.groups[record["group_id:name"], record["contact_id"]] = record["status"]
        return list(params["records"])

    def _groupcontact_update(self, params: dict[str, Any]) -> list[Any]:
        (_, _, group), (_, _, ids) = params["where"]
        for id_ in ids:
            if (group, id_) in self.groups:
                self.groups[group, id_] = params["values"]["status"]
        return [{"contact_id": id_} for id_ in ids]

    def _group_get(self, params: dict[str, Any]) -> list[Any]:
        return [{"id": 3}] if params["where"] == [["name", "=", self.options()["group"]]] else []

    def _survey_get(self, params: dict[str, Any]) -> list[Any]:
        return [{"id": 7}] if ["id", "=", 7] in params["where"] else []

    def _activitycontact_get(self, params: dict[str, Any]) -> list[Any]:
        wanted = {name: value for name, _, value in params["where"]}
        return [
            {"activity_id": number}
            for number, one in enumerate(self.activities)
            if one["source_contact_id"] == wanted["contact_id"]
            and one["source_record_id"] == wanted["activity_id.source_record_id"]
        ]

    def _activity_create(self, params: dict[str, Any]) -> list[Any]:
        values = params["values"]
        if values["activity_type_id:name"] != "Petition" or values["source_contact_id"] not in self.contacts:
            raise WrongCall
        self.activities.append(values)
        return [{"id": len(self.activities)}]
