"""The first page: totals, and the table of queues; and what there is to see before there are any."""

import os
import re
import subprocess
import time

import pytest

from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.records import block_key
from tests.browser.chromium import Locator, OpenPage, Page, expect
from tests.browser.load import Load
from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import ServerProcess, free_port, wait_until

SERVERS = {"pump": {"http": "127.0.0.1:0"}}


def rows(page: Page) -> Locator:
    return page.locator("table.queues tbody tr")


def names(page: Page) -> list[str]:
    found: list[str] = page.locator("table.queues a.name").all_inner_texts()
    return found


def cell(page: Page, queue: str, column: str) -> Locator:
    """A cell of the table by the head of its column."""
    heads = [text.strip() for text in page.locator("table.queues thead th").all_text_contents()]
    row = rows(page).filter(has=page.get_by_role("link", name=queue, exact=True))
    return row.locator("th, td").nth(heads.index(column))


def total(page: Page, label: str) -> Locator:
    tile = page.locator("dl.totals .tile").filter(has=page.get_by_text(label, exact=True))
    return tile.locator("dd")


def number(locator: Locator) -> float:
    return float(re.sub(r"[^0-9.]", "", locator.inner_text()) or "nan")


def test_what_to_do_while_there_is_no_queue(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http="127.0.0.1:0", listen=[f"127.0.0.1:{free_port()}"])
    page = open_page(server)
    expect(page.get_by_role("heading", name="There are no queues yet")).to_be_visible()
    expect(page.get_by_text(f"nc 127.0.0.1 {server.port}")).to_be_visible()
    curl, printf = page.locator("pre code").all_inner_texts()
    subprocess.run(["bash", "-c", curl], check=True, capture_output=True)
    said, _, to = printf.partition(" | nc ")
    assert to == server.address.replace(":", " ")
    line = subprocess.check_output(["bash", "-c", said])
    with server.connect() as wire:
        wire.send(line)
        wire.expect(b"STORED\r\n")
    expect(cell(page, "work", "Depth")).to_have_text("2")
    expect(page.get_by_role("heading", name="There are no queues yet")).to_be_hidden()


def test_numbers_under_load(server: ServerProcess, open_page: OpenPage) -> None:
    with Load(server, "loaded", "busy"), server.connect() as wire:
        page = open_page(server)
        wire.put("quiet", b"x" * 3000)
        expect(cell(page, "quiet", "Depth")).to_have_text("1")
        expect(cell(page, "quiet", "Size")).to_have_text("2.9 KiB")
        expect(page.locator(".connection")).to_have_text("Live")
        wait_until(
            lambda: number(cell(page, "loaded", "In/s")) > number(cell(page, "loaded", "Out/s")) > 0
        )
        wait_until(lambda: number(total(page, "In/s")) > number(total(page, "Out/s")) > 0)
        assert wire.get("quiet/open") == b"x" * 3000
        expect(cell(page, "quiet", "Open")).to_have_text("1")
        expect(cell(page, "quiet", "Depth")).to_have_text("0")
        expect(total(page, "Open reads")).to_have_text("1")
        # A zero is dimmed, so that the others stand out.
        expect(cell(page, "quiet", "Depth")).to_have_class(re.compile("zero"))
        expect(cell(page, "quiet", "Open")).not_to_have_class(re.compile("zero"))
        # Those that change are marked, others are not.
        expect(page.locator("td[data-changed]").first).to_be_visible()
        expect(cell(page, "loaded", "Depth")).to_have_attribute("data-changed", "")
        assert cell(page, "quiet", "Waiters").get_attribute("data-changed") is None
        line = page.locator("table.queues .sparkline .line").first
        expect(line).to_have_attribute("d", re.compile(r"^M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)+$"))
        for label in ("Disk", "Memory", "Commit p99", "Oldest"):
            expect(total(page, label)).to_have_text(re.compile(r"^[\d,.]+ (B|[KM]iB|ms|s)$"))
        assert wire.get("quiet/close") is None
        with server.connect() as other:
            other.send(b"get quiet/t=60000\r\n")
            expect(cell(page, "quiet", "Waiters")).to_have_text("1")
            expect(total(page, "Waiters")).to_have_text("1")


def test_sorting_filtering_and_pages(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        for at in range(30):
            wire.put(f"sorted-{at:02}", *[b"x"] * (at + 1))
    page = open_page(server, forgiven=("404",))
    page.get_by_label("Filter").fill("SORTED")
    every = [f"sorted-{at:02}" for at in range(30)]
    expect(rows(page)).to_have_count(30)
    assert names(page) == every
    page.get_by_role("button", name="Depth").click()
    expect(page.locator("th[aria-sort]")).to_have_text("Depth")
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    assert names(page) == every[::-1]
    page.get_by_role("button", name="Depth").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    assert names(page) == every
    page.get_by_label("Rows").select_option("25")
    expect(rows(page)).to_have_count(25)
    assert page.get_by_role("button", name="Previous").is_disabled()
    page.get_by_role("button", name="Next").click()
    expect(rows(page)).to_have_count(5)
    assert names(page) == every[25:]
    assert page.get_by_role("button", name="Next").is_disabled()
    # What is chosen is in the address, so a link or a reload leads to the same rows.
    page.reload()
    expect(rows(page)).to_have_count(5)
    assert names(page) == every[25:]
    assert page.get_by_label("Filter").input_value() == "SORTED"
    page.get_by_label("Filter").fill("sorted-*3")
    expect(rows(page)).to_have_count(3)
    assert names(page) == ["sorted-03", "sorted-13", "sorted-23"]
    page.get_by_label("Filter").fill("sorted-?3*x")
    expect(page.get_by_text("No queue is like that.")).to_be_visible()
    page.get_by_label("Filter").fill("not-there-yet")
    page.get_by_role("link", name="not-there-yet").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("not-there-yet")


def test_a_page_of_the_list_that_is_to_come_yet(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0")
    every = [f"later-{at:02}" for at in range(30)]
    with server.connect() as wire:
        for name in every[:5]:
            wire.put(name, b"x")
        page = open_page(server, "#/?rows=25&page=2")
        expect(rows(page)).to_have_count(5)
        for name in every[5:]:
            wire.put(name, b"x")
    expect(page.locator(".pager .range")).to_have_text("26–30 of 30")
    assert names(page) == every[25:]


def test_the_focus_stays_beside_the_table(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        for at in range(30):
            wire.put(f"paged-{at:02}", b"x")
    page = open_page(server, "#/?filter=paged&rows=25")
    following, previous = [page.get_by_role("button", name=name) for name in ("Next", "Previous")]
    expect(rows(page)).to_have_count(25)
    following.press("Enter")
    expect(rows(page)).to_have_count(5)
    expect(previous).to_be_focused()
    previous.press("Enter")
    expect(rows(page)).to_have_count(25)
    expect(following).to_be_focused()


def test_the_way_back_leads_to_the_same_rows(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        for at in range(60):
            wire.put(f"scrolled-{at:02}", b"x")
    page = open_page(server, "#/?filter=scrolled&rows=100")
    expect(rows(page)).to_have_count(60)
    last = page.get_by_role("link", name="scrolled-59")
    last.scroll_into_view_if_needed()
    down = page.evaluate("scrollY")
    assert down > 500
    last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("scrolled-59")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(last).to_be_in_viewport()
    assert page.evaluate("scrollY") == down
    page.get_by_role("link", name="Queues", exact=True).click()
    wait_until(lambda: page.evaluate("scrollY") == 0)


def test_a_filter_of_many_stars(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        wire.put("a" * 240, b"x")
    page = open_page(server)
    page.get_by_label("Filter").fill(f"{'*' * 9}z")
    expect(page.get_by_text("No queue is like that.")).to_be_visible()
    page.get_by_label("Filter").fill("**aaa**a")
    wait_until(lambda: names(page) == ["a" * 240])


def test_choosing_by_kind(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        wire.put("kind-full", b"x")
        wire.make("kind-empty")
        page = open_page(server, "#/?filter=kind-")
        expect(rows(page)).to_have_count(2)
        page.get_by_label("Show").select_option("Not empty")
        expect(rows(page)).to_have_count(1)
        assert names(page) == ["kind-full"]
        wire.put("kind-empty", b"x")
        expect(rows(page)).to_have_count(2)


def test_how_far_consumers_are_behind(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire, Web(server) as web:
        wire.put("lag-none", b"x")
        for consumer in ("audit", "f%2Br"):
            wire.ask(f"get lag-two+{consumer}\r\n".encode())
        wire.put("lag-two", *[b"x"] * 14)
        for _ in range(14):
            assert wire.get("lag-two") == b"x"
        assert wire.get("lag-two+f%2Br") == b"x"
        page = open_page(server, "#/?filter=lag-")
        lag = cell(page, "lag-two", "Lag")
        expect(lag).to_have_text("14")
        expect(lag).to_have_attribute("title", re.compile(r"^audit: 14 items, the oldest .*s old$"))
        expect(cell(page, "lag-two", "Depth")).to_have_text("0")
        expect(cell(page, "lag-none", "Lag")).to_have_text("")
        page.get_by_role("button", name="Lag", exact=True).click()
        assert names(page) == ["lag-two", "lag-none"]
        # What is no more is not counted, and what is known anew is known.
        assert web.ask("DELETE", "/v1/queues/lag-two/consumers/audit").status == 204
        expect(lag).to_have_text("13")
        page.reload()
        expect(lag).to_have_text("13")
        assert web.ask("DELETE", "/v1/queues/lag-two/consumers/f%252Br").status == 204
        expect(lag).to_have_text("")


def test_a_consumer_that_lags_is_a_mark_of_its_queue(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0", toml='[queues."*"]\nmax_lag_items = 10\n')
    with server.connect() as wire:
        wire.put("work", b"x")
        wire.ask(b"get work+audit\r\n")
        wire.put("work", *[b"x"] * 9)
        assert wire.stats("work+audit")["lagging"] == "1"
        page = open_page(server, "#/?show=noted")
        expect(page.locator("table.queues .badge")).to_have_text(["lagging"])


def test_damage_is_a_mark_of_its_queue(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(sync="never", http="127.0.0.1:0")
    with server.connect() as wire:
        for queue in ("hurt", "well"):
            for _ in range(3):  # a record each
                wire.put(queue, b"x")
    server.stop()
    with plyvel.DB(os.fspath(server.data / "queues/hurt/leveldb")) as database:
        database.delete(block_key(2))
    server.restart()
    page = open_page(server, "#/?show=noted")
    with server.connect() as wire:
        assert [wire.get("hurt") for _ in range(2)] == [b"x", None]
        expect(page.locator("table.queues .badge")).to_have_text(["damaged"])
        expect(rows(page)).to_have_count(1)
    page.close()
    server.kill()  # damage is an error in the log


def test_nothing_that_is_due_has_no_age(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire, Web(server) as web:
        wire.put("aged-due", b"x")
        web.post("/v1/queues/aged-later/items", b"x", Darnerpy_Delay="2h")
    page = open_page(server, "#/?filter=aged-")
    expect(cell(page, "aged-due", "Oldest")).to_have_text(re.compile("^[2-9]"))
    expect(cell(page, "aged-later", "Depth")).to_have_text("1")
    assert cell(page, "aged-later", "Oldest").inner_text() == "0"


def test_a_wide_screen_shows_long_names(server: ServerProcess, open_page: OpenPage) -> None:
    name = "a-name-" * 14
    with server.connect() as wire:
        wire.put(name, b"x")
    for width, cut in ((1280, True), (2560, False)):
        page = open_page(server, "#/", viewport={"width": width, "height": 800})
        link = page.get_by_role("link", name=name, exact=True)
        assert link.evaluate("each => each.scrollWidth > each.clientWidth") is cut
        assert link.evaluate("each => each.clientWidth") > 280
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_queue_that_is_deleted_goes(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        wire.put("goes", b"x")
        page = open_page(server, "#/?filter=goes")
        expect(rows(page)).to_have_count(1)
        wire.send(b"delete goes\r\n")
        wire.expect(b"DELETED\r\n")
        expect(rows(page)).to_have_count(0)


def test_lines_of_queues_with_long_names(server: ServerProcess, open_page: OpenPage) -> None:
    """Of which not all that are in sight fit into the address of one request."""
    with server.connect() as wire:
        for number in range(12):
            wire.put(f"{'ü' * 110}long{number}", b"x")
        time.sleep(2.5)  # a line has two points at least
        page = open_page(server, "#/?filter=long")
        expect(rows(page)).to_have_count(12)
        lines = page.locator("table.queues td.trend path.line[d^=M]")
        expect(lines).to_have_count(12)


def test_rows_keep_their_places_while_somebody_points(
    server: ServerProcess, open_page: OpenPage
) -> None:
    with server.connect() as wire:
        wire.put("held-a", b"x", b"x")
        wire.put("held-b", b"x")
        page = open_page(server, "#/?filter=held-&sort=items&down=1")
        expect(rows(page)).to_have_count(2)
        assert names(page) == ["held-a", "held-b"]
        page.get_by_role("link", name="held-b").hover()
        wire.put("held-b", b"x", b"x")
        expect(cell(page, "held-b", "Depth")).to_have_text("3")
        time.sleep(3.2)  # longer than they would rest by themselves
        assert names(page) == ["held-a", "held-b"]
        wire.put("held-new", *[b"x"] * 4)
        wait_until(lambda: names(page) == ["held-a", "held-b", "held-new"])
        page.get_by_label("Filter").hover()
        wait_until(lambda: names(page) == ["held-new", "held-b", "held-a"])


def test_a_queue_that_comes_as_another_one_goes(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire:
        wire.put("swap-a", b"x")
        wire.put("swap-b", b"x")
        page = open_page(server, "#/?filter=swap-")
        expect(rows(page)).to_have_count(2)
        page.get_by_role("link", name="swap-a").hover()
        wire.send(b"delete swap-b\r\nset swap-c 0 0 1\r\nx\r\n")
        wire.expect(b"DELETED\r\nSTORED\r\n")
        wait_until(lambda: names(page) == ["swap-a", "swap-c"])


def test_acts_of_others_are_told(server: ServerProcess, open_page: OpenPage) -> None:
    with server.connect() as wire, Web(server) as web:
        wire.put("acted", b"x")
        page = open_page(server)
        expect(page.locator(".connection")).to_have_text("Live")
        assert web.ask("DELETE", "/v1/queues/acted/items?all=true").status == 200
        line = page.locator("footer .last")
        expect(line).to_have_text(re.compile(r"^\d\d:\d\d:\d\d purge acted .*by 127\.0\.0\.1:\d+$"))
        page.locator("footer summary").click()
        expect(page.get_by_role("log")).to_contain_text("purge acted")


def test_a_thousand_queues(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http="127.0.0.1:0", engine="memory")
    every = [f"many-{at:04}" for at in range(1000)]
    with server.connect() as wire:
        for name in every:
            wire.put(name, b"x")
    page = open_page(server, "#/none")
    # What small lines show of the time before is asked for of all rows in sight at once.
    with page.expect_response(lambda response: "&queues=" in response.url) as asked:
        page.get_by_role("link", name="All queues").click()
    assert asked.value.json()["queues"].keys() == set(every[:50])
    expect(page.locator(".pager .range").first).to_have_text("1–50 of 1,000")
    assert names(page) == every[:50]
    assert page.locator("table.queues tr").count() == 51
    page.get_by_label("Filter").fill("many-09")
    expect(page.locator(".pager .range").first).to_have_text("1–50 of 100 (1,000 in all)")
    assert names(page) == every[900:950]
    page.get_by_role("button", name="Next").click()
    wait_until(lambda: names(page) == every[950:])


@pytest.mark.parametrize("hash", ["#/nothing", "#/q/a/b/c"])
def test_an_address_that_is_none(server: ServerProcess, open_page: OpenPage, hash: str) -> None:
    page = open_page(server, hash)
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.get_by_role("link", name="All queues").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queues")
