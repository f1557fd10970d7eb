"""The targets that keep people, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.integrations.targets.action_network import ActionNetwork
from tests.integrations.targets.base import Target
from tests.integrations.targets.civicrm import CiviCRM
from tests.integrations.targets.google_sheets import GoogleSheets
from tests.integrations.targets.hubspot import HubSpot
from tests.integrations.targets.mailchimp import Mailchimp
from tests.integrations.targets.nationbuilder import NationBuilder

TARGETS: Mapping[str, Callable[[], Target]] = {
    one.kind: one for one in (ActionNetwork, CiviCRM, Mailchimp, HubSpot, NationBuilder, GoogleSheets)
}
