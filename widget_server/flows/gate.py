"""Who may sign now, who waits, and who may work instead of waiting.

1. The form without scripts cannot work: it waits where its client has sent too many.
2. A client over its window works instead of waiting, up to ten times the window; beyond that, everybody waits.
3. Under pressure, or always where the operator says so, each signature is worked for.

Asked only about forms that would be stored, so that nobody works for a mistyped address. One thing must stay true:
what is asked depends on the letter and the client alone, never on what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from widget_server.domain.letters import Letter
from widget_server.domain.refusals import TooMany
from widget_server.flows.limit import ClientLimit
from widget_server.flows.pressure import LASTS_SECONDS, Pressure
from widget_server.flows.work import Work
from widget_server.store.new_signatures import ProofOfWork

Mode = Literal["off", "auto", "always"]
TIMES_WITH_WORK = 10


@dataclass(frozen=True, slots=True)
class Gate:
    """`mode` is the operator's: whether work is never asked for, when it is needed, or always."""

    mode: Mode
    limit: ClientLimit
    work: Work
    pressure: Pressure = field(default_factory=Pressure)

    def admit(self, letter: Letter, client: str, solution: Any, *, no_script: bool) -> ProofOfWork | None:
        """Lets one signature in and counts it; gives the work that it was let in for. Raises `TooMany`, with a
        `challenge` where work is accepted."""
        wait = self.limit.wait_seconds(letter.id, client)
        if wait and (no_script or self.mode == "off" or self._far_over(letter, client)):
            self.pressure.felt(letter.id)
            raise TooMany("too_many", retry_after_seconds=wait)
        proof = None
        if not no_script and (needed := self._needed(letter, wait)):
            proof = self.work.verified(solution, letter)
            if proof is None:
                if wait:
                    self.pressure.felt(letter.id)
                raise self._ask(letter, *needed)
        self.limit.count(letter.id, client)
        return proof

    def again(self, letter: Letter) -> TooMany:
        """For work that had bought another signature."""
        return self._ask(letter, "work_needed", 1)

    def set_aside(self, letter: Letter) -> None:
        """A signature went into quarantine."""
        self.pressure.felt(letter.id)

    def challenge(self, letter: Letter) -> dict[str, Any] | None:
        """For whoever would rather work before they are asked; None where work is never asked for."""
        return None if self.mode == "off" else self.work.challenge(letter)

    def _far_over(self, letter: Letter, client: str) -> bool:
        return self.limit.wait_seconds(letter.id, client, times=TIMES_WITH_WORK) > 0

    def _needed(self, letter: Letter, wait: int) -> tuple[str, int] | None:
        """Why work is needed, and how long it would take without."""
        if self.mode == "off":
            return None
        if wait:
            return "too_many", wait
        if self.mode == "always":
            return "work_needed", LASTS_SECONDS
        left = self.pressure.seconds_left(letter.id)
        return ("work_needed", left) if left else None

    def _ask(self, letter: Letter, code: str, wait: int) -> TooMany:
        return TooMany(code, retry_after_seconds=wait, challenge=self.work.challenge(letter))
