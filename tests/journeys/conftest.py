"""Journeys use the same browser and partners' pages as the browser tests."""

from tests.browser.conftest import _function_scoped_runner, browser, host, start

__all__ = ["_function_scoped_runner", "browser", "host", "start"]
