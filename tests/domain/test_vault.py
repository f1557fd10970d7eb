"""Secrets at rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from widget_server.domain.destinations import Configuration, masked_url, new_secret, read_configuration
from widget_server.domain.vault import Unsealable, Vault

OLD, NEW = "an old key of some length", "a new key of some length"
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)


def test_what_is_sealed_does_not_show_and_opens_again() -> None:
    sealed = Vault([OLD]).seal({"url": "https://hooks.slack.com/services/T/B/secret"})
    assert "hooks" not in sealed
    assert Vault([OLD]).open(sealed) == {"url": "https://hooks.slack.com/services/T/B/secret"}


def test_a_rotated_key_still_opens_and_a_dropped_one_does_not() -> None:
    sealed = Vault([OLD]).seal("x")
    assert Vault([NEW, OLD]).open(sealed) == "x"
    with pytest.raises(Unsealable):
        Vault([NEW]).open(sealed)
    with pytest.raises(Unsealable):
        Vault([OLD]).open("not sealed at all")
    with pytest.raises(ValueError, match="at least one"):
        Vault([])


def test_secrets_overlap_when_rotated() -> None:
    first = Configuration("https://example.org", {}, (new_secret(),))
    second = first.rotated(NOW)
    assert len(second.in_force(NOW)) == 2
    assert second.in_force(NOW)[1] == first.secrets[0].value
    assert second.in_force(NOW + timedelta(hours=25)) == [second.secrets[0].value]
    third = second.rotated(NOW + timedelta(hours=12))
    assert third.secrets[2].until == NOW + timedelta(hours=24), "rotating again must not prolong the oldest"
    assert read_configuration(third.as_json()) == third


def test_a_secret_is_32_random_bytes_as_standard_webhooks_writes_them() -> None:
    values = {new_secret().value for _ in range(20)}
    assert len(values) == 20
    assert all(value.startswith("whsec_") and len(value) == 6 + 44 for value in values)


def test_a_secret_url_is_shown_by_host_and_end() -> None:
    assert masked_url("https://hooks.slack.com/services/T000/B000/abcdwxyz") == "https://hooks.slack.com/…wxyz"
