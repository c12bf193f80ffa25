"""What changes a queue from its page: each is asked first, and done only when its name was typed."""

import re
from urllib.parse import unquote

import pytest

from tests.browser.chromium import Locator, OpenPage, Page, Request, Route, expect
from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import ServerProcess, Wire, wait_until

TOML = """
[queues."tries-*"]
max_attempts = 1
dead_letter = "graveyard"

[queues."tiny-*"]
max_items = 1
"""
SERVERS = {"pump": {"http": "127.0.0.1:0", "toml": TOML}}


def dialog(page: Page, act: str) -> Locator:
    page.get_by_role("button", name=f"{act}…", exact=True).click()
    found = page.get_by_role("dialog")
    expect(found).to_be_visible()
    return found


def confirm(dialog: Locator, name: str) -> None:
    dialog.get_by_label("To confirm, type").fill(name)
    dialog.locator("button[type=submit]").click()
    expect(dialog).to_be_hidden()


def waiting(wire: Wire, queue: str) -> int:
    return int(wire.stats(queue).get("items", 0))


@pytest.mark.parametrize("act", ["Purge", "Delete", "Move", "Redrive", "Pause"])
def test_nothing_is_done_under_a_wrong_name(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str, act: str
) -> None:
    wire.put(queue, b"x", b"y")
    page = open_page(server, f"#/q/{queue}")
    changes: list[str] = []

    def note(request: Request) -> None:
        if request.method != "GET":
            changes.append(request.url)

    page.on("request", note)
    asked = dialog(page, act)
    expect(asked).to_contain_text(queue)
    expect(asked).to_contain_text("2 items")
    if act == "Move":
        asked.get_by_label("To the queue").fill("elsewhere")
    for name, problem in (
        (queue[:-1], "another name"),
        (queue.upper(), "another name"),
        ("", "Type the name"),
    ):
        asked.get_by_label("To confirm, type").fill(name)
        asked.get_by_label("To confirm, type").press("Enter")
        expect(asked.get_by_role("alert")).to_contain_text(problem)
        expect(asked.get_by_label("To confirm, type")).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    assert changes == []
    assert waiting(wire, queue) == 2
    assert wire.get(queue) == b"x"


def test_purging_the_oldest(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, *[b"%d" % at for at in range(10)])
    page = open_page(server, f"#/q/{queue}")
    asked = dialog(page, "Purge")
    asked.get_by_label("The oldest").check()
    asked.get_by_label("How many").fill("3")
    expect(asked.get_by_role("button", name="Purge the oldest 3 items")).to_be_visible()
    confirm(asked, queue)
    expect(page.get_by_text(f"Purged 3 items from {queue}.")).to_be_visible()
    assert wire.get(queue) == b"3"
    expect(page.locator("footer .last")).to_contain_text("purge")


def test_a_question_says_how_much_it_is_now(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"x")
    page = open_page(server, f"#/q/{queue}")
    asked = dialog(page, "Purge")
    expect(asked.get_by_role("button", name="Purge all 1 item")).to_be_visible()
    wire.put(queue, b"y")
    expect(asked.get_by_role("button", name="Purge all 2 items")).to_be_visible()
    expect(asked.locator("dl.facts dd").first).to_have_text("2 items, 2 B")


def test_a_name_is_typed_as_keyboards_write_it(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    """Its letters may be composed in another way than those that a keyboard has."""
    composed, taken_apart = "gr\u00fcn", "gru\u0308n"
    for name in (composed, taken_apart):
        wire.ask(b"set %b 0 0 1\r\nx\r\n" % name.encode())
    page = open_page(server, f"#/q/{taken_apart}")
    confirm(dialog(page, "Purge"), composed)
    expect(page.get_by_text("Purged 1 item")).to_be_visible()
    assert b"_items 1\r\n" in wire.ask(b"stats %b\r\n" % composed.encode())
    assert b"_items 0\r\n" in wire.ask(b"stats %b\r\n" % taken_apart.encode())


def test_purging_by_age_and_all(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"a", b"b")
    page = open_page(server, f"#/q/{queue}")
    asked = dialog(page, "Purge")
    asked.get_by_label("Those older than").check()
    asked.get_by_label("Older than", exact=True).fill("1")
    asked.get_by_label("To confirm, type").fill(queue)
    expect(asked.locator("button[type=submit]")).to_have_text("Purge what is older than …")
    asked.locator("button[type=submit]").click()
    expect(asked.get_by_role("alert")).to_have_text(
        "Older than: a number and ms, s, m, h or d, such as 30s or 1h."
    )
    asked.get_by_label("Older than", exact=True).fill("1h")
    expect(asked.locator("button[type=submit]")).to_have_text("Purge what is older than 1h")
    confirm(asked, queue)
    expect(page.get_by_text(f"Purged 0 items from {queue}.")).to_be_visible()
    asked = dialog(page, "Purge")
    expect(asked.get_by_role("button", name="Purge all 2 items")).to_be_visible()
    confirm(asked, queue)
    expect(page.get_by_text(f"Purged 2 items from {queue}.")).to_be_visible()
    assert waiting(wire, queue) == 0


def test_deleting(server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str) -> None:
    wire.put(queue, b"a", b"b")
    page = open_page(server, f"#/q/{queue}", forgiven=("404",))
    confirm(dialog(page, "Delete"), queue)
    expect(page.get_by_text(f"Deleted {queue}.")).to_be_visible()
    expect(page.get_by_text("There is no such queue")).to_be_visible()
    assert wire.stats(queue) == {}
    expect(page.get_by_role("button", name="Purge…")).to_be_disabled()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("link", name="Queues", exact=True).first.click()
    expect(page.get_by_role("link", name=queue)).to_have_count(0)


def test_pausing_and_resuming(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"a")
    page = open_page(server, f"#/q/{queue}")
    asked = dialog(page, "Pause")
    asked.get_by_label("Puts only").check()
    confirm(asked, queue)
    expect(page.locator(".heading .badge")).to_have_text(["puts paused"])
    assert wire.ask(b"set %b 0 0 1\r\nx\r\n" % queue.encode()).startswith(b"SERVER_ERROR ")
    confirm(dialog(page, "Pause"), queue)
    expect(page.locator(".heading .badge")).to_have_text(["paused"])
    assert wire.get(queue) is None
    expect(page.get_by_role("button", name="Pause…")).to_be_hidden()
    page.goto(page.url.partition("#")[0] + f"#/?filter={queue}")
    expect(page.locator("table.queues .badge")).to_have_text(["paused"])
    page.go_back()
    confirm(dialog(page, "Resume"), queue)
    expect(page.locator(".heading .badge")).to_have_count(0)
    assert wire.get(queue) == b"a"


def test_moving(server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str) -> None:
    wire.put(queue, *[b"%d" % at for at in range(5)])
    page = open_page(server, f"#/q/{queue}", forgiven=("400",))
    asked = dialog(page, "Move")
    asked.get_by_label("To the queue").fill("grüße")
    asked.get_by_label("How many items").fill("2")
    expect(asked.get_by_role("button", name="Move 2 items to grüße")).to_be_visible()
    confirm(asked, queue)
    expect(page.get_by_text(f"Moved 2 items from {queue} to grüße; 3 left.")).to_be_visible()
    assert waiting(wire, queue) == 3
    asked = dialog(page, "Move")
    asked.get_by_label("To the queue").fill(queue)
    asked.get_by_label("To confirm, type").fill(queue)
    asked.locator("button[type=submit]").click()
    expect(asked.get_by_role("alert")).to_contain_text(queue)
    assert waiting(wire, queue) == 3


@pytest.mark.parametrize("reason", [None, "tiny-7 is full: 1 item"])
def test_a_move_that_ended_early_is_no_success(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str, reason: str | None
) -> None:
    wire.put(queue, *[b"x"] * 5)
    page = open_page(server, f"#/q/{queue}")

    def answer(route: Route) -> None:
        told = route.fetch().json()
        told.pop("stopped", None)
        route.fulfill(json=told if reason is None else {**told, "stopped": reason})

    page.route("**/move?*", answer)
    asked = dialog(page, "Move")
    asked.get_by_label("To the queue").fill(f"tiny-{reason is None}")
    confirm(asked, queue)
    why = ". The other queue may take no more." if reason is None else f": {reason}."
    expect(page.locator(".notice.warned")).to_contain_text(
        f"Moved 1 item from {queue} to tiny-{reason is None}; 4 left. It ended early{why}"
    )


def test_moving_to_a_queue_whose_name_cannot_be_typed(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"x", b"y")
    wire.ask(b"set %b\xff 0 0 1\r\n1\r\n" % queue.encode())
    offered = f"{queue}\\xff"
    page = open_page(server, f"#/?filter={queue}")
    expect(page.get_by_role("link", name=offered)).to_be_visible()
    page.get_by_role("link", name=queue, exact=True).click()
    asked = dialog(page, "Move")
    assert offered in asked.locator("option").evaluate_all("all => all.map((each) => each.value)")
    asked.get_by_label("To the queue").fill(offered)
    confirm(asked, queue)
    expect(page.get_by_text(f"Moved 2 items from {queue} to {offered}; 0 left.")).to_be_visible()
    assert b"_items 3\r\n" in wire.ask(b"stats %b\xff\r\n" % queue.encode())
    assert wire.stats(offered) == {}


def test_a_page_asks_again_only_of_its_own_queue(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"x")
    wire.put("another", b"x")
    page = open_page(server, f"#/q/{queue}")
    expect(page.locator(".connection")).to_have_text("Live")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with Web(server) as web:
        for _ in range(20):
            assert web.post("/v1/queues/another/pause", b"").status == 200
            assert web.post("/v1/queues/another/resume", b"").status == 200
        expect(page.locator("footer .last")).to_contain_text("resume another")
    assert len(asked) < 10  # as its timer is due


def test_redriving(server: ServerProcess, open_page: OpenPage, wire: Wire) -> None:
    wire.put("tries-1", b"a")
    assert wire.get("tries-1/open") == b"a"
    assert wire.get("tries-1/abort") is None
    wait_until(lambda: waiting(wire, "graveyard") == 1)
    wire.put("graveyard", b"born here")
    page = open_page(server, "#/q/graveyard")
    asked = dialog(page, "Redrive")
    expect(asked).to_contain_text("Came as dead")
    confirm(asked, "graveyard")
    expect(
        page.get_by_text(re.compile(r"Redrove 1 item from graveyard; 1 left\.")).first
    ).to_be_visible()
    assert wire.get("tries-1") == b"a"
    asked = dialog(page, "Redrive")
    asked.get_by_label("To another queue").fill("rescued")
    confirm(asked, "graveyard")
    wait_until(lambda: waiting(wire, "rescued") == 1)


def test_making_and_dropping_consumers(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"a", b"b")
    page = open_page(server, f"#/q/{queue}/consumers", forgiven=("409",))
    rows = page.locator("table.consumers tbody tr")

    def make(name: str, start: str) -> Locator:
        asked = dialog(page, "Make a consumer")
        asked.get_by_label("Name").fill(name)
        asked.get_by_label(start).check()
        asked.get_by_role("button", name="Make the consumer").click()
        return asked

    expect(make("audit", "With the oldest item")).to_be_hidden()
    expect(rows).to_have_count(2)
    expect(rows.nth(1).locator("td").first).to_have_text("2")
    expect(make("<i>", "Behind all that waits")).to_be_hidden()
    expect(rows).to_have_count(3)
    expect(rows.nth(1).locator("th")).to_have_text("<i>")
    expect(rows.nth(1).locator("td").first).to_have_text("0")
    asked = make("audit", "Behind all that waits")
    expect(asked.get_by_role("alert")).to_contain_text("It is there already, and different.")
    asked.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Drop audit…").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("2 items")
    asked.get_by_label("To confirm, type").fill("audit")
    asked.locator("button[type=submit]").click()
    expect(asked.get_by_role("alert")).to_contain_text("another name")
    confirm(asked, f"{queue}+audit")
    expect(rows).to_have_count(2)
    expect(page.get_by_role("button", name="Make a consumer…")).to_be_focused()
    assert wire.stats(f"{queue}+audit") == {}


@pytest.mark.parametrize("name", [".", ".."])
def test_a_consumer_with_the_name_of_a_folder(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str, name: str
) -> None:
    """A browser would make of its address that of the queue."""
    wire.put(queue, b"x")
    page = open_page(server, f"#/q/{queue}/consumers")
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(f"{request.method} {request.url}"))
    asked = dialog(page, "Make a consumer")
    asked.get_by_label("Name").fill(name)
    asked.get_by_role("button", name="Make the consumer").click()
    asked = dialog(page, f"Drop {name}")
    asked.get_by_label("To confirm, type").fill(f"{queue}+{name}")
    asked.get_by_role("button", name="Drop it").click()
    expect(page.get_by_text(f"Dropped the consumer {queue}+{name}.")).to_be_visible()
    at = f"http://{server.http_address}/v1/queue/consumer?queue={queue}&consumer={name}"
    changes = [unquote(each) for each in asked_for if not each.startswith("GET")]
    assert changes == [f"PUT {at}", f"DELETE {at}"]


def test_making_a_consumer_that_stands_where_another_does(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"a", b"b")
    assert wire.get(f"{queue}+50%41") is None
    wire.put(queue, b"c")
    page = open_page(server, f"#/q/{queue}/consumers")
    expect(page.locator("table.consumers tbody tr")).to_have_count(2)
    asked = dialog(page, "Make a consumer")
    asked.get_by_label("Name").fill("copy")
    asked.get_by_label("Or where another consumer stands").select_option("50%41")
    asked.get_by_role("button", name="Make the consumer").click()
    expect(asked).to_be_hidden()
    expect(page.get_by_role("row", name="copy").locator("td").first).to_have_text("1")


def test_what_the_server_refuses_is_told_in_the_dialog(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0")
    with server.connect() as wire:
        wire.put("work", b"x")
        page = open_page(server, "#/q/work", forgiven=("503",))
        expect(page.locator(".connection")).to_have_text("Live")
        wire.send(b"status readonly\r\n")
        wire.read_line()
        asked = dialog(page, "Delete")
        asked.get_by_label("To confirm, type").fill("work")
        asked.locator("button[type=submit]").click()
        expect(asked.get_by_role("alert")).to_contain_text("That cannot be done at the moment.")
        expect(page.locator("header .badge")).to_have_text(["status readonly"])
        asked.get_by_role("button", name="Cancel").click()
        assert waiting(wire, "work") == 1


def test_what_is_under_way_cannot_be_cancelled(
    server: ServerProcess, open_page: OpenPage, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"x")
    page = open_page(server, f"#/q/{queue}", forgiven=("503",))
    held: list[Route] = []
    page.route("**/pause*", lambda route: held.append(route))

    def start() -> Locator:
        asked = dialog(page, "Pause")
        asked.get_by_label("To confirm, type").fill(queue)
        with page.expect_request("**/pause*"):
            asked.locator("button[type=submit]").click()
        return asked

    def refuse() -> None:
        held.pop().fulfill(status=503, json={"detail": "not now"})

    asked = start()
    expect(asked.get_by_role("button", name="Cancel")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(asked).to_be_visible()
    refuse()
    expect(asked.get_by_role("alert")).to_contain_text("not now")
    page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    start()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    refuse()
    expect(page.get_by_text("not now")).to_be_visible()
    page.reload()
    asked = start()
    page.goto(page.url.partition("#")[0] + "#/server")
    expect(asked).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    refuse()
    expect(page.locator(".notice.failed")).to_contain_text(f"Pause {queue}: ")
