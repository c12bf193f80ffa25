"""Debian's Chromium, driven by Playwright; where either is missing, whoever imports this is skipped.

Owns what a page may do in a test: complain of nothing, and ask nobody but its server.
"""

import re
import shutil
from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is missing: make test-browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
if not CHROMIUM:
    pytest.skip("there is no chromium: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import (  # noqa: E402
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from tests.servers import TIMEOUT  # noqa: E402

__all__ = [
    "CHROMIUM",
    "Browser",
    "BrowserContext",
    "Guard",
    "Locator",
    "OpenPage",
    "Page",
    "Request",
    "Route",
    "expect",
    "sync_playwright",
]

OpenPage = Callable[..., Page]

expect.set_options(timeout=TIMEOUT * 1000)


class Guard:
    """Watches a page. forgiven: what it may complain of, as patterns; what comes of a server that is not
    there, or that refuses.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.forgiven: list[str] = []
        self._origin = origin
        self._complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._complaints.append(f"error: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", f"blob:{self._origin}/")):
            self._complaints.append(f"asked for {request.url}")

    def check(self) -> None:
        found = [
            each
            for each in self._complaints
            if not any(re.search(pattern, each) for pattern in self.forgiven)
        ]
        assert not found, found
