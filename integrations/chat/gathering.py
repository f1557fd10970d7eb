"""What goes into a room now, and what waits to be told together.

One thing must stay true: nothing that goes alone can keep what gathers waiting for longer than it gathers anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from integrations.chat.told import is_organization
from widget_server.contract import Event

ONE_BY_ONE = 5
"""So many organizations that wait are told one by one; more share a message."""
LATE_SECONDS = 60.0
"""What waits so much longer than it should was held up, by an outage or a flood: then one message tells it all."""


def gather(events: Sequence[Event], *, digest_seconds: float, quiet_seconds: float, now: datetime) -> list[list[Event]]:
    """The messages to send now, each a group of events.

    Organizations, milestones and trouble go at once, each in a message of its own. People gather: the first of a quiet
    spell goes at once, the others together when `digest_seconds` have passed. After an outage, or where a flood
    overtakes the pace, everything that waits shares one message; only a test stays on its own.
    """
    groups: list[list[Event]] = [[event] for event in events if event.test]
    waiting = [event for event in events if not event.test]
    if not waiting:
        return groups
    oldest = min(event.occurred_at for event in waiting)
    if (now - oldest).total_seconds() >= digest_seconds + LATE_SECONDS:
        return [*groups, waiting]
    many = sum(map(is_organization, waiting)) > ONE_BY_ONE
    gathered: dict[tuple[str, bool], list[Event]] = {}
    for event in waiting:
        organization = is_organization(event)
        if not event.type.startswith("signature.") or (organization and not many):
            groups.append([event])
        elif (event.type, organization) in gathered:
            gathered[event.type, organization].append(event)
        else:
            gathered[event.type, organization] = [event]
            groups.append(gathered[event.type, organization])
    for (_, organization), group in gathered.items():
        age = (now - min(event.occurred_at for event in group)).total_seconds()
        if not organization and quiet_seconds < digest_seconds and age < digest_seconds:
            groups = [other for other in groups if other is not group]
    return groups
