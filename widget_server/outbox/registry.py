"""Integrations, found through entry points: ours and those of any installed package, alike.

One thing must stay true: a package that cannot be loaded is named in the log once and takes nothing else
with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points

import structlog
from typing_extensions import override

from widget_server.contract import Integration

GROUP = "undersigned.integrations"

log = structlog.get_logger(__name__)


class Registry(Mapping[str, Integration]):
    """Kind → integration. Loaded when first asked, so that a server without destinations never imports
    one."""

    def __init__(self, kinds: Mapping[str, Integration] | None = None) -> None:
        self._kinds = None if kinds is None else dict(kinds)

    def _loaded(self) -> dict[str, Integration]:
        if self._kinds is None:
            self._kinds = {}
            for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
                try:
                    kind: Integration = entry.load()()
                except (ImportError, AttributeError, SyntaxError, TypeError) as error:
                    log.error("integration.not_loaded", name=entry.name, error=type(error).__name__)
                    continue
                if isinstance(kind, Integration):
                    self._kinds[kind.kind] = kind
                else:
                    log.error("integration.not_loaded", name=entry.name, error="it is no Integration")
        return self._kinds

    @override
    def __getitem__(self, kind: str) -> Integration:
        return self._loaded()[kind]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    @override
    def __len__(self) -> int:
        return len(self._loaded())
