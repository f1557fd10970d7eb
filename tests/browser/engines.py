"""The three engines: Chromium and a stock Firefox through Playwright, WebKitGTK through its own driver.

One thing must stay true: no browser that is started here can reach anything but this machine. Every name resolves to
nothing, or every way out leads to a closed port, so what a browser would like to tell its maker stays unsaid.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import Browser, Playwright
from selenium import webdriver
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

INSECURE = "partner.test"
"""A name that leads to this machine and that no browser takes for a secure context, as it takes localhost."""

_CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
_CLOSED_PORT = 9
_FIREFOX_PREFERENCES = {
    "network.dns.localDomains": INSECURE,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": _CLOSED_PORT,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": _CLOSED_PORT,
    "network.proxy.no_proxies_on": f"localhost, 127.0.0.1, {INSECURE}",
}


class Missing(Exception):
    """An engine that is not on this machine. Says which one, and what would bring it."""


async def started(playwright: Playwright, name: str) -> Browser:
    """Chromium or Firefox, without a window."""
    if name == "chromium":
        return await playwright.chromium.launch(
            executable_path=_chromium(playwright),
            args=_CHROMIUM_FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],  # visitors have it
        )
    # This channel is Playwright's way to a Firefox as its makers ship it, not one that was patched for testing.
    return await playwright.firefox.launch(
        executable_path=_firefox(), channel="moz-firefox", firefox_user_prefs=_FIREFOX_PREFERENCES
    )


def _chromium(playwright: Playwright) -> str:
    """As told, else on the path, else Playwright's own."""
    found = _told("CHROMIUM") or _on_path("chromium", "chromium-browser", "google-chrome")
    if found is None and Path(playwright.chromium.executable_path).exists():
        found = playwright.chromium.executable_path
    if found is None:
        raise Missing("no Chromium: install one, or name it in UNDERSIGNED_TEST_CHROMIUM")
    return found


def _firefox() -> str:
    found = _told("FIREFOX") or _on_path("firefox-esr", "firefox")
    if found is None:
        raise Missing("no Firefox: install firefox-esr, or name one in UNDERSIGNED_TEST_FIREFOX")
    # On some systems what bears the name only says where to get one.
    if subprocess.run([found, "--version"], capture_output=True).returncode:
        raise Missing(f"{found} does not run: name a Firefox in UNDERSIGNED_TEST_FIREFOX")
    return found


def _told(engine: str) -> str | None:
    return os.environ.get(f"UNDERSIGNED_TEST_{engine}") or None


def _on_path(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def webkit() -> Iterator[webdriver.WebKitGTK]:
    """WebKitGTK's own small browser, on a screen that nobody sees."""
    driver, screen = _on_path("WebKitWebDriver"), _on_path("Xvfb")
    browsers = sorted(Path("/usr").glob("lib/*/webkit2gtk-4.*/MiniBrowser"))
    missing = [
        package
        for package, here in {"webkit2gtk-driver": driver and browsers, "xvfb": screen}.items()
        if not here
    ]  # fmt: skip
    if missing:
        raise Missing(f"no WebKitGTK: install {' and '.join(missing)}")
    options = Options()
    options.binary_location = str(browsers[-1])
    options.add_argument("--automation")
    with _screen(str(screen)) as display:
        environment = os.environ | {
            "DISPLAY": display,
            "GDK_BACKEND": "x11",
            "http_proxy": f"http://127.0.0.1:{_CLOSED_PORT}",
            "https_proxy": f"http://127.0.0.1:{_CLOSED_PORT}",
            "no_proxy": "localhost,127.0.0.1",
            # Its sandbox needs rights that containers seldom give. It only ever opens our own pages.
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
        }
        browser = webdriver.WebKitGTK(options=options, service=Service(executable_path=str(driver), env=environment))
        try:
            yield browser
        finally:
            browser.quit()


@contextmanager
def _screen(program: str) -> Iterator[str]:
    """An X server on the first free display; gives its name."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1280x1600x24", "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            yield f":{said.readline().strip()}"
    finally:
        server.terminate()
        server.wait()
