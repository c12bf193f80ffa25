"""Items that are looked at: which they are, and that no others are shown or saved in their place."""

import re
from pathlib import Path

from tests.browser.chromium import OpenPage, Page, expect
from tests.http.web import Web
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {"pump": {"http": "127.0.0.1:0"}}


def ids(page: Page) -> list[int]:
    rows = page.locator("table.peek tr:not(.whole) th[scope=row]")
    return [int(each) for each in rows.all_inner_texts()]


def test_the_newest_are_the_newest_whatever_is_delayed(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("newest", *[b"%d" % at for at in range(1, 31)])
    with Web(server) as web:
        headers = {"Darnerpy-Delay": "1h"}
        for _ in range(5):
            assert web.post("/v1/queues/newest/items", b"later", **headers).status == 201
    page = open_page(server, "#/q/newest/items")
    page.get_by_role("button", name="Newest").click()
    shown = page.get_by_label("Pages of items").get_by_role("status")
    expect(shown).to_have_text(re.compile(r"^The newest 10, as of \d"))
    wait_until(lambda: ids(page) == list(range(21, 31)))
    assert page.get_by_role("button", name="Next").is_disabled()
    # What was taken meanwhile moves those behind it to other places.
    assert [wire.get("newest") for _ in range(7)][-1] == b"7"
    page.locator("button.glimpse").last.click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save item 30 as a file").click()
    assert Path(waiting.value.path()).read_bytes() == b"30"
    wire.put("newest", b"36")
    page.get_by_role("button", name="Refresh").click()
    wait_until(lambda: ids(page) == [*range(22, 31), 36])
    # Who comes back by the address sees what is the newest then.
    page.reload()
    wait_until(lambda: ids(page) == [*range(22, 31), 36])
    expect(page.locator("dl.tiles dd").first).to_have_text("29")
    page.get_by_role("button", name="Previous").click()
    wait_until(lambda: ids(page) == list(range(12, 22)))
    expect(shown).to_have_text(re.compile("^Places 4 to 13, as of"))


def test_an_item_that_was_taken_is_not_saved(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("taken", b"1", b"2")
    page = open_page(server, "#/q/taken/items")
    page.locator("button.glimpse").first.click()
    assert wire.get("taken") == b"1"
    page.get_by_role("button", name="Save item 1 as a file").click()
    expect(page.locator(".notice.failed")).to_contain_text(
        "Item 1 cannot be saved: it is not there any more."
    )


def test_there_is_a_next_page_only_if_there_is_more(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("ten", *[b"x"] * 10)
    page = open_page(server, "#/q/ten/items")
    expect(page.locator("button.glimpse")).to_have_count(10)
    following = page.get_by_role("button", name="Next")
    expect(following).to_be_disabled()
    wire.put("ten", b"x")
    expect(following).to_be_enabled()
    following.press("Enter")
    wait_until(lambda: ids(page) == [11])
    expect(page.get_by_role("button", name="Previous")).to_be_focused()


def test_items_that_were_purged_from_their_page_go(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("purged", b"x", b"y")
    page = open_page(server, "#/q/purged/items")
    expect(page.locator("button.glimpse")).to_have_count(2)
    page.get_by_role("button", name="Purge…").click()
    page.get_by_label("To confirm, type").fill("purged")
    page.get_by_role("button", name="Purge all 2 items").click()
    expect(page.get_by_text("Nothing waits here.")).to_be_visible()
    expect(page.locator("button.glimpse")).to_have_count(0)


def test_items_of_a_consumer_that_is_not_there(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("alone", b"x")
    page = open_page(server, "#/q/alone/items?consumer=nobody", forgiven=("404",))
    expect(page.get_by_role("alert").filter(has_text="nobody")).to_contain_text(
        "There is no such thing."
    )
    expect(page.get_by_text("Nothing waits here.")).to_be_hidden()


def test_the_focus_comes_back_from_a_download(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("focused", b"x")
    page = open_page(server, "#/q/focused/items")
    button = page.get_by_role("button", name="Download as JSON lines")
    expect(page.locator("button.glimpse")).to_have_count(1)
    with page.expect_download():
        button.press("Enter")
    expect(button).to_be_focused()
