"""Markdown: nothing but what we chose reaches a page."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.markdown import blocks, html, plain


def test_paragraphs_emphasis_and_links() -> None:
    assert html("One *two* **three**.\n\nSee [it](https://example.org/a?b=1&c=2).") == (
        "<p>One <em>two</em> <strong>three</strong>.</p>\n"
        '<p>See <a href="https://example.org/a?b=1&amp;c=2" rel="noopener">it</a>.</p>\n'
    )


def test_french_sets_the_words_and_not_code_or_addresses() -> None:
    source = "L'**été** : voir [l'eau](https://example.org/l'eau) `a ; l'b`, au Canada\n; ici « là\n».\n"
    apart = "L’<strong>été</strong>\u00a0: voir "
    link = '<a href="https://example.org/l\'eau" rel="noopener">l’eau</a>'
    said = f"<p>{apart}{link} <code>a ; l'b</code>, au Canada\u202f; ici «\u00a0là\u00a0».</p>\n"
    assert unescape(html(source, "fr")) == said
    assert plain(source, "fr") == "L’été\u00a0: voir l’eau a ; l'b, au Canada\u202f; ici «\u00a0là\u00a0»."
    assert "href': \"https://example.org/l'eau\"" in str(blocks(source, "fr"))
    assert plain("Who : *l'un*\n; it") == "Who : l'un ; it"


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<div onclick=alert(1)>\n\nx\n\n</div>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "![x](https://example.org/pixel.gif)",
        '<https://example.org/"onmouseover=alert(1)>',
        "<style>*{display:none}</style>",
        "<!-- x --><iframe src=//example.org></iframe>",
    ],
)
def test_raw_html_and_other_schemes_never_reach_a_page(source: str) -> None:
    rendered = html(source)
    tags = set(re.findall(r"<(/?[a-zA-Z!][^\s>]*)", rendered))
    assert tags <= {"p", "/p", "a", "/a"}
    assert not re.search(r"<[^>]*\s(on\w+|src|style)\s*=", rendered)
    assert not re.search(r'href="(?!https?:|mailto:)', rendered)


def test_an_image_leaves_its_text() -> None:
    assert html("![A map](https://example.org/map.png)") == "<p>A map</p>\n"
    assert blocks("![A map](https://example.org/map.png)") == [{"type": "paragraph", "children": [{"text": "A map"}]}]


def test_headings_keep_the_page_outline() -> None:
    assert html("# One\n\n## Two") == "<h3>One</h3>\n<h4>Two</h4>\n"
    assert html("### One", heading_level=2) == "<h2>One</h2>\n"


def test_blocks() -> None:
    source = (
        "## Why\n\nWe **ask** *and [insist](https://example.org)*,  \ntoday.\n\n3. first\n4. second\n"
        "   - deep\n\n   more\n\n> quoted `x`\n\n---\n\n    code <b>\n"
    )
    link = {"type": "link", "href": "https://example.org", "children": [{"text": "insist"}]}
    assert blocks(source) == [
        {"type": "heading", "level": 2, "children": [{"text": "Why"}]},
        {
            "type": "paragraph",
            "children": [
                {"text": "We "},
                {"type": "strong", "children": [{"text": "ask"}]},
                {"text": " "},
                {"type": "em", "children": [{"text": "and "}, link]},
                {"text": ","},
                {"text": "\n"},
                {"text": "today."},
            ],
        },
        {"type": "item", "marker": "3.", "depth": 1, "children": [{"text": "first"}]},
        {"type": "item", "marker": "4.", "depth": 1, "children": [{"text": "second"}]},
        {"type": "item", "marker": "•", "depth": 2, "children": [{"text": "deep"}]},
        {"type": "item", "marker": "", "depth": 1, "children": [{"text": "more"}]},
        {"type": "quote", "children": [{"text": "quoted "}, {"type": "code", "children": [{"text": "x"}]}]},
        {"type": "rule", "children": []},
        {"type": "code", "children": [{"text": "code <b>\n"}]},
    ]


def test_blocks_drop_addresses_that_are_not_links() -> None:
    assert blocks("[x](/relative) [y](javascript:alert)") == [
        {
            "type": "paragraph",
            "children": [{"type": "em", "children": [{"text": "x"}]}, {"text": " [y](javascript:alert)"}],
        }
    ]


def test_plain() -> None:
    assert plain("# A\n\nOne *two*\nthree.\n\n- x\n- y") == "A\n\nOne two three.\n\nx\n\ny"


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for key, v in value.items() if key != "type" for s in _strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in _strings(v)]
    return [value] if isinstance(value, str) else []


@given(st.text(alphabet=st.sampled_from("<>&\"'/=![]()*_`#-:;xjavscript\n \\"), max_size=80))
def test_no_markup_that_we_did_not_choose(source: str) -> None:
    rendered = html(source)
    for tag in re.findall(r"<(/?)([a-zA-Z!?][^\s>/]*)", rendered):
        assert tag[1] in {
            "p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code",
            "em", "strong", "a",
        }  # fmt: skip
    assert not re.search(r'href="(?!https?:|mailto:)', rendered)
    assert all(isinstance(s, str) for s in _strings(blocks(source)))
    plain(source)
