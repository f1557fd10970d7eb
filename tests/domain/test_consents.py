"""Consent boxes: offered only where the sender can be named, and their wording is known by its version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.domain.test_snippet import NAMED, PARTNER, letter
from widget_server.domain.consents import Consents, boxes, consent_version, wordings
from widget_server.domain.form_fields import asked
from widget_server.domain.letters import Fields
from widget_server.i18n import Texts

IDENTITY = {
    "legal_name": "Conseil & Co", "postal_address": "49 Rue Exemple, Ottawa", "privacy_url": "https://c.example",
    "phone": "613-555-0149",
}  # fmt: skip


def test_a_box_names_its_sender_and_how_to_take_it_back(texts: Texts) -> None:
    offered = boxes(letter(identity=IDENTITY), NAMED, "en", texts)
    assert [(box.purpose, box.field) for box in offered] == [
        ("initiators", "contact_opt_in"),
        ("partner", "partner_opt_in"),
    ]
    for part in (
        "Conseil & Co",
        "49 Rue Exemple, Ottawa",
        "info@example.org",
        "613-555-0149",
        "withdraw",
        "any time",
    ):
        assert part in offered[0].text
    french = boxes(letter(identity=IDENTITY), NAMED, "fr", texts)
    for part in ("Maple Society", "1 Rue Exemple", "retirer", "en tout temps"):
        assert part in french[1].text


@pytest.mark.parametrize("missing", ["legal_name", "postal_address", "privacy_url"])
def test_without_a_complete_identity_there_is_no_box(texts: Texts, missing: str) -> None:
    partial = {key: value for key, value in IDENTITY.items() if key != missing}
    assert boxes(letter(identity=partial), PARTNER, "en", texts) == []
    assert boxes(letter(), replace(NAMED, **{missing: None}), "en", texts) == []


def test_one_way_to_reach_a_partner_is_enough_and_none_is_not(texts: Texts) -> None:
    assert boxes(letter(), replace(NAMED, phone=None), "en", texts) == []
    assert (
        "a@m.example" in boxes(letter(), replace(NAMED, phone=None, contact_email="a@m.example"), "en", texts)[0].text
    )


def test_the_house_partner_asks_nothing_for_itself(texts: Texts) -> None:
    assert boxes(letter(), replace(NAMED, slug="house"), "en", texts) == []


def test_the_version_is_the_words_and_the_partner(texts: Texts) -> None:
    said = wordings(letter(identity=IDENTITY), NAMED, texts)
    version = consent_version(NAMED.id, said)
    assert len(version) == 16
    assert version == consent_version(NAMED.id, {"fr": said["fr"], "en": said["en"]})
    assert version != consent_version(NAMED.id + 1, said)
    moved = {**IDENTITY, "postal_address": "50 Rue Exemple, Ottawa"}
    assert version != consent_version(NAMED.id, wordings(letter(identity=moved), NAMED, texts))
    assert [box.purpose for box in Consents(version, said).boxes("fr")] == ["initiators", "partner"]


def test_the_form_asks_what_fits() -> None:
    use = Fields(role="required", city="optional", comment="required")
    assert asked(use, "individual", ["contact_opt_in"]) == [
        "country*", "name*", "email*", "organization", "role*", "city", "comment*", "public",
        "contact_opt_in",
    ]  # fmt: skip
    assert asked(use, "organization", []) == [
        "country*", "organization*", "organization_website", "name", "role", "email*", "city", "comment*",
        "authorized*",
    ]  # fmt: skip
    assert "role" not in asked(Fields(role="hidden"), "organization", [])
