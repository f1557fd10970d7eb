"""When somebody reads a letter's public lists: from memory, as long as nothing has changed.

One thing must stay true: what is kept was made at the letter's present revision or later. So a list is as
fresh as the directory (a second at most), and a crowd reloading it costs only the directory's own queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from widget_server.domain.letters import Letter
from widget_server.flows.directory import Directory
from widget_server.store.db import Db
from widget_server.store.signatories import ListPage, ListQuery, Position, list_page

T = TypeVar("T")

_KEPT = 256
"""Pages kept for each letter: nobody who walks a long list, or searches it, fills the memory."""


@dataclass(slots=True)
class _Memory:
    revision: int = -1
    pages: dict[Hashable, Any] = field(default_factory=dict)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Reading:
    """Pages of lists, in whatever form they are sent, kept by the letter's revision."""

    def __init__(self, db: Db, directory: Directory) -> None:
        self._db = db
        self._directory = directory
        self._memories: dict[int, _Memory] = {}

    async def page(
        self,
        letter: Letter,
        statement: str | None,
        after: Position | None,
        limit: int,
        *,
        form: str,
        make: Callable[[ListPage], T],
        search: str = "",
    ) -> T:
        """What `make` makes of a page of one statement's list, or of all of them as one.

        `form` names what is made; with the same name, `make` must make the same. Callers who ask at once
        share one query. Raises `BadPosition`.
        """
        query = list_query(letter, statement, search)
        key = (query, after, limit, form)
        memory = self._memories.setdefault(letter.id, _Memory())
        if memory.revision == await self._directory.revision(letter) and key in memory.pages:
            return cast(T, memory.pages[key])
        async with memory.reading:
            # Asked again: meanwhile somebody may have read it, and the revision read before the wait is old.
            revision = await self._directory.revision(letter)
            if memory.revision != revision or len(memory.pages) >= _KEPT:
                memory.revision, memory.pages = revision, {}
            if key not in memory.pages:
                memory.pages[key] = make(await list_page(self._db, query, after, limit))
            return cast(T, memory.pages[key])


def list_query(letter: Letter, statement: str | None, search: str = "") -> ListQuery:
    settings = letter.settings
    return ListQuery(
        letter_id=letter.id,
        statements=settings.codes if statement is None else (statement,),
        order=settings.order,
        apart=settings.lists == "apart",
        search=search,
    )
