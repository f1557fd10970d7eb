"""Kind `slack`: an incoming webhook of Slack, or the trigger of a workflow, told who signs.

One thing must stay true: never an address, never a name that its signer keeps private, and nothing that
somebody typed is read by Slack as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.chat.kind import Chat, read_json
from integrations.slack.messages import VARIABLES, message, variables
from widget_server.contract import Destination, Event, NotAuthorized, Option, Permanent, Problem, Response, judge

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_WORKFLOWS = ("/triggers/", "/workflows/")

# api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks; `no_active_hooks` and
# `team_disabled` from client libraries.
_GONE = (
    "no_service",
    "no_service_id",
    "no_team",
    "no_active_hooks",
    "channel_not_found",
    "channel_is_archived",
    "team_disabled",
)


class Slack(Chat):
    kind: ClassVar[str] = "slack"
    summary: ClassVar[str] = "Slack incoming webhook or workflow: organizations one by one, people in digests"
    pace_seconds: ClassVar[float] = 1.2
    """About one message a second for each webhook (docs.slack.dev, "Rate limits"); a little less, to be safe."""
    hosts: ClassVar[frozenset[str] | None] = HOSTS
    address_looks: ClassVar[str] = "https://hooks.slack.com/services/… or, of a workflow, …/triggers/…"
    further_options: ClassVar[Sequence[Option]] = (
        Option(
            "variables",
            f"for a workflow: the variables that it declares, with commas between them, of {', '.join(VARIABLES)}",
            default="text",
        ),
    )

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = [*super().check(url, options)]
        asked = _wanted(options)
        unknown = [name for name in asked if name not in VARIABLES]
        if unknown or not asked:
            found.append(Problem("variables", f"names with commas between them, of {', '.join(VARIABLES)}"))
        return found

    @override
    def looks_right(self, url: str) -> bool:
        return not self.is_at_home(url) or urlsplit(url).path.startswith(("/services/", *_WORKFLOWS))

    @override
    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        if is_workflow(destination.url):
            return variables(events, destination.locale, _wanted(destination.options))
        return message(events, destination.locale)

    @override
    def judged(self, response: Response, now: datetime) -> Response:
        """Slack answers errors with a word: in plain text, a workflow's in JSON."""
        status = response.status_code
        said = str(read_json(response).get("error") or response.text.strip())[:200]
        if 400 <= status < 500 and status != 429:
            if status in (404, 410) or said in _GONE:
                raise Permanent(f"http_{status}", said, status_code=status, response=said, gone=True)
            if status in (401, 403):
                raise NotAuthorized(f"http_{status}", said, status_code=status, response=said)
        return judge(response, now=now)


def is_workflow(url: str) -> bool:
    """Whether an address starts a workflow: it takes other bodies than a webhook."""
    return urlsplit(url).path.startswith(_WORKFLOWS)


def _wanted(options: Mapping[str, str]) -> list[str]:
    return [name for part in (options.get("variables") or "text").split(",") if (name := part.strip())]
