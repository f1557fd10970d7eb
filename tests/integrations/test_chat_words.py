"""The words of the chat kinds and of e-mail: the same in both languages, and harmless in every target."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.chat.escaping import ENTITIES, LOOKALIKES, MARKDOWN, Escaping
from integrations.chat.told import tell
from tests.integrations.samples import event

TEXTS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "integrations" / "chat" / "texts.toml").read_text("utf-8")
)


def each(locale: str) -> dict[str, str]:
    found = {}
    for key, entry in TEXTS[locale].items():
        found.update(
            {f"{key}.{form}": text for form, text in entry.items()} if isinstance(entry, dict) else {key: entry}
        )
    return found


def values(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", text)) - {"count"})


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, french = each("en"), each("fr")
    assert english.keys() == french.keys()
    for key, text in english.items():
        assert values(text) == values(french[key]), key
        assert text.strip()
        assert text != french[key] or key == "other", key


def test_french_has_its_own_spaces_and_apostrophes() -> None:
    for key, text in each("fr").items():
        assert re.search(r"(?<![\u00a0\u202f])[:;?!»]", text.replace("undersigned destination show", "")) is None, key
        assert not re.search(r"[ ][:;?!]|'", text), key


@pytest.mark.parametrize("escaping", [ENTITIES, MARKDOWN, LOOKALIKES])
@given(text=st.text(st.characters(exclude_categories=("Cs",))), limit=st.integers(2, 60))
def test_a_cut_is_within_the_limit_and_is_a_beginning(escaping: Escaping, text: str, limit: int) -> None:
    whole, cut = escaping(text), escaping.fit(text, limit)
    assert len(cut) <= limit
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))


@given(st.text(st.sampled_from("\\`*_[]()#~|<>@.:ab ")))
def test_no_sign_of_markdown_is_left_bare(text: str) -> None:
    escaped = MARKDOWN(text)
    bare = re.sub(r"\\[\\`*_\[\]()#~|]", "", escaped)
    assert not set("\\`*_[]()#~|<>") & set(bare)
    assert not re.search(r"[@:#][^\s\u200b]|\.[^\s\u200b]", bare) or not text.strip()
    assert not set("\\`*_[]~|<>") & set(LOOKALIKES(text))


def test_what_several_events_share_is_told_with_the_newest_count() -> None:
    told = tell([event(name="A"), event(name="B"), event(kind="organization", organization="C")], "en", room=500)
    assert told.headline == "What has happened in the meantime"
    assert told.lines == (
        "2 people signed:",
        "• A · Signed in Canada · via Maple House",
        "• B · Signed in Canada · via Maple House",
        "An organization signed: C",
        "Signed in Canada · via Maple House",
    )
    assert told.counts == ("1,204 signatures in total", "51 organizations")


def test_who_signed_on_the_letters_own_page_came_through_nobody() -> None:
    house = {"slug": "house", "name": "An Open Letter"}
    told = tell([event(name="A", partner=house), event(name="B")], "en", room=500)
    assert told.lines == ("• A · Signed in Canada", "• B · Signed in Canada · via Maple House")


@given(st.lists(st.text(max_size=300), max_size=40), st.integers(0, 2000))
def test_the_lines_keep_to_their_room(names: list[str], room: int) -> None:
    events = [event(name=name or None) for name in ["A", *names]]
    told = tell(events, "fr", room=room)
    listed = [line for line in told.lines if line.startswith("• ") and "afficher" not in line]
    assert sum(len(line) + 1 for line in listed) <= room or len(events) == 1
    assert len(listed) <= 15
