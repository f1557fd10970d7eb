"""The public lists: who is on them, in which order, and that walking through them misses nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.listed import START, new_letter, sign
from widget_server.domain.ids import new_id
from widget_server.store.db import Db
from widget_server.store.signatories import (
    BadPosition,
    Listed,
    ListQuery,
    Position,
    list_page,
    position_values,
    read_position,
)  # fmt: skip


async def walk(db: Db, query: ListQuery, limit: int) -> list[Listed]:
    """Every page after the other, each position through what a cursor holds."""
    found: list[Listed] = []
    after: Position | None = None
    while True:
        page = await list_page(db, query, after, limit)
        assert len(page.entries) <= limit
        found += page.entries
        if page.after is None:
            return found
        assert len(page.entries) == limit
        after = read_position(position_values(page.after))


def shown(entries: list[Listed]) -> list[str | None]:
    return [entry.signatory.name or entry.signatory.organization for entry in entries]


async def test_only_confirmed_listed_public_signatures_that_count(db: Db) -> None:
    letter = await new_letter(db)
    await sign(
        db, letter,
        {"name": "Shown"},
        {"name": "Pending", "status": "pending"},
        {"name": "Withdrawn", "status": "withdrawn"},
        {"name": "Rejected", "status": "rejected"},
        {"name": "Hidden by signer", "listing": "hidden_by_signer", "public": False},
        {"name": "Hidden by staff", "listing": "hidden_by_staff"},
        {"name": "Not public", "public": False},
        {"name": "Awaiting", "listing": "awaiting_review"},
        {"name": "Quarantined", "quarantine": "honeypot"},
        {"name": "Repeat", "repeat_of": new_id()},
        {"name": "Test", "test": True},
    )  # fmt: skip
    assert shown(await walk(db, ListQuery(letter, ("ca",)), 100)) == ["Shown"]


async def test_what_is_public_of_each(db: Db) -> None:
    letter = await new_letter(db)
    await sign(
        db, letter,
        {"name": "Ana", "organization": "Café Ltd", "role": "Cook", "email": "ana@example.org"},
        {"kind": "organization", "organization": "Harbour", "name": "Representative", "role": "Director"},
    )  # fmt: skip
    page = await list_page(db, ListQuery(letter, ("ca",)), None, 10)
    assert [entry.signatory.public() for entry in page.entries] == [
        {"name": "Ana", "kind": "individual", "organization": "Café Ltd", "role": "Cook"},
        {"name": None, "kind": "organization", "organization": "Harbour", "role": None},
    ]


async def test_initiators_first_then_by_arrival(db: Db) -> None:
    letter = await new_letter(db)
    await sign(
        db, letter,
        {"name": "Early"},
        {"kind": "organization", "organization": "Second author", "initiator_rank": 1},
        {"name": "Late"},
        {"kind": "organization", "organization": "First author", "initiator_rank": 0},
        {"name": "Long before", "confirmed_at": START - timedelta(days=1)},
    )  # fmt: skip
    entries = await walk(db, ListQuery(letter, ("ca",)), 2)
    assert shown(entries) == ["First author", "Second author", "Long before", "Early", "Late"]
    assert [entry.initiator for entry in entries] == [True, True, False, False, False]


async def test_same_moment_goes_by_sequence(db: Db) -> None:
    letter = await new_letter(db)
    names = [f"Name {number}" for number in range(7)]
    await sign(db, letter, *({"name": name, "confirmed_at": START} for name in names))
    assert shown(await walk(db, ListQuery(letter, ("ca",)), 2)) == names


async def test_alphabetical_files_accents_under_their_letter(db: Db) -> None:
    letter = await new_letter(db)
    names = [
        "Zoé",
        "étoile",
        "Fabre",
        "Éluard",
        "Eluarde",
        "de la Cour",
        "Delacour",
        "eve",
        "Åsa",
        "O'Neil",
    ]
    await sign(db, letter, *({"name": name} for name in names), {"name": "Zzz", "initiator_rank": 0})
    entries = await walk(db, ListQuery(letter, ("ca",), order="alphabetical"), 3)
    assert shown(entries) == [
        "Zzz", "Åsa", "de la Cour", "Delacour", "Éluard", "Eluarde", "étoile", "eve", "Fabre",
        "O'Neil", "Zoé",
    ]  # fmt: skip


async def test_apart_puts_organizations_before_persons(db: Db) -> None:
    letter = await new_letter(db)
    await sign(
        db, letter,
        {"name": "Ana"},
        {"kind": "organization", "organization": "Harbour"},
        {"name": "Ben"},
        {"kind": "organization", "organization": "Anchor"},
        {"name": "Author", "initiator_rank": 0},
    )  # fmt: skip
    assert shown(await walk(db, ListQuery(letter, ("ca",), apart=True), 2)) == [
        "Author", "Harbour", "Anchor", "Ana", "Ben",
    ]  # fmt: skip
    alphabetical = ListQuery(letter, ("ca",), order="alphabetical", apart=True)
    assert shown(await walk(db, alphabetical, 2)) == ["Author", "Anchor", "Harbour", "Ana", "Ben"]


async def test_statements_apart_and_together(db: Db) -> None:
    letter, other = await new_letter(db), await new_letter(db)
    await sign(
        db, letter,
        {"name": "Ca 1"},
        {"name": "Us 1", "statement": "us"},
        {"name": "Ca 2"},
        {"name": "Us author", "statement": "us", "initiator_rank": 0},
    )  # fmt: skip
    await sign(db, other, {"name": "Elsewhere"})
    assert shown(await walk(db, ListQuery(letter, ("us",)), 1)) == ["Us author", "Us 1"]
    assert shown(await walk(db, ListQuery(letter, ("ca", "us")), 1)) == ["Us author", "Ca 1", "Us 1", "Ca 2"]


async def test_search_ignores_case_accents_and_wildcards(db: Db) -> None:
    letter = await new_letter(db)
    await sign(
        db,
        letter,
        {"name": "Élise Côté"},
        {"name": "Bob"},
        {"kind": "organization", "organization": "ELISE Inc"},
    )
    assert shown(await walk(db, ListQuery(letter, ("ca",), search="elise"), 1)) == ["Élise Côté", "ELISE Inc"]
    assert shown(await walk(db, ListQuery(letter, ("ca",), search="cote"), 10)) == ["Élise Côté"]
    assert shown(await walk(db, ListQuery(letter, ("ca",), search="b_b"), 10)) == []
    assert shown(await walk(db, ListQuery(letter, ("ca",), search="nobody"), 10)) == []


@pytest.mark.parametrize(
    "position",
    [
        Position(0, ("2026-06-01T00:00:00+00:00", 3)),
        Position(1, (3, 3)),
        Position(1, ("not a time", 3)),
        Position(2, ("2026-06-01T00:00:00+00:00", 3)),
        Position(9, (1, 1)),
        Position(-1, (1, 1)),
    ],
)
async def test_positions_of_another_order_are_refused(db: Db, position: Position) -> None:
    letter = await new_letter(db)
    with pytest.raises(BadPosition):
        await list_page(db, ListQuery(letter, ("ca",)), position, 10)


@pytest.mark.parametrize("values", [[], [1], [1, 2], ["x", 1, 2], [1, None, 2], [1, 2, "x"], [1, 2, 3, 4], [1, [], 2]])
def test_positions_that_are_none(values: list[Any]) -> None:
    with pytest.raises(BadPosition):
        read_position(values)


people = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(
                ["Ana", "ana", "Éric", "eric", "de Wit", "Dewitt", "李", "Zoé", "O'Neil", "É & Co"]
            ),
            "kind": st.sampled_from(["individual", "organization"]),
            "statement": st.sampled_from(["ca", "us"]),
            "initiator_rank": st.sampled_from([None, None, None, 0, 1]),
            "second": st.integers(0, 3),
            "listing": st.sampled_from(["listed", "listed", "listed", "hidden_by_staff"]),
        }
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people,
    st.integers(1, 7),
    st.sampled_from(["arrival", "alphabetical"]),
    st.booleans(),
    st.sampled_from([("ca",), ("us",), ("ca", "us")]),
)
async def test_pages_leave_no_gap_and_meet_nobody_twice(
    db: Db, rows: list[dict[str, Any]], limit: int, order: Any, apart: bool, statements: tuple[str, ...]
) -> None:
    letter = await new_letter(db)
    made = []
    for number, row in enumerate(rows):
        own = dict(row)
        at = START + timedelta(seconds=own.pop("second"))
        unique = f"{own.pop('name')} {number}"
        key = "organization" if own["kind"] == "organization" else "name"
        made.append({**own, key: unique, "confirmed_at": at})
    await sign(db, letter, *made)
    query = ListQuery(letter, statements, order=order, apart=apart)
    walked = shown(await walk(db, query, limit))
    whole = shown(list((await list_page(db, query, None, 500)).entries))
    expected = {
        row.get("name") or row.get("organization")
        for row in made
        if row["listing"] == "listed" and row["statement"] in statements
    }
    assert walked == whole
    assert len(walked) == len(set(walked))
    assert set(walked) == expected


async def test_a_walk_is_not_disturbed_by_those_who_sign_meanwhile(db: Db) -> None:
    letter = await new_letter(db)
    await sign(db, letter, *({"name": f"Name {number}"} for number in range(4)))
    query = ListQuery(letter, ("ca",))
    first = await list_page(db, query, None, 2)
    await sign(
        db,
        letter,
        {"name": "Pinned meanwhile", "initiator_rank": 0},
        {"name": "New", "confirmed_at": START + timedelta(days=1)},
    )
    second = await list_page(db, query, first.after, 10)
    assert shown(list(first.entries)) + shown(list(second.entries)) == [
        "Name 0",
        "Name 1",
        "Name 2",
        "Name 3",
        "New",
    ]
