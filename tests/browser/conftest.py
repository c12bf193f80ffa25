"""What the browser tests share: one browser, and pages of it that must not complain."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import ServerProcess

if TYPE_CHECKING:
    from tests.browser.chromium import Browser, OpenPage, Page


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    from tests.browser.chromium import CHROMIUM, sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: "Browser") -> Iterator["OpenPage"]:
    """Open an address of a server's dashboard in a tab of its own.

    forgiven: see `Guard`; all else is for the context: color_scheme, viewport.
    """
    from tests.browser.chromium import Guard
    from tests.servers import TIMEOUT

    guards: list[Guard] = []
    contexts = []

    def open_one(
        server: ServerProcess, hash: str = "#/", forgiven: tuple[str, ...] = (), **context: Any
    ) -> "Page":
        origin = f"http://{server.http_address}"
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        guards.append(Guard(page, origin))
        guards[-1].forgiven += forgiven
        page.goto(f"{origin}/{hash}")
        return page

    yield open_one
    for context in contexts:
        context.close()
    for guard in guards:
        guard.check()
