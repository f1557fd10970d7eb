"""When somebody adds a destination, pauses, enables or removes it, or changes its secret.

One thing must stay true: a configuration that is wrong is refused with everything that is wrong with it,
and nothing is sent because a destination was added.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from widget_server.contract import Destination, Integration, Problem
from widget_server.domain.deliveries import Health
from widget_server.domain.destinations import (
    ALL_DETAILS,
    OVERLAP,
    Configuration,
    new_secret,
    option_problems,
    read_configuration,
)
from widget_server.domain.events import EVENT_TYPES
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Vault
from widget_server.flows.announce import announce
from widget_server.flows.directory import Directory
from widget_server.store.audit import record
from widget_server.store.db import Db, Writer
from widget_server.store.destinations import (
    DestinationRow,
    delete_destination,
    insert_destination,
    reseal,
    revive,
    set_status,
)

JudgeUrl = Callable[[str, frozenset[str] | None], Awaitable[Sequence[Problem]]]
"""What speaks against a URL, given the hosts that the kind knows."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for. `event_types` empty: the kind's own choice."""

    kind: str
    url: str
    options: Mapping[str, str]
    event_types: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """`secret` is shown this once; None for kinds that do not sign. `public_keys`: what receivers verify with, where
    that is not the secret."""

    id: str
    kind: str
    secret: str | None
    public_keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Office:
    """What these flows need. `actor` is who gives the command, for the audit log."""

    db: Db
    directory: Directory
    vault: Vault
    kinds: Mapping[str, Integration]
    judge_url: JudgeUrl
    now: Callable[[], datetime]
    actor: str

    async def add(self, letter: Letter, partner: Partner | None, wanted: Wanted) -> Added:
        """Stores a new destination, active from now on. Raises `Problems`."""
        integration = self.kinds.get(wanted.kind)
        if integration is None:
            raise Problems([f"there is no kind {wanted.kind}; installed: {', '.join(sorted(self.kinds))}"])
        problems = await self._problems(integration, partner, wanted)
        if problems:
            raise Problems(problems)
        secrets = (new_secret(),) if integration.signed else ()
        configuration = Configuration(wanted.url.strip(), dict(wanted.options), secrets)
        id_ = new_id()
        # A letter that was opened a moment ago has been opened before this destination was added, even where
        # no dispatcher has noticed yet.
        await announce(self.db, self.directory, self.now() - timedelta(microseconds=1))
        async with self.db.write() as writer:
            now = self.now()  # within the transaction: an event that is written later is not older than this
            await insert_destination(
                writer,
                DestinationRow(
                    id=id_,
                    letter_id=letter.id,
                    partner_id=partner.id if partner else None,
                    kind=wanted.kind,
                    sealed=self.vault.seal(configuration.as_json()),
                    event_types=tuple(dict.fromkeys(wanted.event_types)) or None,
                    health=Health("active", None, None, None, None, None),
                    created_at=now,
                ),
            )
            data = {"kind": wanted.kind, "partner": partner.slug if partner else None}
            if configuration.all_details:
                data[ALL_DETAILS[0]] = ALL_DETAILS[1]
            await record(
                writer,
                at=now,
                actor=self.actor,
                action="destination.add",
                letter_id=letter.id,
                subject=id_,
                data=data,
            )
        keys = public_keys(integration, id_, configuration, now)
        return Added(id_, wanted.kind, secrets[0].value if secrets else None, keys)

    async def problems(self, row: DestinationRow) -> list[str]:
        """What is wrong with the configuration that it has, judged as when it was added; its target is not asked.
        Raises `Unsealable`, and `KeyError` where the kind is not installed."""
        configuration = self.configuration(row)
        partner = None if row.partner_id is None else await self.directory.partner_by_id(row.partner_id)
        wanted = Wanted(row.kind, configuration.url, configuration.options, row.event_types or ())
        return await self._problems(self.kinds[row.kind], partner, wanted)

    async def _problems(self, integration: Integration, partner: Partner | None, wanted: Wanted) -> list[str]:
        told = option_problems(integration, wanted.options)
        found = [f"{problem.option}: {problem.message}" for problem in told]
        for type_ in wanted.event_types:
            if type_ not in EVENT_TYPES:
                found.append(f"event {type_}: there is no such type; the types: {', '.join(EVENT_TYPES)}")
        option_name, value = ALL_DETAILS
        if partner is not None and wanted.options.get(option_name) == value:
            found.append(f"{option_name}: a partner gets contact details only of those who opted in to it")
        url = wanted.url.strip()
        if integration.url == "needed" and not url:
            return [*found, "url: needed: the address to send to"]
        if integration.url == "none" and url:
            found.append(f"url: kind {wanted.kind} knows where to send; leave it out")
        known = {problem.option for problem in told}
        more = [problem for problem in integration.check(url, wanted.options) if problem.option not in known]
        target = url or ("" if told else integration.address(wanted.options))
        if target:
            hosts = integration.limits({} if told else wanted.options).hosts
            more += await self.judge_url(target, hosts)
        return found + [f"{problem.option}: {problem.message}" for problem in more]

    async def pause(self, row: DestinationRow) -> None:
        """Its work waits until it is enabled again."""
        async with self.db.write() as writer:
            await set_status(writer, row.id, "paused", None)
            await self._note(writer, "destination.pause", row)

    async def enable(self, row: DestinationRow) -> None:
        """Active, its past troubles forgotten; what waits is due at once."""
        async with self.db.write() as writer:
            await revive(writer, row.id, self.now())
            await self._note(writer, "destination.enable", row)

    async def remove(self, row: DestinationRow) -> None:
        """With its deliveries and their log."""
        async with self.db.write() as writer:
            await delete_destination(writer, row.id)
            await self._note(writer, "destination.remove", row)

    async def rotate_secret(self, row: DestinationRow, overlap: timedelta = OVERLAP) -> Added:
        """A new signing secret, shown this once; the old one signs too until `overlap` is over. Raises
        `Problems`."""
        configuration = self.configuration(row)
        if not configuration.secrets:
            raise Problems([f"kind {row.kind} has no signing secret"])
        rotated = configuration.rotated(self.now(), overlap)
        async with self.db.write() as writer:
            await reseal(writer, row.id, self.vault.seal(rotated.as_json()))
            await self._note(writer, "destination.rotate-secret", row)
        integration = self.kinds.get(row.kind)
        keys = [] if integration is None else public_keys(integration, row.id, rotated, self.now())
        return Added(row.id, row.kind, rotated.secrets[0].value, keys)

    def configuration(self, row: DestinationRow) -> Configuration:
        """What is sealed. Raises `Unsealable`."""
        return read_configuration(self.vault.open(row.sealed))

    async def _note(self, writer: Writer, action: str, row: DestinationRow) -> None:
        await record(writer, at=self.now(), actor=self.actor, action=action, letter_id=row.letter_id, subject=row.id)


def public_keys(integration: Integration, id_: str, configuration: Configuration, now: datetime) -> list[str]:
    """What receivers of a destination verify with, where that is not its secret."""
    url = configuration.url or integration.address(configuration.options)
    where = Destination(id_, url, configuration.options, configuration.in_force(now), "en")
    return list(integration.public_keys(where))
