"""What makes a signature look abusive, and when it is set aside for a person to look at.

One thing must stay true: nobody honest is set aside for a single suspicion. A filled trap, a block rule and an earlier
refusal are enough each; anything else has to come together with another.
"""

from __future__ import annotations

from collections.abc import Sequence

from widget_server.domain.sign_form import SignForm
from widget_server.domain.signatures import HONEYPOT, REJECTED_BEFORE

BLOCKED = "blocked"
FAST = "fast"
NOT_SHOWN = "not_shown"
"""The other reasons: a block rule fits the address; sent sooner than anybody reads; the form was not one of ours."""

FASTEST_MILLISECONDS = 2_000
_ENOUGH = frozenset({HONEYPOT, BLOCKED, REJECTED_BEFORE})


def suspicions(form: SignForm, *, shown: bool, blocked: bool) -> list[str]:
    """All of them. `shown`: it names a form that we sealed. A missing `elapsed` is none, since the form
    without scripts has none; nor is an origin that the partner has not named, since sites move."""
    found = {
        HONEYPOT: form.honeypot,
        BLOCKED: blocked,
        FAST: form.elapsed is not None and form.elapsed < FASTEST_MILLISECONDS,
        NOT_SHOWN: not shown,
    }
    return [code for code, holds in found.items() if holds]


def quarantine(form: SignForm, *, shown: bool, blocked: bool, weighed: bool) -> str | None:
    """The codes for which it is set aside, or None. `weighed`: whether several together are enough; an operator who
    has switched off the rate limit and proof of work wants everything but traps and rules let through. A test is in no
    count and no list, and its webmaster is to see it arrive."""
    if form.test:
        return None
    return _set_aside(suspicions(form, shown=shown, blocked=blocked), weighed=weighed)


def mended(before: str | None, now: str | None, *, weighed: bool) -> str | None:
    """The codes of a signature that mends the address of another one; `before`: the other one's, `now`: its own. What
    was said of the address is judged anew, what was said of the sender stays."""
    of_sender = _set_aside([code for code in _codes(before) if code != BLOCKED], weighed=weighed)
    return ",".join(dict.fromkeys([*_codes(of_sender), *_codes(now)])) or None


def _set_aside(codes: Sequence[str], *, weighed: bool) -> str | None:
    enough = not _ENOUGH.isdisjoint(codes) or (weighed and len(codes) > 1)
    return ",".join(codes) if enough else None


def _codes(quarantine: str | None) -> list[str]:
    return quarantine.split(",") if quarantine else []
