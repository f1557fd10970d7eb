"""A name as somebody typed it, split into given and family name for targets that want it so.

One thing must stay true: no letter of a name is invented, and what cannot be told apart stays with the given name.

People write one line. Where it is ambiguous, the last word is the family name, as is usual in Canada ("Marie Claude
Tremblay"); what marks a family name otherwise comes first: a comma, capitals, a particle.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TITLES = frozenset("mr mrs ms mx mme mlle madame monsieur mademoiselle dr dre".split())
"""Never names by themselves. Those of `_DOTTED_TITLES` may be: only with a dot, `Me` before a whole name too."""
_DOTTED_TITLES = frozenset("m me prof pr hon rev".split())
_SUFFIXES = frozenset("jr sr ii iii iv phd esq".split())
_SHOUTED_SUFFIXES = frozenset("MD MA MSC MBA BA BSC RN CPA CM CC OC CQ OQ QC KC PENG LLB LLM JD ING".split())
"""Degrees and orders, some of which are names otherwise: Yo-Yo Ma."""
_PARTICLES = frozenset(
    "de del della dela des di do dos da das du la le les van von der den vande vander ter ten zu zum zur af av"
    " bin ibn bint ben abu al el ait aït ould st ste saint sainte mac mc".split()
)
_JOIN = "y"
_APOSTROPHE = re.compile(r"['’ʼ]")


class Split(NamedTuple):
    given: str
    family: str


def split_name(name: str) -> Split:
    """Given and family name. A single word is a given name, after a title a family name; nothing gives nothing."""
    before, comma, after = (part.strip() for part in name.partition(","))
    if comma and after and not all(_is_suffix(word) for word in after.replace(",", " ").split()):
        if before and "," not in after:
            return Split(" ".join(_without_title(after.split())), " ".join(_without_title(before.split())))
        before = name.replace(",", " ")
    typed = before.split()
    words = _without_suffixes(_without_title(typed))
    if len(words) < 2:
        return Split("", " ".join(words)) if len(words) < len(typed) else Split(" ".join(words), "")
    shouted = [_is_shouted(word) for word in words]
    if any(shouted) and not all(shouted):
        first = shouted.index(True)
        last = len(words) - shouted[::-1].index(True)
        if first == 0 and all(shouted[:last]):
            return Split(" ".join(words[last:]), " ".join(words[:last]))
        if last == len(words) and all(shouted[first:]):
            return _cut(words, _with_particles(words, first))
    return _cut(words, _family_begins(words))


def _family_begins(words: list[str]) -> int:
    """The index of the family name's first word: a particle that something follows, else the last word."""
    for index in range(1, len(words) - 1):
        if _bare(words[index]) in _PARTICLES:
            return index
        if words[index] == _JOIN and index > 1:
            return index - 1  # Ortega y Gasset
    return len(words) - 1


def _with_particles(words: list[str], index: int) -> int:
    while index > 1 and _bare(words[index - 1]) in _PARTICLES:
        index -= 1
    return index


def _cut(words: list[str], index: int) -> Split:
    return Split(" ".join(words[:index]), " ".join(words[index:]))


def _bare(word: str) -> str:
    return _APOSTROPHE.sub("", word.replace(".", "")).casefold()


def _is_shouted(word: str) -> bool:
    """TREMBLAY, but not the initial J. nor the particle d'."""
    letters = [letter for letter in word if letter.isalpha()]
    return len(letters) > 2 and "." not in word and all(letter.isupper() for letter in letters)


def _without_title(words: list[str]) -> list[str]:
    if len(words) < 2:
        return words
    bare, dotted = _bare(words[0]), words[0].endswith(".")
    is_title = bare in _TITLES or (bare in _DOTTED_TITLES and dotted) or (words[0] == "Me" and len(words) > 2)
    return _without_title(words[1:]) if is_title else words


def _is_suffix(word: str) -> bool:
    bare = _bare(word)
    return bare in _SUFFIXES or (bare.upper() in _SHOUTED_SUFFIXES and (word.isupper() or "." in word))


def _without_suffixes(words: list[str]) -> list[str]:
    while len(words) > 2 and _is_suffix(words[-1]) and not all(word.isupper() for word in words):
        words = words[:-1]
    return words
