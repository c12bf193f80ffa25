"""Whether all can use the dashboard: axe's rules in both colours, the keyboard, a phone's width."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import OpenPage, Page, expect
from tests.browser.complaints import complaints, complaints_in_both_colours
from tests.browser.load import Load
from tests.servers import ServerProcess

SERVERS = {"pump": {"http": "127.0.0.1:0"}}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
NAME = "work"
LONG = "x" * 250

PAGES = {
    "queues": "#/",
    "none found": "#/?filter=no-such",
    "server": "#/server",
    "overview": f"#/q/{NAME}",
    "items": f"#/q/{NAME}/items",
    "consumers": f"#/q/{NAME}/consumers",
    "settings": f"#/q/{NAME}/settings",
    "long name": f"#/q/{LONG}/items",
    "absent": "#/q/absent/items",
    "nowhere": "#/nowhere",
}
DIALOGS = {
    "": ("Purge…", "Move…", "Redrive…", "Pause…", "Delete…"),
    "/consumers": ("Make a consumer…", "Drop audit…"),
}


@pytest.fixture(scope="module", autouse=True)
def load(server: ServerProcess) -> Iterator[None]:
    with server.connect() as wire:
        assert wire.get(f"{NAME}+audit") is None
        wire.put(NAME, b'{"a": [1, 2]}', b"\xff\x00", "grüße".encode() * 500)
        wire.put(LONG, b"y" * 5000)
    with Load(server, "busy", NAME, puts=1, gets=0):
        yield


def ready(page: Page) -> None:
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator(".loading:visible")).to_have_count(0)
    expect(page.locator(".chart .plot:empty")).to_have_count(0)


def test_axe_finds_what_is_wrong(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server)
    ready(page)
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    page.evaluate("document.querySelector('h1').className = ''")
    found = complaints(page)
    assert [each for each in found if each.startswith("serious html-has-lang")]
    assert [each for each in found if each.startswith("serious color-contrast")]


@pytest.mark.parametrize("hash", PAGES.values(), ids=PAGES.keys())
def test_pages(server: ServerProcess, open_page: OpenPage, hash: str) -> None:
    page = open_page(server, hash, forgiven=("404",))
    ready(page)
    for glimpse in page.locator("button.glimpse").all()[:3]:
        glimpse.click()
    page.locator("footer summary").click()
    assert complaints_in_both_colours(page) == []


@pytest.mark.parametrize("part", ["", "/consumers"])
def test_dialogs(server: ServerProcess, open_page: OpenPage, part: str) -> None:
    page = open_page(server, f"#/q/{NAME}{part}")
    ready(page)
    for button in DIALOGS[part]:
        page.get_by_role("button", name=button).click()
        asked = page.get_by_role("dialog")
        asked.locator("button[type=submit]").click()
        expect(asked.get_by_role("alert")).to_be_visible()
        asked.locator("button[type=submit]").hover()
        assert complaints_in_both_colours(page, "dialog") == []
        page.keyboard.press("Escape")


@pytest.mark.parametrize("hash", PAGES.values(), ids=PAGES.keys())
def test_a_phone_scrolls_only_down(server: ServerProcess, open_page: OpenPage, hash: str) -> None:
    page = open_page(server, hash, forgiven=("404",), **PHONE)
    ready(page)
    for glimpse in page.locator("button.glimpse").all()[:3]:
        glimpse.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.body.scrollWidth") == 360
    for dialog in ("Purge…", "Move…"):
        button = page.get_by_role("button", name=dialog)
        if button.count() and button.is_enabled():
            button.click()
            asked = page.get_by_role("dialog")
            box = asked.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            assert asked.evaluate("each => each.scrollWidth <= each.clientWidth")
            page.keyboard.press("Escape")


def test_the_keyboard_alone(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server, f"#/?filter={NAME}")
    ready(page)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.url.endswith(f"#/?filter={NAME}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queues")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Filter")).to_be_focused()
    head = page.get_by_role("button", name="Depth")
    while not head.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Depth")
    link = page.get_by_role("link", name=NAME, exact=True)
    while not link.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    assert link.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    purge = page.get_by_role("button", name="Purge…")
    while not purge.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog")
    expect(asked.get_by_label("All that wait")).to_be_focused()
    for _ in range(8):  # round and round, but not out of it
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    expect(purge).to_be_focused()


def test_the_first_click_after_a_page_was_opened_is_not_lost(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """The head that has the focus then loses it to the click, and must not move what is clicked."""
    page = open_page(server, "#/server")
    ready(page)
    page.get_by_role("link", name="Queues", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    head = page.get_by_role("button", name="Depth")
    expect(head).to_be_visible()
    before = head.bounding_box()
    page.evaluate("document.activeElement.blur()")
    assert head.bounding_box() == before


def test_the_colours_follow_the_system(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server, f"#/q/{NAME}", color_scheme="light")
    ready(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    expect(page.locator(".chart canvas")).to_have_count(3)
