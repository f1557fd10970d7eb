"""Every body that can be sent fits the schema that receivers are given; and the schemas are ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from integrations.webhook.bodies import body
from tests.domain.test_payloads import FACTS, MAPLE, PARTNER, letter
from tests.integrations.samples import LETTER, NOW
from widget_server.contract import Event
from widget_server.domain.event_schemas import DIALECT, FORMS, catalogue, schema
from widget_server.domain.event_shapes import SHAPES, example_data
from widget_server.domain.events import EVENT_TYPES, TEST
from widget_server.domain.payloads import Reader, SignatureFacts, signature_data

SIGNATURE_TYPES = [type_ for type_ in SHAPES if type_.startswith("signature.")]


def closed(part: Any) -> Any:
    """The same schema, but a key that it does not name is wrong: receivers let such pass, we do not."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    found = {key: value if key in ("enum", "const", "examples") else closed(value) for key, value in part.items()}
    if "properties" in found and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


STRICT = {(type_, form): Draft202012Validator(closed(schema(type_, form))) for type_ in SHAPES for form in FORMS}


def fits(content: bytes, form: str) -> None:
    """Raises `ValidationError` for a body that is not as its type's schema says, to the key."""
    said = json.loads(content)
    STRICT[said["type"], form].validate(said)


def test_every_type_has_its_schemas_and_each_is_one_with_an_example_that_fits() -> None:
    said = json.loads(json.dumps(catalogue()))
    assert set(said["events"]) == {*EVENT_TYPES, TEST}
    for type_, entry in said["events"].items():
        assert entry["description"]
        for form in FORMS:
            one = entry[form]
            assert one["$schema"] == DIALECT
            Draft202012Validator.check_schema(one)
            (example,) = one["examples"]
            assert example["type"] == type_
            STRICT[type_, form].validate(example)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("type_", SHAPES)
def test_the_examples_are_what_would_be_sent(type_: str, form: str) -> None:
    (example,) = schema(type_, form)["examples"]
    one = Event("019f2b3c-5d6e-7f80-9a1b-2c3d4e5f6072", type_, NOW, LETTER, example_data(type_), type_ == TEST)
    said = json.loads(body(one, form))
    assert said | {"timestamp": example["timestamp"]} == example


def test_a_key_too_many_or_too_few_is_noticed() -> None:
    for form in FORMS:
        (example,) = schema("signature.confirmed", form)["examples"]
        inside = example if form == "flat" else example["data"]
        del inside["letter"]
        with pytest.raises(ValidationError):
            fits(json.dumps(example).encode(), form)
        inside["letter"] = "stca"
        fits(json.dumps(example).encode(), form)
        inside["shoe_size"] = "44"
        with pytest.raises(ValidationError):
            fits(json.dumps(example).encode(), form)


def test_a_receiver_lets_pass_what_it_does_not_know() -> None:
    (example,) = schema("signature.confirmed", "full")["examples"]
    example["data"]["shoe_size"] = example["more"] = "44"
    Draft202012Validator(schema("signature.confirmed", "full")).validate(example)


line = st.text(max_size=20)
maybe = st.none() | line
facts = st.builds(
    SignatureFacts,
    id=st.just(FACTS.id),
    partner_id=st.sampled_from([7, 8]),
    statement=st.sampled_from(["ca", "us"]),
    kind=st.sampled_from(["individual", "organization"]),
    status=st.sampled_from(["pending", "confirmed", "withdrawn", "rejected"]),
    listing=st.sampled_from(["listed", "awaiting_review", "hidden_by_signer", "hidden_by_staff"]),
    repeat_of=st.none() | st.just("s0"),
    test=st.booleans(),
    quarantined=st.booleans(),
    name=maybe,
    organization=maybe,
    role=maybe,
    email=maybe,
    country=maybe,
    city=maybe,
    postal_code=maybe,
    comment=maybe,
    locale=st.sampled_from(["en", "fr"]),
    public=st.booleans(),
    contact_opt_in=st.booleans(),
    partner_opt_in=st.booleans(),
    source=maybe,
    page=maybe,
    created_at=st.just(NOW),
    confirmed_at=st.none() | st.just(NOW),
)
readers = st.sampled_from(
    [Reader(None, chat=False), Reader(None, chat=False, all_details=True), MAPLE, Reader(8, chat=False)]
)


@given(
    type_=st.sampled_from(SIGNATURE_TYPES),
    now=st.none() | facts,
    reader=readers,
    partner=st.none() | st.just(PARTNER),
    confirmation=st.sampled_from(["email", "none"]),
    ended=st.none() | st.just("zoe@example.org"),
    erased=st.booleans(),
    pick=st.integers(0, 3),
)
def test_whatever_a_signature_is_by_now_its_events_fit(
    type_: str,
    now: SignatureFacts | None,
    reader: Reader,
    partner: Any,
    confirmation: str,
    ended: str | None,
    erased: bool,
    pick: int,
) -> None:
    statuses = SHAPES[type_].statuses
    moment: dict[str, Any] = {"status": statuses[pick % len(statuses)]}
    moment |= {"erased": True} if erased else {}
    moment |= {"test": True} if now is not None and now.test else {}
    data = signature_data(
        type_,
        moment,
        now,
        signature_id=FACTS.id,
        letter=letter(confirmation),
        partner=partner,
        reader=reader,
        ended_address=ended,
    )
    assert data is not None
    one = Event(FACTS.id, type_, NOW, LETTER, data, test=bool(now and now.test))
    for form in FORMS:
        fits(body(one, form), form)


def test_the_page_for_receivers_has_a_line_for_each_type_in_the_words_of_the_catalogue() -> None:
    page = (Path(__file__).parents[2] / "docs/webhooks.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", page, re.MULTILINE)
    said = catalogue()["events"]
    assert [type_ for type_, _ in rows] == list(said)
    for type_, line in rows:
        assert line.startswith(said[type_]["description"]), type_
        for key in re.findall(r"`(\w+)`", line):
            assert key in SHAPES[type_].keys, f"{type_}: {key}"


def test_the_page_for_receivers_names_every_key_of_a_signature() -> None:
    page = (Path(__file__).parents[2] / "docs/webhooks.md").read_text("utf-8")
    for key in SHAPES["signature.confirmed"].keys:
        assert f'"{key}"' in page, key
