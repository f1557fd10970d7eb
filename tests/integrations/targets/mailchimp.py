"""Mailchimp Marketing API.

Sources: mailchimp.com/developer/marketing/api/list-members (PUT adds or updates by the MD5 of the small-letter address;
`status_if_new` for new ones only; `status` of one who is there is changed by what is sent), …/list-member-tags (204),
…/guides/error-glossary (problem details; `Member In Compliance State`, `Forgotten Email Not Subscribed`,
`Invalid Resource`, `API Key Invalid`, `Resource Not Found`, `TooManyRequests`). Bodies as logged in
ibericode/mailchimp-for-wordpress#798 and tbar0970/jethro-pmm#656.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from tests.integrations.people_samples import PEOPLE
from tests.integrations.targets.base import Answer, Asked, Target

MERGE_FIELDS = ("FNAME", "LNAME", "CITY")
GLOSSARY = "https://mailchimp.com/developer/marketing/docs/errors/"


def problem(status: int, title: str, detail: str = "") -> Answer:
    return Answer(
        status,
        {"type": GLOSSARY, "title": title, "status": status, "detail": detail, "instance": "10ce6c36"},
        {"content-type": "application/problem+json; charset=utf-8"},
    )


class Mailchimp(Target):
    kind = "mailchimp"

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, dict[str, Any]] = {}
        self.forgotten: set[str] = set()

    def options(self) -> dict[str, str]:
        return dict(PEOPLE["mailchimp"])

    def mailable(self) -> list[str]:
        return sorted(one["email_address"] for one in self.members.values() if one["status"] == "subscribed")

    def records(self) -> list[str]:
        return sorted(one["email_address"] for one in self.members.values())

    def answer(self, asked: Asked) -> Answer:
        key = base64.b64encode(f"any:{self.options()['key']}".encode()).decode()
        if not self.credentials_good or asked.headers.get("authorization") != f"Basic {key}":
            return problem(401, "API Key Invalid", "Your API key may be invalid.")
        found = re.fullmatch(r"/3\.0/lists/([^/]+)(?:/(members|merge-fields)(?:/([^/]+)(/tags)?)?)?", asked.path)
        if found is None or found[1] != self.options()["list"]:
            return problem(404, "Resource Not Found", "The requested resource could not be found.")
        if found[2] == "merge-fields":
            return Answer(200, {"merge_fields": [{"tag": tag} for tag in MERGE_FIELDS]})
        if found[2] is None:
            return Answer(200, {"id": found[1]})
        if found[4]:
            return self._tag(found[3], asked.json)
        return self._put(found[3], asked.json) if asked.method == "PUT" else self._patch(found[3], asked.json)

    def _put(self, hashed: str, body: dict[str, Any]) -> Answer:
        email = body["email_address"]
        if hashlib.md5(email.lower().encode()).hexdigest() != hashed:
            return problem(400, "Invalid Resource", "The resource submitted could not be validated.")
        if hashed in self.forgotten:
            return problem(400, "Forgotten Email Not Subscribed", f"{email} was permanently deleted")
        if email.endswith((".invalid", "@example.com")):
            return problem(
                400, "Invalid Resource", f"{email} looks fake or invalid, please enter a real email address."
            )
        if set(body.get("merge_fields", {})) - set(MERGE_FIELDS):
            return problem(400, "Invalid Resource", "Your merge fields were invalid.")
        one = self.members.get(hashed)
        if one is None:
            one = self.members[hashed] = {"email_address": email, "status": body["status_if_new"], "tags": set()}
        if "status" in body:
            if one["status"] == "cleaned":
                return problem(400, "Member In Compliance State", f"{email} is in a compliance state due to bounce")
            one["status"] = body["status"]
        one.setdefault("merge_fields", {}).update(body.get("merge_fields", {}))
        one["language"] = body.get("language", one.get("language"))
        return Answer(200, {"id": hashed, **{name: one[name] for name in ("email_address", "status")}})

    def _patch(self, hashed: str, body: dict[str, Any]) -> Answer:
        one = self.members.get(hashed)
        if one is None:
            return problem(404, "Resource Not Found")
        one["status"] = body["status"]
        return Answer(200, {"id": hashed, "status": one["status"]})

    def _tag(self, hashed: str, body: dict[str, Any]) -> Answer:
        if hashed not in self.members:
            return problem(404, "Resource Not Found")
        self.members[hashed]["tags"] |= {tag["name"] for tag in body["tags"] if tag["status"] == "active"}
        return Answer(204)
