"""Seals: what one purpose sealed opens nothing else; keys rotate; a token that was cut says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.tokens import (
    Attribution,
    BadToken,
    Seals,
    Shown,
    open_attribution,
    open_shown,
    seal_attribution,
    seal_shown,
)  # fmt: skip

OLD, NEW = "an old key, long enough", "a new key, long enough"
SLUG = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(SLUG, SLUG, st.integers(1, 10**6))
def test_says_what_was_sealed(letter: str, partner: str, version: int) -> None:
    seals = Seals([NEW])
    attribution = Attribution(letter, partner, version)
    assert open_attribution(seals, seal_attribution(seals, attribution)) == attribution


@given(st.data())
def test_a_token_that_was_changed_or_cut_opens_nothing(data: st.DataObject) -> None:
    seals = Seals([NEW])
    token = seal_attribution(seals, Attribution("stca", "maple", 1))
    at = data.draw(st.integers(0, len(token) - 1))
    wrong = data.draw(st.sampled_from([token[:at], token[:at] + token[at + 1 :], token[:at] + "~" + token[at + 1 :]]))
    with pytest.raises(BadToken):
        open_attribution(seals, wrong)


@given(st.text(max_size=200))
def test_any_text_is_refused_calmly(text: str) -> None:
    with pytest.raises(BadToken):
        open_attribution(Seals([NEW]), text)


def test_cut_and_forged_are_told_apart() -> None:
    seals = Seals([NEW])
    token = seal_attribution(seals, Attribution("stca", "maple", 1))
    for wrong, code in ((token[:-5], "malformed"), ("", "malformed"), (token[:-1] + "~", "malformed")):
        with pytest.raises(BadToken) as refused:
            open_attribution(seals, wrong)
        assert refused.value.code == code
    with pytest.raises(BadToken) as refused:
        open_attribution(Seals([OLD]), token)
    assert refused.value.code == "forged"


def test_keys_rotate() -> None:
    before = seal_attribution(Seals([OLD]), Attribution("stca", "maple", 1))
    after = seal_attribution(Seals([NEW, OLD]), Attribution("stca", "maple", 1))
    assert open_attribution(Seals([NEW, OLD]), before).partner == "maple"
    assert open_attribution(Seals([NEW]), after).partner == "maple"
    with pytest.raises(BadToken):
        open_attribution(Seals([NEW]), before)


def test_one_purpose_opens_nothing_else() -> None:
    seals = Seals([NEW])
    with pytest.raises(BadToken):
        seals.open("attribution", seals.seal("preview", ["stca", "maple", 1]))


def test_shown_is_of_one_letter_only() -> None:
    seals = Seals([NEW])
    token = seal_shown(seals, Shown(7, 2, "abc"))
    assert open_shown(seals, token, 7) == Shown(7, 2, "abc")
    assert open_shown(seals, token, 8) is None
    assert open_shown(seals, None, 7) is None
    assert open_shown(seals, "nonsense", 7) is None
