"""What axe says of a page that not everybody can use."""

from importlib.resources import files
from typing import Any

from tests.browser.chromium import Page

__all__ = ["complaints", "complaints_in_both_colours"]


def complaints(page: Page, within: str = "html") -> list[str]:
    """What axe has found, of any weight."""
    if not page.evaluate("'axe' in window"):
        # `evaluate` is not subject to the page's policy, a script tag would be.
        page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found: dict[str, Any] = page.evaluate(
        "where => axe.run(where, { resultTypes: ['violations'] })", within
    )
    assert len(found["passes"]) > 5
    return [
        f"{each['impact']} {each['id']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in found["violations"]
    ]


def complaints_in_both_colours(page: Page, within: str = "html") -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {each}" for each in complaints(page, within)]
    return found
