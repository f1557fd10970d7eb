"""When staff look for signatures that may be one organization's.

1. All organizations that count.
2. Those whose names are the same but for accents, case, article, legal form and acronym (`organization_key`): sure
   enough to be named first.
3. Then near ones, by how much of their sorted words agree; shorter names are compared with names of like length only,
   so that thousands take a moment.
4. Those that signed different statements come last: they cannot be merged, since each declares something else.

Nothing is merged here: two names that look alike may be two organizations.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from widget_server.domain.letters import Letter
from widget_server.domain.organizations import organization_key
from widget_server.domain.signatures import Signature
from widget_server.store.db import Db
from widget_server.store.signatures import Wanted, each_signature

SAME = 100.0
THRESHOLD = 90.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Signatures that may be one organization's. `keep`: the one that would stay. `score`: 100 for the same name."""

    keep: Signature
    others: tuple[Signature, ...]
    score: float

    @property
    def mergeable(self) -> bool:
        """Whether they are all under one statement."""
        return all(one.statement == self.keep.statement for one in self.others)


async def find_duplicates(db: Db, letter: Letter, threshold: float = THRESHOLD) -> list[Proposal]:
    """Those that can be merged, the surest first, then the others. `threshold`: from which score on, up to 100."""
    wanted = Wanted(letter.id, status="confirmed", quarantined=False, kind="organization")
    counted = [one async for one in each_signature(db, wanted) if one.counted]
    found = _compare(counted, threshold)
    return sorted(found, key=lambda one: (not one.mergeable, -one.score, one.keep.statement, one.keep.seq))


def _compare(signatures: Iterable[Signature], threshold: float) -> Iterator[Proposal]:
    by_key: dict[str, dict[str, list[Signature]]] = {}
    for one in sorted(signatures, key=_standing):
        by_key.setdefault(organization_key(one.display_name), {}).setdefault(one.statement, []).append(one)
    for by_statement in by_key.values():
        yield from (_proposal(same, SAME) for same in by_statement.values() if len(same) > 1)
        if len(by_statement) > 1:
            yield _proposal([same[0] for same in by_statement.values()], SAME)
    for key, other, score in _near(list(by_key), threshold):
        these, those = by_key[key], by_key[other]
        both = these.keys() & those.keys()
        yield from (_proposal([these[statement][0], those[statement][0]], score) for statement in both)
        if not both:
            yield _proposal([next(iter(found.values()))[0] for found in (these, those)], score)


def _proposal(signatures: Iterable[Signature], score: float) -> Proposal:
    keep, *others = sorted(signatures, key=_standing)
    return Proposal(keep, tuple(others), score)


def _standing(one: Signature) -> tuple[bool, bool, int]:
    """An initiator's stays, then what is listed already, then the earliest."""
    return one.initiator_rank is None, one.listing != "listed", one.seq


def _near(keys: Sequence[str], threshold: float) -> Iterator[tuple[str, str, float]]:
    """Pairs of keys that agree in part, each once."""
    words = sorted(((" ".join(sorted(key.split())), key) for key in keys), key=lambda pair: len(pair[0]))
    texts = [text for text, _ in words]
    lengths = [len(text) for text in texts]
    for place, (text, key) in enumerate(words):
        # Of two texts that agree by `threshold`, the longer one has at most so many letters.
        longest = len(text) * (2 * SAME / threshold - 1)
        upto = bisect_left(lengths, longest + 1, lo=place + 1)
        choices = texts[place + 1 : upto]
        for _, score, distance in process.extract(text, choices, scorer=fuzz.ratio, score_cutoff=threshold, limit=None):
            yield key, words[place + 1 + distance][1], round(score, 1)
