"""The other ways to the letter: what they say, and that nothing in a title gets out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.domain.test_snippet import PARTNER, letter
from widget_server.domain.embeddings import Embedding, read_look
from widget_server.domain.snippet import height

NASTY = '"></iframe><script>alert(1)</script>&amp;'


class Seen(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update({f"{tag} {name}": value for name, value in attrs})


def embedding(title: str = "Open Letter", locale: str = "en") -> Embedding:
    return Embedding("https://letters.example.org", letter(title), PARTNER, "TOKEN", locale)


def test_the_frame() -> None:
    seen = Seen(embedding().frame())
    assert seen.tags == ["iframe", "script"]
    assert seen.attributes["iframe src"] == "https://letters.example.org/embed/TOKEN"
    assert seen.attributes["iframe title"] == "Sign: Open Letter"
    tall = height(letter("Open Letter"), PARTNER) + 2
    assert seen.attributes["iframe style"] == f"width:100%;height:{tall}px;border:0"
    assert seen.attributes["script src"] == "https://letters.example.org/embed.js"


def test_the_list_and_the_count_keep_no_room_free() -> None:
    for view in ("list", "count"):
        seen = Seen(embedding().view(view))
        assert seen.attributes["div data-view"] == view
        assert "div style" not in seen.attributes


def test_pinned() -> None:
    seen = Seen(embedding().pinned("widget.0123456789abcdef.js", "sha384-x+/="))
    assert seen.attributes["script src"] == "https://letters.example.org/widget.0123456789abcdef.js"
    assert seen.attributes["script integrity"] == "sha384-x+/="
    assert seen.attributes["script crossorigin"] == "anonymous"


@pytest.mark.parametrize("way", ["frame", "placeholder", "anchor", "snippet"])
def test_a_title_stays_text(way: str) -> None:
    assert Seen(getattr(embedding(NASTY), way)()).tags == Seen(getattr(embedding(), way)()).tags


def test_a_sized_frame_says_what_it_was_asked() -> None:
    seen = Seen(embedding(NASTY).sized_frame(320, 400, {"lang": "fr", "source": 'a"b'}))
    assert seen.tags == ["iframe"]
    assert seen.attributes["iframe src"] == "https://letters.example.org/embed/TOKEN?lang=fr&source=a%22b"
    assert (seen.attributes["iframe width"], seen.attributes["iframe height"]) == ("320", "400")


@pytest.mark.parametrize(
    ("given", "look"),
    [
        ({"accent": "#14507A"}, {"--undersigned-accent": "#14507a"}),
        ({"accent-text": "ffffff"}, {"--undersigned-accent-text": "#ffffff"}),
        ({"radius": "08"}, {"--undersigned-radius": "8px"}),
        ({"accent": "fff", "bg": "red", "text": "000000;}", "radius": "100", "error": ""}, {}),
        ({"gap": "9", "font": "Comic Sans", "token": "000000"}, {}),
        ({"accent": "１4507a", "radius": "٣"}, {}),
    ],
)  # fmt: skip
def test_a_look_is_colours_and_a_number(given: dict[str, str], look: dict[str, str]) -> None:
    assert read_look(given) == look
