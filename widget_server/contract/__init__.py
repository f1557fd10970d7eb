"""All that an integration may import: what it is handed, what it hands back.

One thing must stay true: an integration never sees a raw signature, a database or an unguarded HTTP client.
"""

from widget_server.contract.facts import Destination, Event, LetterFacts
from widget_server.contract.kinds import Integration, Limits, Option, Problem
from widget_server.contract.tools import Client, Clock, Kept, Mailer, Remember, Renderer, Renew, Tools
from widget_server.contract.trouble import (
    DeliveryError,
    NotAuthorized,
    Permanent,
    Report,
    Response,
    Suppressed,
    Temporary,
    Unknown,
    judge,
    judge_api,
    retry_after_seconds,
)

__all__ = [
    "Client",
    "Clock",
    "DeliveryError",
    "Destination",
    "Event",
    "Integration",
    "Kept",
    "LetterFacts",
    "Limits",
    "Mailer",
    "NotAuthorized",
    "Option",
    "Permanent",
    "Problem",
    "Remember",
    "Renderer",
    "Renew",
    "Report",
    "Response",
    "Suppressed",
    "Temporary",
    "Tools",
    "Unknown",
    "judge",
    "judge_api",
    "retry_after_seconds",
]
