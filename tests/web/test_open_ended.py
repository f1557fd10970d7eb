"""A compressed body with an open end is a whole one to every reader of its format."""

from __future__ import annotations

import gzip

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from widget_server.web.open_ended import open_ended


@settings(max_examples=60, deadline=None)
@given(plain=st.binary(max_size=3000), tail=st.binary(min_size=1, max_size=300))
def test_every_reader_gets_the_whole(plain: bytes, tail: bytes) -> None:
    file = open_ended(plain)
    assert brotli.decompress(file.body("br", tail)) == plain + tail
    assert gzip.decompress(file.body("gzip", tail)) == plain + tail
    assert file.body("identity", tail) == plain + tail


@pytest.mark.parametrize("length", [1, 8, 255, 256, 65535])
def test_a_tail_of_any_length(length: int) -> None:
    tail = bytes(number % 251 for number in range(length))
    file = open_ended(b"fixed " * 500)
    assert brotli.decompress(file.body("br", tail)).endswith(tail)
    assert gzip.decompress(file.body("gzip", tail)).endswith(tail)


@pytest.mark.parametrize("tail", [b"", b"x" * 65536])
def test_a_tail_that_does_not_fit_is_refused(tail: bytes) -> None:
    with pytest.raises(ValueError, match="tail"):
        open_ended(b"fixed").body("br", tail)


def test_the_etag_tells_bodies_and_encodings_apart() -> None:
    one, other = open_ended(b"one"), open_ended(b"other")
    tags = {one.etag("br", b"1"), one.etag("br", b"2"), one.etag("gzip", b"1"), other.etag("br", b"1")}
    assert len(tags) == 4
    assert one.etag("br", b"1") == open_ended(b"one").etag("br", b"1")
