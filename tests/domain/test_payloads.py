"""Consent decides what leaves: in one place, and for every kind of reader."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.letters import Letter, LetterSettings, Wording
from widget_server.domain.partners import Partner
from widget_server.domain.payloads import Reader, SignatureFacts, signature_data

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
COORDINATORS = Reader(None, chat=False)
EVERYTHING = Reader(None, chat=False, all_details=True)
MAPLE = Reader(7, chat=False)
ROOM = Reader(None, chat=True)
KEYS = [
    "id",
    "letter",
    "statement",
    "kind",
    "status",
    "name",
    "organization",
    "role",
    "email",
    "country",
    "city",
    "postal_code",
    "comment",
    "locale",
    "public",
    "contact_opt_in",
    "partner_opt_in",
    "partner",
    "source",
    "page",
    "created_at",
    "confirmed_at",
]


def letter(confirmation: str = "none") -> Letter:
    settings = LetterSettings.model_validate(
        {
            "slug": "letter",
            "locales": ["en"],
            "title": {"en": "A letter"},
            "contact_email": "hello@example.org",
            "confirmation": confirmation,
            "statements": [{"code": "ca", "countries": ["*"], "text": {"en": "We"}, "list_title": {"en": "Canada"}}],
        }
    )
    return Letter(1, "letter", "open", settings, 1, {"en": Wording("A", "", "", {})}, {}, b"k", 1, NOW)


PARTNER = Partner(
    id=7,
    letter_id=1,
    slug="maple",
    name="Maple House",
    version=1,
    revoked_versions=frozenset(),
    revoked_at=None,
    origins=(),
    locale=None,
    strict_origins=False,
    contact=None,
    legal_name=None,
    postal_address=None,
    privacy_url=None,
    contact_email=None,
    phone=None,
    created_at=NOW,
)
FACTS = SignatureFacts(
    id="s1",
    partner_id=7,
    statement="ca",
    kind="individual",
    status="confirmed",
    listing="listed",
    repeat_of=None,
    test=False,
    quarantined=False,
    name="Zoë Gagné",
    organization="Un Café",
    role="Cook",
    email="zoe@example.org",
    country="CA",
    city="Montréal",
    postal_code="H2X 1Y4",
    comment="Because.",
    locale="fr",
    public=True,
    contact_opt_in=False,
    partner_opt_in=False,
    source="june",
    page="https://m.example/",
    created_at=NOW,
    confirmed_at=NOW,
)


def data(facts: SignatureFacts | None, reader: Reader, *, type_: str = "signature.confirmed", **more: Any) -> Any:
    return signature_data(
        type_,
        more.get("moment", {"status": "confirmed"}),
        facts,
        signature_id="s1",
        letter=letter(more.get("confirmation", "none")),
        partner=PARTNER,
        reader=reader,
    )


def details(shown: dict[str, Any]) -> tuple[Any, Any, Any]:
    return shown["email"], shown["postal_code"], shown["comment"]


ALL = ("zoe@example.org", "H2X 1Y4", "Because.")
NONE = (None, None, None)


def test_every_key_of_the_contract_is_there_whoever_reads() -> None:
    for reader in (COORDINATORS, EVERYTHING, MAPLE, ROOM):
        for facts in (FACTS, replace(FACTS, test=True), replace(FACTS, kind="organization")):
            assert set(data(facts, reader)) >= set(KEYS)
    assert set(data(None, COORDINATORS)) >= set(KEYS)


@pytest.mark.parametrize(
    ("reader", "contact", "partner", "expected"),
    [
        (COORDINATORS, False, True, NONE),
        (COORDINATORS, True, False, ALL),
        (MAPLE, True, False, NONE),
        (MAPLE, False, True, ALL),
        (EVERYTHING, False, False, ALL),
        (replace(MAPLE, all_details=True), True, False, NONE),
        (Reader(8, chat=False), False, True, NONE),
        (ROOM, True, True, NONE),
    ],
)
def test_contact_details_go_only_to_whom_the_box_named(
    reader: Reader, contact: bool, partner: bool, expected: Any
) -> None:
    facts = replace(FACTS, contact_opt_in=contact, partner_opt_in=partner)
    assert details(data(facts, reader)) == expected


def test_a_hidden_name_goes_only_to_whom_its_signer_opted_in_and_never_into_a_room() -> None:
    hidden = replace(FACTS, public=False, contact_opt_in=True)
    assert data(hidden, COORDINATORS)["name"] == "Zoë Gagné"
    for reader in (MAPLE, ROOM):
        shown = data(hidden, reader)
        assert (shown["name"], shown["organization"], shown["role"]) == (None, None, None)


def test_a_representatives_name_is_a_contact_detail() -> None:
    organization = replace(FACTS, kind="organization")
    for reader in (COORDINATORS, MAPLE, ROOM):
        shown = data(organization, reader)
        assert (shown["name"], shown["organization"]) == (None, "Un Café")
    assert data(replace(organization, contact_opt_in=True), COORDINATORS)["name"] == "Zoë Gagné"


def test_an_unproven_address_goes_nowhere() -> None:
    pending = replace(FACTS, status="pending", confirmed_at=None, contact_opt_in=True)
    for reader in (COORDINATORS, EVERYTHING):
        shown = data(pending, reader, confirmation="email", moment={"status": "pending"}, type_="signature.created")
        assert details(shown) == NONE
        later = replace(FACTS, contact_opt_in=True)
        assert details(data(later, reader, confirmation="email", moment={"status": "pending"})) == NONE
        assert details(data(later, reader, confirmation="email")) == ALL


def test_a_second_signature_carries_nothing_where_nobody_has_proved_the_address() -> None:
    repeat = replace(FACTS, repeat_of="s0", contact_opt_in=True, partner_opt_in=True)
    for reader in (COORDINATORS, MAPLE):
        assert details(data(repeat, reader, type_="signature.assisted")) == NONE


@pytest.mark.parametrize("status", ["withdrawn", "rejected"])
def test_who_has_withdrawn_meanwhile_is_not_sent(status: str) -> None:
    ended = replace(FACTS, status=status, contact_opt_in=True, partner_opt_in=True)
    for reader in (COORDINATORS, EVERYTHING, MAPLE):
        for type_ in ("signature.created", "signature.confirmed", f"signature.{status}"):
            shown = json.dumps(data(ended, reader, type_=type_), ensure_ascii=False)
            for secret in ("Zoë", "zoe@", "H2X", "Because", "Café", "Montréal"):
                assert secret not in shown
    assert data(ended, ROOM) is None
    assert data(None, ROOM) is None
    assert data(None, COORDINATORS)["id"] == "s1"


def test_a_test_signature_tells_a_room_nothing_that_was_typed() -> None:
    shown = json.dumps(data(replace(FACTS, test=True), ROOM), ensure_ascii=False)
    for typed in ("Zoë", "zoe@", "Café", "Cook", "CA", "Montréal", "H2X", "Because", "june", "m.example"):
        assert f'"{typed}' not in shown
    assert "Maple House" in shown


def typed(field: str) -> st.SearchStrategy[str | None]:
    """Something that a signer typed, told apart from every other field's by its mark."""
    return st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=20).map(lambda t: f"⟦{field} {t}⟧")


facts_of_anybody = st.builds(
    SignatureFacts,
    id=st.just("s1"),
    partner_id=st.sampled_from([7, 8]),
    statement=st.just("ca"),
    kind=st.sampled_from(["individual", "organization"]),
    status=st.sampled_from(["pending", "confirmed", "withdrawn", "rejected"]),
    listing=st.just("listed"),
    repeat_of=st.sampled_from([None, "s0"]),
    test=st.booleans(),
    quarantined=st.booleans(),
    name=typed("name"),
    organization=typed("organization"),
    role=typed("role"),
    email=typed("email"),
    country=st.just("CA"),
    city=st.none(),
    postal_code=typed("postal code"),
    comment=typed("comment"),
    locale=st.just("fr"),
    public=st.booleans(),
    contact_opt_in=st.booleans(),
    partner_opt_in=st.booleans(),
    source=st.none(),
    page=st.none(),
    created_at=st.just(NOW),
    confirmed_at=st.just(NOW),
)


@given(
    facts=facts_of_anybody,
    reader=st.builds(Reader, st.sampled_from([None, 7]), st.booleans(), st.booleans()),
    type_=st.sampled_from(["signature.created", "signature.confirmed", "signature.assisted", "signature.withdrawn"]),
    confirmation=st.sampled_from(["none", "email"]),
    moment=st.sampled_from(["pending", "confirmed"]),
)
def test_nothing_leaves_without_consent(
    facts: SignatureFacts, reader: Reader, type_: str, confirmation: str, moment: str
) -> None:
    shown = data(facts, reader, type_=type_, confirmation=confirmation, moment={"status": moment})
    sent = json.dumps(shown, ensure_ascii=False)
    if reader.partner_id is None:
        may_write = facts.contact_opt_in or reader.all_details
        opted_in = facts.contact_opt_in
    else:
        may_write = opted_in = facts.partner_opt_in and facts.partner_id == 7
    unproven = confirmation == "email" and facts.status == "pending"
    if reader.chat or not may_write or unproven or facts.status in ("withdrawn", "rejected"):
        for secret in (facts.email, facts.postal_code, facts.comment):
            assert secret is None or json.dumps(secret, ensure_ascii=False)[1:-1] not in sent
    hidden = facts.kind == "individual" and not facts.public and (reader.chat or not opted_in)
    representative = facts.kind == "organization" and (reader.chat or not may_write)
    if facts.name is not None and (hidden or representative):
        assert json.dumps(facts.name, ensure_ascii=False)[1:-1] not in sent
