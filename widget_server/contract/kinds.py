"""What a kind of destination is: its options, what its target bears, how it plans and sends.

One thing must stay true: a kind is stateless; one instance serves every destination of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from widget_server.contract.facts import Destination, Event
from widget_server.contract.tools import Tools
from widget_server.contract.trouble import Report, Response


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a destination's configuration: which option, and what is expected."""

    option: str
    message: str


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be configured, described well enough for `destination kinds`, for a form and for `check`.

    `form`: a line of text, a number, several lines, or one of `choices`."""

    name: str
    help: str
    required: bool = False
    secret: bool = False
    default: str | None = None
    form: Literal["line", "number", "lines", "choice"] = "line"
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a target bears.

    `batch`: most events in one send; 1 means that `plan` is never asked. `pace_seconds`: least time between
    two sends to one destination, whichever process makes them (0: none). `in_flight`: most sends at once to
    one destination from one process; one at a time where there is a pace or a batch. `hosts`: the only hosts
    a URL may have, each with what is below it where it begins with a dot (None: any public one); networks that the
    operator allows are exempt.
    """

    batch: int = 1
    pace_seconds: float = 0.0
    in_flight: int = 4
    hosts: frozenset[str] | None = None


class Integration:
    """One kind of destination. Derive from it and say what differs."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[Sequence[Option]] = ()
    url: ClassVar[Literal["needed", "optional", "none"]] = "needed"
    """Whether `--url` is given. Where it is not, `address` says where to send."""
    signed: ClassVar[bool] = False
    """Whether each destination gets a signing secret of its own."""
    url_is_secret: ClassVar[bool] = False
    """Whether whoever knows the URL can post there: it is then shown by its host and last characters only."""
    events: ClassVar[Sequence[str] | None] = None
    """The event types taken when none are named; None: every type."""
    contact_details: ClassVar[bool] = True
    """Whether the kind may ever be handed e-mail, postal code and comment. Chat kinds, which post into a
    room: False; they are not handed a name that its signer keeps private either."""
    lists: ClassVar[bool] = False
    """Whether the target is a mailing list or builds one: it is then handed only events with `opted_in` or `ended`, of
    confirmed signatures, and nothing of anybody else."""

    tests: ClassVar[bool] = False
    """Whether it is handed, marked, the test signatures of webmasters who try the embed: for programs that know what to
    do with them. Chat kinds hear of them in any case, a minute apart; `destination test` reaches every kind."""

    def address(self, options: Mapping[str, str]) -> str:  # noqa: ARG002
        """Where to send when no URL is given. Empty where there is none, as for mail."""
        return ""

    def carries_contact(self, options: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Whether what is sent with these options has in it the contact details that were handed over: whoever was sent
        an address is told of the consent's end."""
        return self.contact_details

    def limits(self, options: Mapping[str, str]) -> Limits:  # noqa: ARG002
        """What the target bears, as far as the options of one destination say (`{}`: the kind's own)."""
        return Limits()

    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:  # noqa: ARG002
        """Every problem of a configuration at once, without network. Unknown and missing options, values that are
        not among `choices`, and addresses are checked by the server."""
        return ()

    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:  # noqa: ARG002
        """Asks the target, changing nothing there, whether the credentials work and what the options name exists:
        every problem at once. Raises as `send` does where it cannot be asked. A kind whose target can only be sent to
        has none of its own."""
        return ()

    @property
    def can_be_asked(self) -> bool:
        """Whether `probe` asks anybody: what `destination check` says it has found rests on it."""
        return type(self).probe is not Integration.probe

    def public_keys(self, destination: Destination) -> Sequence[str]:  # noqa: ARG002
        """What receivers verify with, where that is not the secret itself (`whpk_…`), newest first."""
        return ()

    def plan(
        self,
        events: Sequence[Event],
        *,
        options: Mapping[str, str],  # noqa: ARG002
        quiet_seconds: float,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Sequence[Sequence[Event]]:
        """Which of the waiting events go now, grouped into sends in the order to send them. Pure.

        `quiet_seconds` is the time since the last successful send to this destination (inf: never). Events in
        no group stay waiting and are offered again within a second or so.
        """
        return [[event] for event in events]

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response | Report:
        """Deliver one group. Returns the answer that means success for all of it, or a `Report` where some fared
        otherwise; raises `Temporary`, `Unknown`, `Permanent`, `Suppressed` or `NotAuthorized` for the group as a
        whole. Anything else it raises is a bug of ours: logged, and tried again on the schedule."""
        raise NotImplementedError
