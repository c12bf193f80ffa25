"""What is wrong is told on top of every page, in words, and read out once."""

import re

from tests.browser.chromium import Locator, OpenPage, Page, expect
from tests.browser.complaints import complaints_in_both_colours
from tests.conftest import MakeServer
from tests.http.web import Web

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def alarms(page: Page) -> Locator:
    return page.locator(".alarms p:visible")


def test_queues_that_have_failed_or_are_paused(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0", sync="always", max_open_journals=300)
    with server.connect() as wire, Web(server) as web:
        for at in range(60):
            wire.put(f"well-{at:02}", b"x")
        wire.put("zz-gone", b"x")
        page = open_page(server, forgiven=("503",))
        expect(page.locator("table.queues tbody tr")).to_have_count(50)
        expect(alarms(page)).to_have_count(0)
        (server.data / "queues/zz-gone").rename(server.data.parent / "elsewhere")
        wire.ask(b"set zz-gone 0 0 1\r\nz\r\n")
        expect(alarms(page)).to_have_text(
            ["1 queue has failed: puts and gets of it are refused. Show it"]
        )
        for queue in ("well-03", "well-04"):
            assert web.post(f"/v1/queues/{queue}/pause?what=gets").status == 200
        expect(alarms(page)).to_have_count(2)
        expect(alarms(page).last).to_have_text("2 queues are paused. Show them")
        # It is read out when it comes, and not each second.
        said = page.get_by_role("status", name="What is wrong")
        expect(said).to_have_count(1)
        said.evaluate(
            "each => { window.told = 0; new MutationObserver((all) => (window.told += all.length))"
            ".observe(each, { subtree: true, childList: true, characterData: true, attributes: true }) }"
        )
        page.wait_for_timeout(2500)
        assert page.evaluate("window.told") == 0
        assert complaints_in_both_colours(page) == []
        page.get_by_role("link", name="Show it").click()
        expect(page.locator("table.queues a.name")).to_have_text(["well-03", "well-04", "zz-gone"])
        phone = open_page(server, "#/server", **PHONE)
        expect(alarms(phone)).to_have_count(2)
        assert phone.evaluate("document.documentElement.scrollWidth") == 360
        (server.data.parent / "elsewhere").rename(server.data / "queues/zz-gone")
        expect(alarms(page)).to_have_text(["2 queues are paused. Show them"])
        for each in (page, phone):
            each.close()
    server.kill()  # its log has an error


def test_a_status_says_what_it_means(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http="127.0.0.1:0", http_read_only="true")
    page = open_page(server)
    with server.connect() as wire:
        for status, meaning in (
            ("quiescent", "items can neither be put nor taken"),
            ("readonly", "items can be taken, but none can be put"),
        ):
            assert wire.ask(b"status %b\r\n" % status.encode()) == b"END\r\n"
            expect(alarms(page)).to_have_text(re.compile(f"status is {status}: {meaning}"))
            expect(alarms(page)).to_contain_text("darnerpy status up")
            # What holds for all clients and what holds for HTTP do not look alike.
            expect(page.locator("header .badge")).to_have_text(
                ["HTTP changes nothing", f"status {status}"]
            )
            assert complaints_in_both_colours(page) == []
        wire.ask(b"status up\r\n")
        expect(alarms(page)).to_have_count(0)
