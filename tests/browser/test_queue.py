"""The page of one queue: charts, items, pushing, consumers, settings, download."""

import base64
import json
import re
from pathlib import Path

import pytest

from tests.browser.chromium import Locator, OpenPage, Page, Route, expect
from tests.browser.complaints import complaints_in_both_colours
from tests.browser.load import Load
from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import ServerProcess, Wire, wait_until

TOML = """
[queues."small-*"]
max_items = 2

[queues."*"]
max_age = "7d"
"""
SERVERS = {"pump": {"http": "127.0.0.1:0", "toml": TOML}}


def tile(page: Page, label: str) -> Locator:
    found = page.locator("dl.tiles .tile").filter(has=page.get_by_text(label, exact=True))
    return found.locator("dd")


def test_charts_of_what_happens(server: ServerProcess, open_page: OpenPage) -> None:
    with Load(server, "charted"):
        page = open_page(server)
        page.get_by_role("link", name="charted").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("charted")
        expect(page.locator(".chart canvas")).to_have_count(3)
        depth = page.locator("figure", has_text="Depth").locator("figcaption")
        expect(depth).to_contain_text(re.compile(r"Depth now [\d,]+, at most [\d,]+"))
        rates = page.locator("figure", has_text="Rates").locator("figcaption")
        expect(rates).to_contain_text(
            re.compile(r"In now [\d,.]+, at most [\d,.]+; Out now [\d,.]+")
        )
        before = depth.inner_text()
        wait_until(lambda: depth.inner_text() != before)
        assert "-" not in rates.inner_text()
        page.get_by_role("button", name="24 hours").click()
        expect(page.get_by_role("button", name="24 hours")).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(page.locator(".chart canvas")).to_have_count(3)
        page.reload()
        expect(page.get_by_role("button", name="24 hours")).to_have_attribute(
            "aria-pressed", "true"
        )
        page.get_by_role("link", name="Server").click()
        expect(page.locator(".chart canvas")).to_have_count(3)
        expect(page.get_by_text("Version", exact=True)).to_be_visible()


def test_charts_that_could_not_be_loaded_come_later(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("charted-late", b"x")
    page = open_page(server, "#/nowhere", forgiven=("503",))
    page.route("**/v1/history*", lambda route: route.fulfill(status=503), times=1)
    page.goto(page.url.partition("#")[0] + "#/q/charted-late")
    expect(page.get_by_text("The history cannot be shown")).to_be_visible()
    expect(page.locator(".chart canvas")).to_have_count(3)
    expect(page.get_by_text("The history cannot be shown")).to_be_hidden()


@pytest.mark.parametrize(
    ("memory", "note"),
    [
        ("16MiB", ""),
        ("100KiB", "Kept more coarsely, since other queues are busier: a point is 10 s."),
        ("64KiB", "Nothing is kept of this queue"),
    ],
)
def test_history_that_is_kept_coarsely_says_so(
    make_server: MakeServer, open_page: OpenPage, memory: str, note: str
) -> None:
    server = make_server(http="127.0.0.1:0", history_memory=memory)
    with Load(server, "charted"):
        page = open_page(server)
        page.get_by_role("link", name="charted").click()
        expect(page.locator(".chart canvas")).to_have_count(3)
        expect(page.locator(".charts .hint")).to_have_text(re.compile(f"^{re.escape(note)}"))
        if not note:
            expect(page.locator(".charts .hint")).to_have_text("")


def items_of(page: Page) -> list[str]:
    rows = page.locator("table.peek tr:not(.whole) th[scope=row]")
    found: list[str] = rows.all_inner_texts()
    return found


def test_looking_at_items_takes_none(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    hostile = b'<img src=x onerror="document.title=1"><script>alert(1)</script>'
    wire.put("peeked", b'{"b":1,"a":[12345678901234567890]}', hostile, b"\x00\xff binary", b"")
    wire.put("peeked", *[b"more %d" % at for at in range(30)])
    wire.send(b"set peeked 1234 0 5\r\nflags\r\n")
    wire.expect(b"STORED\r\n")
    page = open_page(server, "#/q/peeked/items")
    expect(page.locator("table.peek tr:not(.whole)")).to_have_count(11)
    assert items_of(page) == [str(at) for at in range(1, 11)]
    first, second, third, fourth = [page.locator("button.glimpse").nth(at) for at in range(4)]
    expect(second).to_have_text(hostile.decode())
    expect(fourth).to_have_text("(empty)")
    first.click()
    data = page.get_by_label("Data of item 1", exact=True)
    expect(data).to_have_text('{\n  "b": 1,\n  "a": [\n    12345678901234567890\n  ]\n}')
    second.click()
    expect(page.get_by_label("Data of item 2", exact=True)).to_have_text(hostile.decode())
    third.click()
    expect(page.get_by_label("Data of item 3", exact=True)).to_contain_text("00000000  00 ff 20 62")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save item 3 as a file").click()
    assert waiting.value.suggested_filename == "peeked-3.bin"
    assert Path(waiting.value.path()).read_bytes() == b"\x00\xff binary"
    page.get_by_label("Show data as").select_option("Text")
    expect(data).to_have_text('{"b":1,"a":[12345678901234567890]}')
    page.get_by_label("Show data as").select_option("Hex")
    expect(data).to_contain_text("7b 22 62 22")
    page.get_by_label("Show data as").select_option("JSON")
    expect(page.get_by_label("Data of item 2", exact=True)).to_have_text("This is not JSON.")
    page.get_by_role("button", name="Next").click()
    wait_until(lambda: items_of(page) == [str(at) for at in range(11, 21)])
    page.get_by_role("button", name="Newest").click()
    wait_until(lambda: items_of(page) == [str(at) for at in range(26, 36)])
    assert page.get_by_label("Offset").input_value() == ""
    page.get_by_label("Offset").fill("33")
    page.get_by_label("Offset").press("Enter")
    wait_until(lambda: items_of(page) == ["34", "35"])
    expect(page.locator("table.peek tr:not(.whole)").last.locator("td").nth(2)).to_have_text("1234")
    page.reload()
    wait_until(lambda: items_of(page) == ["34", "35"])
    page.get_by_label("Offset").fill("99")
    page.get_by_label("Offset").press("Enter")
    expect(page.get_by_text("There are no items that far back.")).to_be_visible()
    assert page.title() == "peeked · darnerpy"
    assert page.locator("img, main script").count() == 0
    assert wire.stats("peeked")["items"] == "35"


def test_attempts_of_an_item(server: ServerProcess, open_page: OpenPage, wire: Wire) -> None:
    wire.put("tried", b"x")
    for _ in range(2):
        assert wire.get("tried/open") == b"x"
        assert wire.get("tried/abort") is None
    page = open_page(server, "#/q/tried/items")
    expect(page.locator("table.peek tr").nth(1).locator("td").nth(1)).to_have_text("2")
    page.locator("button.glimpse").click()
    expect(page.get_by_text("came back 2 times")).to_be_visible()


def test_pushing(server: ServerProcess, open_page: OpenPage, wire: Wire, tmp_path: Path) -> None:
    page = open_page(server, "#/q/pushed/items", forgiven=("404", "429"))
    expect(page.get_by_text("There is no such queue")).to_be_visible()
    page.get_by_label("Data", exact=True).fill("grüße\n<b>")
    page.get_by_label("Flags").fill("7")
    page.get_by_label("Expires after").fill("1h")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("Pushed as item 1, 11 B.")).to_be_visible()
    expect(page.locator("button.glimpse")).to_have_text("grüße <b>")
    expect(page.get_by_text("There is no such queue")).to_be_hidden()
    reply = wire.ask(b"get pushed\r\n")
    assert reply == b"VALUE pushed 7 11\r\ngr\xc3\xbc\xc3\x9fe\n<b>\r\nEND\r\n"
    file = tmp_path / "item.bin"
    file.write_bytes(bytes(range(256)) * 5000)
    page.get_by_label("Or a file").set_input_files(file)
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("Pushed as item 2, 1.2 MiB.")).to_be_visible()
    assert wire.get("pushed") == file.read_bytes()
    page.get_by_label("Data", exact=True).fill("later")
    page.get_by_label("Delay").fill("1h")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("Pushed as item 3")).to_be_visible()
    expect(tile(page, "Delayed")).to_have_text("1")
    assert wire.get("pushed") is None
    page.get_by_label("Delay").fill("soon")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_label("Delay")).to_be_focused()


def test_what_becomes_of_a_push_whose_page_was_left(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """A refusal is told where one is by then, and the page that is gone keeps quiet."""
    page = open_page(server, "#/q/left/items", forgiven=("404", "ERR_FAILED"))
    held: list[Route] = []
    page.route("**/left/items", lambda route: held.append(route))

    def push_and_leave() -> Route:
        page.get_by_label("Data", exact=True).fill("x")
        page.get_by_role("button", name="Push", exact=True).click()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("link", name="Server").click()
        while not held:
            page.wait_for_timeout(50)
        return held.pop()

    push_and_leave().abort()
    expect(page.get_by_text("Push into left: The server does not answer")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Items").click()
    push_and_leave().continue_()
    page.wait_for_timeout(500)
    expect(page).to_have_title("Server · darnerpy")


def test_what_was_pushed_is_not_pushed_again_by_one_more_click(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    page = open_page(server, "#/q/once/items", forgiven=("404",))
    data, push = page.get_by_label("Data", exact=True), page.get_by_role("button", name="Push")
    data.fill("once")
    push.click()
    expect(page.get_by_text("Pushed as item 1, 4 B.")).to_be_visible()
    expect(data).to_have_value("")
    expect(data).to_be_focused()
    push.click()
    expect(page.get_by_text("There is nothing to push.")).to_be_visible()
    assert wire.stats("once")["items"] == "1"
    # Who wants an empty one says so.
    push.click()
    expect(page.get_by_text("Pushed as item 2, 0 B.")).to_be_visible()
    # What the browser keeps from being sent does not look as if it were pushed.
    expires = page.get_by_label("Expires after")
    expires.fill("5")
    push.click()
    expect(page.get_by_text("Pushed as item 2, 0 B.")).to_have_count(0)
    expires.fill("")

    # What is typed while it is under way is the next one.
    def go_on(route: Route) -> None:
        data.fill("next")
        route.continue_()

    page.route("**/items", go_on)
    data.fill("this")
    push.click()
    expect(page.get_by_text("Pushed as item 3, 4 B.")).to_be_visible()
    expect(data).to_have_value("next")
    assert [wire.get("once") for _ in range(3)] == [b"once", b"", b"this"]


def test_a_full_queue_says_so(server: ServerProcess, open_page: OpenPage, wire: Wire) -> None:
    wire.put("small-1", b"x", b"x")
    page = open_page(server, "#/q/small-1/items", forgiven=("429",))
    page.get_by_label("Data", exact=True).fill("one more")
    page.get_by_role("button", name="Push", exact=True).click()
    problem = page.locator(".push .problem")
    expect(problem).to_contain_text("The queue is full.")
    expect(problem).to_contain_text("small-1 is full: 2 items")


def test_consumers_and_their_lag(server: ServerProcess, open_page: OpenPage, wire: Wire) -> None:
    assert wire.get("shared+audit") is None
    wire.put("shared", b"a", b"b")
    assert wire.get("shared") == b"a"
    page = open_page(server, "#/q/shared")
    page.get_by_role("link", name="Consumers").click()
    rows = page.locator("table.consumers tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("the queue itself")
    expect(rows.nth(0).locator("td").first).to_have_text("1")
    expect(rows.nth(1).locator("th")).to_have_text("audit")
    expect(rows.nth(1).locator("td").first).to_have_text("2")
    assert wire.get("shared+audit/open") == b"a"
    expect(rows.nth(1).locator("td").first).to_have_text("1")
    # Their items can be looked at as well.
    page.get_by_role("link", name="Items").click()
    wait_until(lambda: items_of(page) == ["2"])
    assert wire.get("shared+audit/abort") is None
    page.get_by_label("For").select_option("audit")
    wait_until(lambda: items_of(page) == ["1", "2"])


def test_the_age_of_the_queue_itself_grows_among_its_consumers(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("ages", b"a")
    page = open_page(server, "#/q/ages/consumers")
    oldest = page.locator("table.consumers tbody tr td").nth(2)
    seen: set[str] = set()

    def note() -> int:
        seen.add(oldest.inner_text())
        return len(seen)

    wait_until(lambda: note() > 4)


def test_a_queue_whose_journal_has_failed_says_so(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0", sync="always")
    with server.connect() as wire:
        wire.put("gone", b"x", b"y")
        wire.ask(b"get gone+audit\r\n")
        page = open_page(server, "#/q/gone", forgiven=("503",))
        expect(tile(page, "Oldest")).to_have_text(re.compile("s$"))
        path = server.data / "queues/gone"
        path.rename(server.data.parent / "elsewhere")
        assert wire.ask(b"set gone 0 0 1\r\nz\r\n").startswith(b"SERVER_ERROR ")
        told = page.get_by_role("alert").filter(has_text="The journal of this queue has failed")
        expect(told).to_contain_text("has failed: directory gone was taken away. Puts and gets")
        expect(told).to_contain_text("tries it again by itself")
        expect(page.get_by_text("That cannot be done at the moment")).to_have_count(0)
        expect(tile(page, "Oldest")).to_have_text("–")
        expect(tile(page, "Depth")).to_have_text("2")
        assert complaints_in_both_colours(page) == []
        page.get_by_role("link", name="Consumers").click()
        ages = page.locator("table.consumers tbody td:nth-child(4)")
        expect(ages).to_have_text(["–", "–"])
        page.get_by_role("link", name="Items").click()
        expect(page.get_by_text("The items cannot be looked at")).to_be_visible()
        # As it says.
        (server.data.parent / "elsewhere").rename(path)
        expect(told).to_be_hidden()
        expect(tile(page, "Oldest")).to_have_text(re.compile("s$"))
        expect(page.locator("button.glimpse")).to_have_count(2)
        expect(page.get_by_text("The items cannot be looked at")).to_be_hidden()
    page.close()
    server.kill()  # its log has an error


def test_settings_and_where_they_come_from(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("small-2", b"x")
    body = json.dumps({"max_bytes": "3MiB"})
    with Web(server) as web:
        headers = {"Content-Type": "application/json"}
        assert web.ask("PATCH", "/v1/queues/small-2/settings", body, headers).status == 200
    page = open_page(server, "#/q/small-2/settings")

    def row(name: str) -> list[str]:
        found = page.locator("table.settings tbody tr").filter(
            has=page.get_by_text(name, exact=True)
        )
        cells: list[str] = found.locator("th, td").all_inner_texts()
        return cells

    expect(page.get_by_text("max_items", exact=True)).to_be_visible()
    name, value, origin = row("max_items")
    assert (name, value) == ("max_items", "2")
    assert re.search(r"darnerpy\.toml:3$", origin)
    assert re.search(r"darnerpy\.toml:6$", row("max_age")[2])
    assert row("sync")[1:] == ["never", "--sync"]
    assert row("max_bytes")[1] == "3MiB"
    assert "reload" in row("max_bytes")[2]
    assert row("open_timeout")[1:] == ["off", "default"]
    page.get_by_label("Defaults, too").uncheck()
    expect(page.get_by_text("open_timeout", exact=True)).to_be_hidden()
    expect(page.get_by_text("max_items", exact=True)).to_be_visible()


def test_settings_that_are_all_defaults(server: ServerProcess, open_page: OpenPage) -> None:
    def answer(route: Route) -> None:
        told = route.fetch().json()
        for setting in told["settings"].values():
            setting["from"] = "default"
        route.fulfill(json=told)

    with server.connect() as wire:
        wire.put("plain", b"x")
    page = open_page(server, "#/nowhere")
    page.route("**/v1/queues/plain", answer)
    page.goto(page.url.partition("#")[0] + "#/q/plain/settings")
    expect(page.locator("table.settings")).to_be_visible()
    page.get_by_label("Defaults, too").uncheck()
    expect(page.get_by_text("All settings of this queue are defaults.")).to_be_visible()
    expect(page.locator("table.settings")).to_be_hidden()


def test_downloading(server: ServerProcess, open_page: OpenPage, wire: Wire) -> None:
    small = [b"\xff%d" % at for at in range(1200)]
    every = [*small, *(bytes([at]) * (3 << 20) for at in range(3))]  # more than one answer has
    for item in every:
        wire.put("saved", item)
    page = open_page(server, "#/q/saved/items")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as JSON lines").click()
    assert waiting.value.suggested_filename == "saved.jsonl"
    text = Path(waiting.value.path()).read_bytes()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [base64.b64decode(line["data"]) for line in lines] == every
    assert [line["id"] for line in lines] == list(range(1, 1204))
    expect(page.get_by_text("Downloaded 1,203 items of saved")).to_be_visible()
    assert wire.stats("saved")["items"] == "1203"
    # It can be put back as it is.
    with Web(server) as web:
        lines_of_small = b"".join(text.splitlines(keepends=True)[:1200])
        said = web.post("/v1/queues/again/items", lines_of_small, content_type="application/jsonl")
    assert said.status == 201
    assert wire.get("again") == every[0]


def test_a_download_has_what_was_there_when_it_began(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    assert wire.get("grows+audit") is None
    assert wire.get("grows+late") is None
    wire.put("grows", *[b"x"] * 600)
    for _ in range(600):
        assert wire.get("grows+late") == b"x"
    page = open_page(server, "#/q/grows/items")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        wire.put("grows", *[b"y"] * 100)
        page.get_by_label("For").select_option("late")
        route.continue_()

    page.get_by_label("For").select_option("audit")
    page.route(re.compile("after=[1-9]"), answer)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as JSON lines").click()
    lines = Path(waiting.value.path()).read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(1, 601))
    assert asked
    assert all("consumer=audit" in url for url in asked)


def test_delayed_items_are_said_to_be_left_out(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("partly", b"x", b"y")
    page = open_page(server, "#/q/partly/items")
    expect(page.locator("button.glimpse")).to_have_count(2)
    expect(page.get_by_text("not shown")).to_have_count(0)
    with Web(server) as web:
        assert (
            web.post("/v1/queues/partly/items", b"later", **{"Darnerpy-Delay": "1h"}).status == 201
        )
    expect(
        page.get_by_text("1 delayed item is not shown, and is not in a download")
    ).to_be_visible()
    assert complaints_in_both_colours(page) == []
    with page.expect_download():
        page.get_by_role("button", name="Download as JSON lines").click()
    expect(page.locator(".notice.warned")).to_have_text(
        re.compile(r"^Downloaded 2 items of partly, \d+ B\. 1 delayed item is not in it\.")
    )


def test_a_download_ends_with_its_page(
    server: ServerProcess, open_page: OpenPage, wire: Wire
) -> None:
    wire.put("left", b"x")
    page = open_page(server, "#/q/left/items")
    page.route(re.compile("after=0"), lambda route: None)  # it waits for ever
    page.get_by_role("button", name="Download as JSON lines").click()
    expect(page.get_by_text("Downloading …")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("The download was cancelled.")).to_be_visible()


@pytest.mark.parametrize(
    "name",
    [
        b"<b>&\"'",
        b"..",
        b"\xff\xfe%41",
        "\u202eabc".encode(),
        b"x" * 250,
    ],
)
def test_a_queue_of_any_name(
    server: ServerProcess, open_page: OpenPage, wire: Wire, name: bytes
) -> None:
    wire.ask(b"set %b 0 0 1\r\n1\r\n" % name)
    shown = name.decode("utf-8", "backslashreplace").replace("\u202e", "\\u202e")
    page = open_page(server, forgiven=("404",))
    page.get_by_role("link", name=shown, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(shown)
    expect(tile(page, "Depth")).to_have_text("1")
    expect(page.locator(".chart canvas")).to_have_count(3)
    page.get_by_role("link", name="Items").click()
    page.get_by_label("Data", exact=True).fill("two")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("Pushed as item 2")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(shown)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_label("To confirm, type").fill(shown)
    page.get_by_role("button", name="Delete the queue").click()
    expect(page.get_by_text("There is no such queue")).to_be_visible()
    assert wire.ask(b"stats %b\r\n" % name) == b"END\r\n"
