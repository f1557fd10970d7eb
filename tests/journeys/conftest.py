"""Journeys use the same browser and partners' pages as the browser tests."""

from tests.browser.conftest import browser, host

__all__ = ["browser", "host"]
