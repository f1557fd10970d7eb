"""NationBuilder API v2.

Sources: NationBuilder's OpenAPI of 2026 (petition signatures: `signup_id`, `petition_id`, `is_private`, `comment`,
`trigger_autoresponses`; errors flat `{code, message}`, 422 a JSON:API document; 429 with `Retry-After`; custom fields),
support.nationbuilder.com/en/articles/9899245 (signups, `custom_values`, `home_address_attributes`, filters), …/9757369;
authentication guide: tokens last a day, a refresh token is used once. 406 without `Accept` and `Content-Type` of JSON.
A second signature of one person is a second record: no promise to the contrary was found.
"""

from __future__ import annotations

import re
from typing import Any

from tests.integrations.people_samples import PEOPLE
from tests.integrations.targets.base import Answer, Asked, Target

CUSTOM_FIELDS = ("town",)
ATTRIBUTES = {
    "email", "first_name", "last_name", "employer", "occupation", "language", "email_opt_in",
    "home_address_attributes", "custom_values",
}  # fmt: skip


def refused(status: int, code: str, message: str = "") -> Answer:
    return Answer(status, {"code": code, "message": message})


class NationBuilder(Target):
    kind = "nationbuilder"

    def __init__(self) -> None:
        super().__init__()
        self.signups: dict[str, dict[str, Any]] = {}
        self.signatures: list[dict[str, Any]] = []
        self.access_token = ""
        self.refresh_token = PEOPLE["nationbuilder"]["refresh_token"]
        self.refreshed = 0
        self.used_twice = 0

    def options(self) -> dict[str, str]:
        return {**PEOPLE["nationbuilder"], "refresh_token": self.refresh_token}

    def mailable(self) -> list[str]:
        return sorted(one["email"] for one in self.signups.values() if one.get("email_opt_in"))

    def records(self) -> list[str]:
        return sorted(self.signups[one["signup_id"]]["email"] for one in self.signatures)

    def expire(self) -> None:
        """The access token in use is no longer good."""
        self.access_token = ""

    def answer(self, asked: Asked) -> Answer:
        for name in ("accept", "content-type"):
            if asked.headers.get(name) != "application/json":
                return refused(406, "not_acceptable")
        if asked.path == "/oauth/token":
            return self._token(asked.json)
        if not self.credentials_good:
            return refused(401, "unauthorized", "You are not authorized to access this content.")
        if not self.access_token or asked.headers.get("authorization") != f"Bearer {self.access_token}":
            return refused(401, "token_expired", "Your access token has expired.")
        if asked.path == "/api/v2/signups/push" and asked.method == "PATCH":
            return self._push(asked.json["data"]["attributes"])
        if asked.path == "/api/v2/signups":
            return self._find(asked.query.get("filter[email]"))
        if found := re.fullmatch(r"/api/v2/signups/(\d+)", asked.path):
            self.signups[found[1]] |= asked.json["data"]["attributes"]
            return Answer(200, self._shown(found[1]))
        if found := re.fullmatch(r"/api/v2/petitions/(\d+)", asked.path):
            there = found[1] == self.options()["petition"]
            return Answer(200, {"data": {"id": found[1]}}) if there else refused(404, "not_found", "Record not found")
        if asked.path == "/api/v2/petition_signatures":
            return self._signed(asked)
        if asked.path == "/api/v2/custom_fields":
            fields = [{"attributes": {"slug": slug, "resource_type": "Signup"}} for slug in CUSTOM_FIELDS]
            return Answer(200, {"data": [*fields, {"attributes": {"slug": "gift", "resource_type": "Donation"}}]})
        return refused(404, "not_found")

    def _token(self, body: dict[str, str]) -> Answer:
        wanted = self.options()
        if any(body.get(name) != wanted[name] for name in ("client_id", "client_secret")) or not self.credentials_good:
            return Answer(401, {"error": "invalid_client"})
        if body["refresh_token"] != self.refresh_token:
            self.used_twice += 1
            return Answer(400, {"error": "invalid_grant", "error_description": "The refresh token is invalid"})
        self.refreshed += 1
        self.access_token = f"access-{self.refreshed}"
        self.refresh_token = f"refresh-{self.refreshed}"
        return Answer(
            200,
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "token_type": "Bearer",
                "expires_in": 86400,
            },
        )

    def _push(self, attributes: dict[str, Any]) -> Answer:
        if unknown := set(attributes) - ATTRIBUTES:
            return refused(400, "bad_request", f"unknown attribute {sorted(unknown)[0]}")
        if set(attributes.get("custom_values", {})) - set(CUSTOM_FIELDS):
            return refused(400, "invalid_custom_field")
        email = attributes["email"]
        if email.endswith(".invalid"):
            error = {
                "code": "unprocessable_entity",
                "status": "422",
                "title": "Validation Error",
                "detail": f"Email '{email}' should look like an email address",
                "source": {"pointer": "/data/attributes/email"},
            }
            return Answer(422, {"errors": [error]})
        for id_, one in self.signups.items():
            if one["email"].lower() == email.lower():
                one |= attributes
                return Answer(200, self._shown(id_))
        id_ = str(len(self.signups) + 18)
        self.signups[id_] = dict(attributes)
        return Answer(201, self._shown(id_))

    def _find(self, email: str | None) -> Answer:
        found = [id_ for id_, one in self.signups.items() if email is None or one["email"].lower() == email.lower()]
        return Answer(200, {"data": [self._shown(id_)["data"] for id_ in found]})

    def _signed(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            wanted = {name: asked.query.get(f"filter[{name}]") for name in ("signup_id", "petition_id")}
            found = [
                {"id": str(number), "type": "petition_signatures", "attributes": one}
                for number, one in enumerate(self.signatures)
                if all(value is None or one[name] == value for name, value in wanted.items())
            ]
            return Answer(200, {"data": found})
        attributes = asked.json["data"]["attributes"]
        if attributes["petition_id"] != self.options()["petition"] or attributes["signup_id"] not in self.signups:
            return refused(404, "not_found", "Record not found")
        self.signatures.append(attributes)
        return Answer(201, {"data": {"id": str(len(self.signatures)), "type": "petition_signatures"}})

    def _shown(self, id_: str) -> dict[str, Any]:
        return {"data": {"id": id_, "type": "signups", "attributes": {"email": self.signups[id_]["email"]}}}
