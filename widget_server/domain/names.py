"""Names as people write them: what passes, and the folded form that compares and sorts them.

One thing must stay true: a name that passes comes out as it went in, but for blanks and Unicode NFC.
"""

from __future__ import annotations

import re
from unicodedata import category, combining, normalize

MAX_LENGTH = 200

_PLAIN = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Letters that Unicode does not take apart, filed as a reader of English or French looks for them."""

_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")

# Bidirectional controls and other invisible format characters that can make one name look like another
# (Unicode TR36, TR39). Zero-width joiner and non-joiner stay: Persian and Indic names need them.
_JOINERS = frozenset("\u200c\u200d")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class BadText(ValueError):
    """`code` is one of: empty, too_long, control, link, punctuation."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def clean(text: str) -> str:
    """`text` on one line: trimmed, blanks collapsed, NFC. Control characters stay, to be refused by `name`."""
    if text.isprintable():  # then its only blank is the space, and it has no control or format characters
        return normalize("NFC", " ".join(text.split()))
    # str.split() would swallow control characters such as \x1c: blanks are the tab, the newline and Unicode Zs.
    blanks = "".join(" " if c in "\t\r\n" or category(c) == "Zs" else c for c in text)
    return normalize("NFC", " ".join(part for part in blanks.split(" ") if part))


def name(text: str, *, max_length: int = MAX_LENGTH) -> str:
    """The name of a person or an organization, ready to be kept and shown. Raises `BadText`."""
    cleaned = clean(text[: 8 * max_length + 8])  # nobody's blanks are that many; a megabyte is not worth reading
    if not cleaned:
        raise BadText("empty")
    if len(cleaned) > max_length:
        raise BadText("too_long")
    if not cleaned.isprintable() and any(category(c) in _REFUSED_CATEGORIES and c not in _JOINERS for c in cleaned):
        raise BadText("control")
    lowered = cleaned.lower()
    if "://" in lowered or "www." in lowered:
        raise BadText("link")
    if not any(map(str.isalnum, cleaned)):
        raise BadText("punctuation")
    return cleaned


def has_forbidden_characters(text: str) -> bool:
    """NUL and lone surrogates, which database drivers refuse, and other controls but tab and line breaks."""
    if text.isprintable():
        return False
    return any((c < " " and c not in "\t\r\n") or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text)


def fold(text: str) -> str:
    """For comparing: no accents, no case, no punctuation, single blanks. "L'Étoile" and "l'etoile" agree."""
    lowered = text.casefold()
    if not lowered.isascii():
        # Decomposed before and after: mathematical capitals have no case of their own (Unicode 3.13, D147).
        plain = normalize("NFKD", normalize("NFKD", text).casefold())
        lowered = "".join(c for c in plain if not combining(c)).translate(_PLAIN)
    return _NO_LETTER_OR_DIGIT.sub(" ", lowered).strip()


def sort_key(text: str) -> str:
    """For filing alphabetically: É under E, then the name itself so that equal keys have a fixed order."""
    return f"{fold(text)}\x01{text}"[:400]
