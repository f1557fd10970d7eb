"""From a stored destination and a stored event to what an integration is handed.

One thing must stay true: whatever an integration sees of a signature has passed `domain/payloads.py` for
this very destination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from traceback import extract_tb
from typing import Any

import structlog

from widget_server.contract import DeliveryError, Destination, Event, Integration, Kept, LetterFacts, Limits
from widget_server.domain.destinations import Configuration, read_configuration
from widget_server.domain.events import TEST
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.payloads import Reader, has_opted_in, signature_data
from widget_server.domain.vault import Unsealable, Vault
from widget_server.flows.directory import Directory
from widget_server.outbox.renewal import opened
from widget_server.store.deliveries import Work
from widget_server.store.destinations import DestinationRow

log = structlog.get_logger(__name__)


class OurFault(Exception):
    """Nothing could be sent and the destination is not to blame. `code` says why, for the delivery's
    record."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NothingToSay(Exception):
    """There is nothing left to tell this destination of this event; the message says why, for the record."""


ENDED = "signature_ended: its signer withdrew, or it was rejected, before this was sent"
NOT_LISTED = "not_opted_in: nobody is put on a list without having asked for it"


@contextmanager
def foreign_code(kind: str) -> Iterator[None]:
    """Around every call into an integration. Its own errors pass; anything else is a bug, logged under an id.

    Raises `OurFault`. The message of the exception is not logged: it may quote what was to be sent.
    """
    try:
        yield
    except DeliveryError:
        raise
    except Exception as error:  # an integration may raise anything; it must not stop the others
        error_id = new_id()
        frame = extract_tb(error.__traceback__)[-1]
        log.error(
            "integration.bug",
            id=error_id,
            kind=kind,
            error=type(error).__name__,
            at=f"{frame.filename}:{frame.lineno}",
        )
        raise OurFault(f"internal: {error_id}") from error


@dataclass(frozen=True, slots=True)
class Route:
    """A destination ready to be sent to."""

    row: DestinationRow
    integration: Integration
    configuration: Configuration
    letter: Letter
    locale: str
    limits: Limits
    carries_contact: bool
    reader: Reader
    kept: Kept

    @property
    def url(self) -> str:
        """Where to send: the address that was given, or the kind's own."""
        return self.configuration.url or self.integration.address(self.configuration.options)

    def destination(self, now: datetime) -> Destination:
        """As the integration sees it."""
        config = self.configuration
        return Destination(self.row.id, self.url, config.options, config.in_force(now), self.locale, self.kept)


class Routes:
    """Opens destinations and renders events. Opened configurations are kept: unsealing one costs 50 µs."""

    def __init__(
        self, *, directory: Directory, vault: Vault, kinds: Mapping[str, Integration], public_url: str
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._kinds = kinds
        self._public_url = public_url
        self._opened: dict[str, tuple[str, Configuration]] = {}

    async def open(self, row: DestinationRow) -> Route:
        """Raises `OurFault` where the kind is not installed or the configuration cannot be opened."""
        integration = self._kinds.get(row.kind)
        if integration is None:
            raise OurFault(f"kind_not_installed: {row.kind}")
        configuration = self._configuration(row)
        letter = await self._directory.letter_by_id(row.letter_id)
        if letter is None:
            raise OurFault("letter_unknown")
        owner = None if row.partner_id is None else await self._directory.partner_by_id(row.partner_id)
        with foreign_code(row.kind):
            limits = integration.limits(configuration.options)
            carries_contact = integration.carries_contact(configuration.options)
        return Route(
            row,
            integration,
            configuration,
            letter,
            letter.locale(configuration.options.get("locale"), owner.locale if owner else None),
            limits,
            carries_contact,
            Reader(row.partner_id, not integration.contact_details, configuration.all_details),
            opened(self._vault, row.kept),
        )

    def _configuration(self, row: DestinationRow) -> Configuration:
        found = self._opened.get(row.id)
        if found is None or found[0] != row.sealed:
            try:
                found = (row.sealed, read_configuration(self._vault.open(row.sealed)))
            except Unsealable as error:
                raise OurFault("unsealable: its secret key is no longer in UNDERSIGNED_SECRET_KEYS") from error
            self._opened[row.id] = found
        return found[1]

    def _ended_address(self, work: Work) -> str | None:
        if work.sealed is None:
            return None
        try:
            return str(self._vault.open(work.sealed)["email"])
        except Unsealable:
            return None  # its key is gone, and the address with it

    async def fresh_counts(self) -> None:
        """Before numbers are shown: those in memory may be older than the event that is told."""
        await self._directory.refresh(now_please=True)

    async def facts(self, route: Route) -> LetterFacts:
        letter = route.letter
        return LetterFacts(
            slug=letter.slug,
            title=letter.settings.title.get(route.locale, letter.settings.title[letter.default_locale]),
            url=f"{self._public_url}/letters/{letter.slug}",
            goal=letter.settings.goal,
            counts=(await self._directory.counts(letter)).public(letter.settings.codes),
            statements={
                statement.code: statement.list_title.get(route.locale, statement.code)
                for statement in letter.settings.statements
            },
        )

    async def render(self, route: Route, facts: LetterFacts, work: Work) -> Event:
        """The event as this destination may read it. Raises `NothingToSay`."""
        row, ended, opted_in = work.event, False, False
        if row.signature_id is None:
            goal = {"goal": route.letter.settings.goal} if row.type.startswith("letter.") else {}
            data: dict[str, Any] = {"letter": route.letter.slug, **row.data, **goal}
        else:
            address = self._ended_address(work)
            data = await self._signature_data(route, work, row.signature_id, address)
            ended = address is not None and data["email"] == address
            opted_in = not ended and has_opted_in(data, route.reader)
        if route.integration.lists and row.type != TEST and not (ended or opted_in):
            raise NothingToSay(NOT_LISTED)
        return Event(
            id=row.id,
            type=row.type,
            occurred_at=row.occurred_at,
            letter=facts,
            data=data,
            test=row.type == TEST or bool(row.data.get("test")) or bool(work.facts and work.facts.test),
            opted_in=opted_in,
            ended=ended,
            doubtful=work.doubtful,
            note=self._note(work),
        )

    async def _signature_data(
        self, route: Route, work: Work, signature_id: str, ended_address: str | None
    ) -> dict[str, Any]:
        partner_id = work.facts.partner_id if work.facts else work.event.partner_id
        data = signature_data(
            work.event.type,
            work.event.data,
            work.facts,
            signature_id=signature_id,
            letter=route.letter,
            partner=None if partner_id is None else await self._directory.partner_by_id(partner_id),
            reader=route.reader,
            ended_address=ended_address,
        )
        if data is None:
            raise NothingToSay(ENDED)
        return data

    def _note(self, work: Work) -> str | None:
        if work.note is None:
            return None
        try:
            return str(self._vault.open(work.note))
        except Unsealable:
            return None  # its key is gone: the integration begins anew
