"""Origins, source tags and pages: read exactly, dropped when malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.partners import read_origin, read_page, read_source


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Maple.Example", "https://maple.example"),
        ("https://maple.example:443/", "https://maple.example"),
        ("http://localhost:8001", "http://localhost:8001"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("null", None),
        ("maple.example", None),
        ("https://maple.example/path", None),
        ("https://user@maple.example", None),
        ("ftp://maple.example", None),
        ("https://maple.example:99999", None),
        ("https://ma ple.example", None),
        ("https://", None),
    ],
)
def test_origin(text: str, origin: str | None) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("newsletter-June_2", "newsletter-June_2"),
        ("", None),
        ("a b", None),
        ("é", None),
        ("x" * 65, None),
        (None, None),
    ],
)
def test_source(text: str | None, source: str | None) -> None:
    assert read_source(text) == source


def test_page_loses_query_fragment_and_user() -> None:
    assert read_page("https://jo:pw@Maple.example/a/b?email=x#y") == "https://maple.example/a/b"
    assert read_page("https://maple.example") == "https://maple.example/"
    assert read_page("javascript:alert(1)") is None
    assert read_page("https://maple.example/\nx") is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_dropped(text: str) -> None:
    page = read_page(text)
    assert page is None or (page.startswith(("http://", "https://")) and "?" not in page and len(page) <= 500)
    read_origin(text)
    read_source(text)
