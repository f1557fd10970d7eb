"""The snippet that a partner pastes into a page (contract, section 7).

One thing must stay true: the height that it reserves is the form's own, so that nothing on the page moves
when the form arrives. A browser test holds the numbers below to `static/widget.css`.
"""

from __future__ import annotations

from html import escape
from math import ceil

from widget_server.domain.consents import senders
from widget_server.domain.form_fields import asked
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.typography import typeset

_LINK = {"en": "Sign: {title}", "fr": "Signer «\u00a0{title}\u00a0»"}

# Pixels at the visitor's usual 16, in the widest box. In a narrow one the form is taller, but then it fills
# the window, and what it moves is out of sight.
_LINE = 24.0
_GAP = 17.6
_PADDING = 64.0
_TITLE_LINE, _TITLE_MARGIN, _TITLE_LETTERS = 28.8, 9.6, 35
_COUNTER, _PROGRESS = 24.0, 12.8
_READ = 44.0
_KIND = 72.8
_COUNTRY_AND_HINT = 112.2
_STATEMENT_LETTERS = 56
_FIELD, _HINT, _COMMENT = 72.8, 21.0, 124.8
_HINTED = frozenset({"name", "email", "comment"})
_BOX, _BOX_LETTERS = 6.4, 53
_CONSENT_LETTERS = 100
_END = 49.5
_STEP = 8


def snippet(public_url: str, letter: Letter, partner: Partner, token: str, locale: str) -> str:
    """HTML for a partner's page. The link inside is what shows where scripts do not run."""
    link = invitation(letter, locale)
    address = f"{public_url}/letters/{letter.slug}?via={token}"
    return (
        f'<div data-undersigned="{escape(token)}" style="min-height:{height(letter, partner)}px">\n'
        f'  <a href="{escape(address)}">{escape(link, quote=False)}</a>\n'
        f"</div>\n"
        f'<script async src="{escape(f"{public_url}/w/{token}.js")}"></script>'
    )


def invitation(letter: Letter, locale: str) -> str:
    """What a link to the letter says, and what a frame with it is called."""
    shown = letter.locale(locale)
    return _LINK.get(locale, _LINK["en"]).format(title=typeset(letter.wording[shown].title, shown))


def height(letter: Letter, partner: Partner) -> int:
    """The form's height in pixels as a person meets it, in the letter's longest language."""
    title = max(len(wording.title) for wording in letter.wording.values())
    parts = [
        _PADDING + _lines(title, _TITLE_LETTERS) * _TITLE_LINE + _TITLE_MARGIN,
        _COUNTER + (_PROGRESS if letter.settings.goal else 0.0) - _GAP,
        _READ,
        _KIND,
        *(_field(name.rstrip("*")) for name in asked(letter.settings.fields, "individual", ())),
        *(
            _box(_CONSENT_LETTERS + len(sender.name) + len(sender.address) + len(sender.reach))
            for sender in senders(letter, partner)
        ),
        _END,
    ]
    if len(letter.settings.statements) == 1:  # the only statement is in view from the start
        longest = max(len(text) for text in letter.settings.statements[0].text.values())
        parts[3] += _lines(longest, _STATEMENT_LETTERS) * _LINE
    return ceil((sum(parts) + _GAP * (len(parts) - 1)) / _STEP) * _STEP


def _field(name: str) -> float:
    match name:
        case "country":
            return _COUNTRY_AND_HINT
        case "public":
            return _box(0)
        case "comment":
            return _HINT + _COMMENT
        case _:
            return _FIELD + (_HINT if name in _HINTED else 0.0)


def _box(letters: int) -> float:
    return _BOX + _lines(letters, _BOX_LETTERS) * _LINE


def _lines(letters: int, fitting: int) -> int:
    return max(1, ceil(letters / fitting))
