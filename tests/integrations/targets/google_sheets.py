"""Google Sheets API v4, and Google's token endpoint for service accounts.

Sources: developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values (append finds the table at the
range and adds below it; batchGet leaves out empty rows at the end, and a range with nothing has no `values`; in a write
null leaves a cell as it is, "" empties it; RAW is stored as it is, USER_ENTERED is read as if typed),
/limits (60 reads and writes a minute for each user; 429), cloud.google.com/apis/design/errors (error bodies),
developers.google.com/identity/protocols/oauth2/service-account (signed statement, `invalid_grant`, one hour).
The signature is verified with the account's public key.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from tests.integrations.people_samples import ROBOT, SPREADSHEET, key_file, robot_key
from tests.integrations.targets.base import Answer, Asked, Target

HEADINGS = (
    "id signed_at status kind name organization city country statement language partner source opted_in email"
    " postal_code comment"
).split()


def error(status: int, name: str, message: str = "") -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "status": name}})


class GoogleSheets(Target):
    kind = "google-sheets"

    def __init__(self) -> None:
        super().__init__()
        self.sheets: dict[str, list[list[str]]] = {"Sheet1": [list(HEADINGS)]}
        self.token = ""
        self.bought = 0
        self.shared = True

    def options(self) -> dict[str, str]:
        return {"credentials": key_file(f"{self.url}/token"), "spreadsheet": SPREADSHEET}

    def rows(self) -> list[dict[str, str]]:
        headings, *rows = self.sheets["Sheet1"]
        return [dict(zip(headings, row, strict=False)) for row in rows]

    def mailable(self) -> list[str]:
        return sorted(row["email"] for row in self.rows() if row.get("opted_in") == "yes")

    def records(self) -> list[str]:
        return sorted(row["email"] or row["id"] for row in self.rows())

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            return self._token(asked.form)
        if not self.token or asked.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        path = unquote(asked.path).removeprefix(f"/v4/spreadsheets/{SPREADSHEET}")
        if path == unquote(asked.path):
            return error(404, "NOT_FOUND", "Requested entity was not found.")
        if not self.shared:
            return error(403, "PERMISSION_DENIED", "The caller does not have permission")
        if path == "":
            return Answer(200, {"sheets": [{"properties": {"title": title}} for title in self.sheets]})
        if path == "/values:batchGet":
            return self._read(asked)
        if path == "/values:batchUpdate":
            return self._change(asked.json)
        if found := re.fullmatch(r"/values/'(.*)'!A1:append", path):
            return self._append(found[1], asked)
        return error(404, "NOT_FOUND")

    def _token(self, form: Any) -> Answer:
        head, claims, signature = form["assertion"].split(".")
        try:
            robot_key().public_key().verify(_bytes(signature), f"{head}.{claims}".encode(), PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        told = json.loads(_bytes(claims))
        good = told["iss"] == ROBOT and told["aud"] == f"{self.url}/token" and told["exp"] - told["iat"] == 3600
        if not good or not self.credentials_good or json.loads(_bytes(head))["alg"] != "RS256":
            return Answer(400, {"error": "invalid_grant", "error_description": "account not found"})
        self.bought += 1
        self.token = f"ya29.{self.bought}"
        return Answer(200, {"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"})

    def _read(self, asked: Asked) -> Answer:
        ranges = re.findall(r"ranges=([^&]+)", asked.raw_query)
        shown = []
        for one in ranges:
            found = re.fullmatch(r"'(.*)'!(?:(\d+):\d+|A(\d+):A(\d+))", unquote(one))
            if found is None or found[1] not in self.sheets:
                return error(400, "INVALID_ARGUMENT", f"Unable to parse range: {unquote(one)}")
            rows = self.sheets[found[1]]
            if found[2]:
                values = rows[int(found[2]) - 1 : int(found[2])]
            else:
                values = [row[:1] for row in rows[int(found[3]) - 1 : int(found[4])]]
            shown.append({"range": unquote(one), "majorDimension": "ROWS", **({"values": values} if values else {})})
        return Answer(200, {"spreadsheetId": SPREADSHEET, "valueRanges": shown})

    def _append(self, sheet: str, asked: Asked) -> Answer:
        if sheet not in self.sheets:
            return error(400, "INVALID_ARGUMENT", f"Unable to parse range: '{sheet}'!A1")
        if asked.query.get("valueInputOption") != "RAW":
            return error(400, "INVALID_ARGUMENT", "this sheet would run formulas")
        for cells in asked.json["values"]:
            self.sheets[sheet].append(["" if cell is None else cell for cell in cells])
        return Answer(200, {"spreadsheetId": SPREADSHEET, "updates": {"updatedRows": len(asked.json["values"])}})

    def _change(self, body: dict[str, Any]) -> Answer:
        if body.get("valueInputOption") != "RAW":
            return error(400, "INVALID_ARGUMENT", "this sheet would run formulas")
        for one in body["data"]:
            found = re.fullmatch(r"'(.*)'!A(\d+)", one["range"])
            assert found is not None
            row = self.sheets[found[1]][int(found[2]) - 1]
            row += [""] * (len(one["values"][0]) - len(row))
            for number, cell in enumerate(one["values"][0]):
                row[number] = row[number] if cell is None else cell
        return Answer(200, {"spreadsheetId": SPREADSHEET, "totalUpdatedRows": len(body["data"])})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
