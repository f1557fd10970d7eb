"""Public lists as answers use them: from memory, with sealed cursors between their pages.

One thing must stay true: nobody outside can make a cursor, and one opens only the list that it came from.
"""

from __future__ import annotations

from widget_server.domain.letters import Letter
from widget_server.domain.names import clean, fold
from widget_server.domain.tokens import BadToken, Seals
from widget_server.store.signatories import BadPosition, Position, position_values, read_position

_LONGEST_SEARCH = 100


def read_search(given: str | None) -> tuple[str, str]:
    """What `?q=` asks for: as it was typed, and as names are compared, accents and case aside."""
    typed = clean(given or "")[:_LONGEST_SEARCH]
    return typed, fold(typed)


def cursor(seals: Seals, letter: Letter, statement: str | None, position: Position, search: str = "") -> str:
    return seals.seal("cursor", [letter.id, statement, search, *position_values(position)])


def read_cursor(
    seals: Seals, letter: Letter, statement: str | None, token: str | None, search: str = ""
) -> Position | None:
    """None without a token. Raises `BadPosition` for one of another letter, statement, search or order."""
    if not token:
        return None
    try:
        says = seals.open("cursor", token)
    except BadToken as error:
        raise BadPosition from error
    if not isinstance(says, list) or says[:3] != [letter.id, statement, search]:
        raise BadPosition
    return read_position(says[3:])
