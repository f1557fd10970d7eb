"""Not one byte of somebody who did not ask to be written to leaves, whatever the kind: the promise of the contract,
section 8, held against everything that every installed kind sends.

The rule is written here anew, from the contract, not taken from `domain/payloads.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from math import inf
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.mapping import FIELDS
from tests.conftest import KEY
from tests.domain.test_payloads import FACTS, PARTNER, letter
from tests.integrations.samples import NOW, Keeper, RecordingClient, RecordingMailer, options_of, tools, url_of
from widget_server.contract import DeliveryError, Event, Integration, Response
from widget_server.domain.deliveries import Health
from widget_server.domain.destinations import ALL_DETAILS, Configuration, new_secret
from widget_server.domain.events import EVENT_TYPES
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.payloads import SignatureFacts
from widget_server.domain.vault import Vault
from widget_server.flows.directory import Directory
from widget_server.outbox.registry import Registry
from widget_server.outbox.routes import NothingToSay, Routes
from widget_server.store.deliveries import Work
from widget_server.store.destinations import DestinationRow
from widget_server.store.events import EventRow

KINDS: Mapping[str, Integration] = Registry()
EMAIL, POSTAL_CODE, COMMENT = "qzxsecret@hidden.example", "Z9Q8X7", "wxyzzycomment"
MARKS = [b"qzxsecret", b"z9q8x7", b"wxyzzycomment", hashlib.md5(EMAIL.encode()).hexdigest().encode()]
OTHER = replace(PARTNER, id=8, slug="oak", name="Oak House")
HEADINGS = ["id", *({"status", "kind", "name", *FIELDS} - {"id"})]
WELCOME = json.dumps(
    {
        **{"access_token": "t", "refresh_token": "r", "expires_in": 3600, "token_type": "Bearer"},
        "valueRanges": [{"values": [HEADINGS]}, {"values": [["id"]]}],
    }
).encode()
"""What lets each kind go on to what it has to say: a token where it asks for one, a sheet with headings and no rows."""
VAULT = Vault([KEY])


class TwoPartners:
    """Of the directory, what rendering asks: one letter, two partners."""

    def __init__(self, letter: Letter) -> None:
        self._letter = letter

    async def letter_by_id(self, _: int) -> Letter:
        return self._letter

    async def partner_by_id(self, id_: int) -> Partner:
        return PARTNER if id_ == PARTNER.id else OTHER

    async def counts(self, _: Letter) -> Any:
        return self

    def public(self, _: Any) -> Mapping[str, Any]:
        return {"total": 7, "individuals": 5, "organizations": 2, "by_statement": {"ca": 7}}


async def sent(
    kind: Integration,
    facts: SignatureFacts,
    *,
    event_type: str = "signature.confirmed",
    then: str = "confirmed",
    confirmation: str = "email",
    owner: int | None = None,
    all_details: bool = False,
    ended: bool = False,
) -> bytes:
    """All that goes out, lower-case, percent-decoded too: addresses, headers, bodies, mails."""
    options = dict(options_of(kind))
    if all_details:
        options[ALL_DETAILS[0]] = ALL_DETAILS[1]
    configuration = Configuration(url_of(kind), options, (new_secret(),) if kind.signed else ())
    directory = cast(Directory, TwoPartners(letter(confirmation)))
    routes = Routes(directory=directory, vault=VAULT, kinds=KINDS, public_url="https://letters.example.org")
    health = Health("active", None, None, None, None, None)
    sealed = VAULT.seal(configuration.as_json())
    row = DestinationRow(new_id(), 1, owner, kind.kind, sealed, None, health, NOW)
    route = await routes.open(row)
    event = EventRow(new_id(), event_type, 1, facts.partner_id, facts.id, {"status": then}, NOW)
    work = Work(new_id(), 0, 0, event, facts, VAULT.seal({"email": facts.email}) if ended else None)
    try:
        rendered = await routes.render(route, await routes.facts(route), work)
    except NothingToSay:
        return b""
    return await gone_out(kind, rendered, route.destination(datetime.now(UTC)))


async def gone_out(kind: Integration, event: Event, where: Any) -> bytes:
    client = RecordingClient(Response(200, {"content-type": "application/json"}, WELCOME))
    mailer = RecordingMailer()
    groups = kind.plan([event], options=where.options, quiet_seconds=inf, now=NOW) or [[event]]
    for group in groups:
        try:
            await kind.send(group, where, tools(client, mail=mailer, keeper=Keeper()))
        except DeliveryError as error:
            client.posts.append(("", str(error).encode() + error.response.encode(), {}))
    parts = [part for url, content, headers in client.posts for part in (url, content, str(dict(headers)))]
    parts += [part for mail in mailer.mails for part in (mail.subject, mail.text, mail.html, str(mail.to))]
    raw = b"\n".join(part if isinstance(part, bytes) else part.encode() for part in parts).lower()
    return raw + b"\n" + unquote_to_bytes(raw)


signers = st.builds(
    replace,
    st.just(replace(FACTS, email=EMAIL, postal_code=POSTAL_CODE, comment=COMMENT, name="Zoë Gagné", quarantined=False)),
    kind=st.sampled_from(["individual", "organization"]),
    organization=st.sampled_from(["A Club", None]),
    status=st.sampled_from(["pending", "confirmed", "withdrawn", "rejected"]),
    listing=st.sampled_from(["listed", "awaiting_review", "hidden_by_signer", "hidden_by_staff"]),
    public=st.booleans(),
    contact_opt_in=st.booleans(),
    partner_opt_in=st.booleans(),
    quarantined=st.booleans(),
    test=st.booleans(),
    repeat_of=st.sampled_from([None, "01900000-0000-7000-8000-0000000000ff"]),
    partner_id=st.sampled_from([PARTNER.id, OTHER.id]),
)
types = st.sampled_from([type_ for type_ in EVENT_TYPES if type_.startswith("signature.")])


@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=60, deadline=None)
@given(
    facts=signers,
    event_type=types,
    then=st.sampled_from(["pending", "confirmed"]),
    confirmation=st.sampled_from(["email", "none"]),
    owner=st.sampled_from([None, PARTNER.id]),
    all_details=st.booleans(),
    ended=st.booleans(),
)
def test_nobody_who_did_not_ask_for_it_is_in_anything_sent(
    name: str,
    facts: SignatureFacts,
    event_type: str,
    then: str,
    confirmation: str,
    owner: int | None,
    all_details: bool,
    ended: bool,
) -> None:
    kind = KINDS[name]
    all_details = all_details and owner is None  # a partner cannot have it; adding such a destination is refused
    opted_in = facts.contact_opt_in if owner is None else facts.partner_opt_in and facts.partner_id == owner
    unproven = confirmation == "email" and "pending" in (facts.status, then)
    over = facts.status in ("withdrawn", "rejected")
    may = (opted_in or (all_details and not kind.lists)) and not (unproven or over or facts.quarantined)
    text = asyncio.run(
        sent(
            kind,
            facts,
            event_type=event_type,
            then=then,
            confirmation=confirmation,
            owner=owner,
            all_details=all_details,
            ended=ended,
        )
    )
    if not kind.contact_details:
        assert not [mark for mark in MARKS if mark in text], "a room gets no contact details, ever"
    elif not may:
        allowed = {MARKS[0], MARKS[3]} if ended else set()  # the end of a consent carries the address, and that alone
        assert not [mark for mark in MARKS if mark in text and mark not in allowed]
    if kind.lists and not ended and not opted_in:
        assert text.strip() == b"", "a mailing list hears nothing at all of others"


@cache
def _opted_in() -> SignatureFacts:
    return replace(FACTS, email=EMAIL, postal_code=POSTAL_CODE, comment=COMMENT, contact_opt_in=True)


@pytest.mark.parametrize("name", sorted(name for name, kind in KINDS.items() if kind.contact_details))
def test_the_marks_would_be_seen(name: str) -> None:
    """That the test above can fail: of somebody who asked for it, each such kind sends the address."""
    text = asyncio.run(sent(KINDS[name], _opted_in()))
    assert MARKS[0] in text or MARKS[3] in text
