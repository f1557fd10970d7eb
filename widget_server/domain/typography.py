"""How Canadian French is set: the spaces of its punctuation, and apostrophes that curl.

One thing must stay true: an address, a time, code or a `{value}` comes out as it went in, and setting a text twice is
setting it once. Nothing that a signer typed is set, and no name.
"""

from __future__ import annotations

import re

_BLANKS = r"[ \u00a0\u202f]"
_BEFORE = rf"(?:{_BLANKS}+|(?<=[\w»”…%)\]}}]))"
_AFTER = r"(?=[\s»”\"!?;:,.…)\]]|$)"
_COLON = re.compile(rf"{_BEFORE}:{_AFTER}")
_HIGH = re.compile(rf"{_BEFORE}([;!?]){_AFTER}")
_OPENING = re.compile(rf"«{_BLANKS}*")
_CLOSING = re.compile(rf"{_BLANKS}*»")
_APOSTROPHE = re.compile(r"(?<!\S)\S*(?:://|@)\S*|(?<=[^\W\d_])'(?=[\w«“{])|(?:(?<=\b[cdjlmnst])|(?<=\bqu))'$", re.I)


def french(text: str) -> str:
    """A no-break space before `:` and inside guillemets, a narrow one before `; ! ?`, whether or not one was typed;
    a mark in the middle of something (`16:30`, `https://`, `?lang=fr`) is no punctuation."""
    text = _COLON.sub("\u00a0:", text)
    text = _HIGH.sub("\u202f\\1", text)
    text = _CLOSING.sub("\u00a0»", _OPENING.sub("«\u00a0", text))
    return _APOSTROPHE.sub(lambda found: "’" if found[0] == "'" else found[0], text)


def typeset(text: str, locale: str) -> str:
    """What a letter's authors wrote, as its language sets it."""
    return french(text) if locale == "fr" else text
