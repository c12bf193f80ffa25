"""The connection of a page: lost and found again, with a token, and where nothing may be changed."""

import signal
from contextlib import closing
from pathlib import Path

import pytest

from tests.browser.chromium import Browser, Locator, OpenPage, Page, Request, Route, expect
from tests.browser.complaints import complaints_in_both_colours
from tests.conftest import MakeServer
from tests.servers import TIMEOUT, ServerProcess, free_port

TOKEN = "a-token-of-some-length"
NO_ANSWER = ("net::ERR_", "Failed to fetch")


def depth(page: Page, text: str) -> None:
    expect(page.locator("dl.totals dd").first).to_have_text(text)


def fill(server: ServerProcess, queue: str, items: int) -> None:
    with server.connect() as wire:
        wire.put(queue, *[b"x"] * items)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_a_lost_connection_is_shown_and_heals(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http=f"127.0.0.1:{free_port()}", sync="always")
    fill(server, "work", 3)
    page = open_page(server, forgiven=NO_ANSWER)
    items = open_page(server, "#/q/work/items", forgiven=NO_ANSWER)
    depth(page, "3")
    expect(items.locator("button.glimpse")).to_have_count(3)
    server.kill()
    for each in (page, items):
        expect(each.locator(".connection")).to_have_text("Connection lost")
        expect(
            each.get_by_role("alert").filter(has_text="The connection to the server is lost")
        ).to_be_visible()
        expect(each.locator(".lost")).to_contain_text("Trying again")
        expect(each.get_by_role("alert").filter(has_text="Trying again")).to_have_count(0)
    expect(page.locator("body")).to_have_class("stale")
    depth(page, "3")  # what was known stays to be read
    assert complaints_in_both_colours(page) == []
    server.start()
    fill(server, "work", 2)
    for each in (page, items):
        expect(each.locator(".connection")).to_have_text("Live")
        expect(each.locator(".lost")).to_be_hidden()
    depth(page, "5")
    expect(items.locator("button.glimpse")).to_have_count(5)
    rates = [page.locator("dl.totals dd").nth(at).inner_text() for at in (1, 2)]
    assert not any("-" in rate or "−" in rate for rate in rates), rates


NOT_BY_ITSELF = """() => {
  const later = window.setTimeout;
  window.setTimeout = (what, ms) => (ms >= 400 && ms < 9700 ? 0 : later(what, ms));
}"""


def test_a_connection_that_is_lost_twice_in_a_row_heals(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    """The second time while it is still asked what server there is; and found again by the first try."""
    server = make_server(http=f"127.0.0.1:{free_port()}", sync="always")
    fill(server, "work", 1)
    page = open_page(server, "#/q/work/items", forgiven=NO_ANSWER)
    expect(page.locator("button.glimpse")).to_have_count(1)
    server.kill()
    expect(page.locator(".connection")).to_have_text("Connection lost")
    asked: list[Route] = []
    page.route("**/v1/server", lambda route: asked.append(route))
    server.start()
    expect(page.locator(".connection")).to_have_text("Live")
    while not asked:
        page.wait_for_timeout(50)
    page.evaluate(NOT_BY_ITSELF)
    server.kill()
    expect(page.locator(".connection")).to_have_text("Connection lost")
    asked[0].abort()
    page.unroute("**/v1/server")
    expect(page.get_by_role("alert").filter(has_text="No answer came")).to_be_visible()
    server.start()
    fill(server, "work", 2)
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator("button.glimpse")).to_have_count(3)


def test_trying_at_once(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http=f"127.0.0.1:{free_port()}")
    page = open_page(server, forgiven=NO_ANSWER)
    expect(page.locator(".connection")).to_have_text("Live")
    page.evaluate(NOT_BY_ITSELF)
    server.kill()
    expect(page.locator(".connection")).to_have_text("Connection lost")
    server.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".connection")).to_have_text("Live")


HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_the_last_minute_is_asked_for_anew_after_a_break(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0")
    fill(server, "work", 1)
    page = open_page(server)
    depth(page, "1")
    expect(page.locator("table.queues td.trend path.line[d^=M]")).to_have_count(1)
    page.evaluate(HIDE, True)
    expect(page.locator(".connection")).to_have_text("Connecting")

    def of_all(request: Request) -> bool:
        return "range=1m" in request.url and "queues=" not in request.url

    def of_one(request: Request) -> bool:
        return "range=1m" in request.url and "queues=work" in request.url

    with page.expect_request(of_all), page.expect_request(of_one):
        page.evaluate(HIDE, False)
    depth(page, "1")


def test_tabs_that_nobody_sees_keep_none_waiting(make_server: MakeServer, browser: Browser) -> None:
    """A browser has six connections to one server; each tab's stream of events would take one for itself."""
    server = make_server(http="127.0.0.1:0")
    fill(server, "work", 1)
    with closing(browser.new_context()) as context:
        tabs = []
        for _ in range(8):
            tabs.append(context.new_page())
            tabs[-1].set_default_timeout(TIMEOUT * 1000)
            tabs[-1].goto(f"http://{server.http_address}/#/q/work/items")
            expect(tabs[-1].locator(".connection")).to_have_text("Live")
            expect(tabs[-1].locator("button.glimpse")).to_have_count(1)
            tabs[-1].evaluate(HIDE, True)
        fill(server, "work", 2)
        tabs[0].wait_for_timeout(1500)
        depth = tabs[0].locator("dl.tiles dd").first
        expect(depth).to_have_text("1")
        tabs[0].evaluate(HIDE, False)
        expect(depth).to_have_text("3")
        expect(tabs[0].locator(".connection")).to_have_text("Live")
        expect(tabs[0].locator("button.glimpse")).to_have_count(1)


def test_a_token_is_asked_for_and_kept_in_the_tab(
    make_server: MakeServer, open_page: OpenPage, token_file: Path
) -> None:
    server = make_server(http="127.0.0.1:0", http_token_file=token_file)
    fill(server, "work", 2)
    page = open_page(server, forgiven=("401",))
    asked = page.get_by_role("dialog", name="This server wants a token")
    field = asked.get_by_label("Token", exact=True)
    expect(field).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Escape")
        page.wait_for_timeout(100)
        expect(field).to_be_focused()
    field.fill("a-wrong-token-of-some-length")
    field.press("Enter")
    expect(asked.get_by_role("alert")).to_contain_text("The server did not take that token.")
    field.fill(TOKEN)
    asked.get_by_role("button", name="Sign in").click()
    depth(page, "2")
    page.get_by_role("link", name="work").click()
    page.get_by_role("link", name="Items").click()
    expect(page.locator("button.glimpse")).to_have_count(2)
    page.get_by_label("Data", exact=True).fill("pushed")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_text("Pushed as item 3")).to_be_visible()
    page.reload()
    expect(page.locator("button.glimpse")).to_have_count(3)
    assert TOKEN not in page.url
    assert TOKEN not in page.content()
    other = open_page(server, forgiven=("401",))
    expect(other.get_by_role("dialog")).to_be_visible()


def test_a_token_that_is_not_right_any_more(
    make_server: MakeServer, open_page: OpenPage, token_file: Path
) -> None:
    server = make_server(http=f"127.0.0.1:{free_port()}", http_token_file=token_file)
    page = open_page(server, forgiven=("401", *NO_ANSWER))
    asked = page.get_by_role("dialog")
    asked.get_by_label("Token", exact=True).fill(TOKEN)
    asked.get_by_role("button", name="Sign in").click()
    expect(page.locator(".connection")).to_have_text("Live")
    server.kill()
    token_file.write_text("another-token-of-some-length\n")
    server.start()
    expect(asked.get_by_role("alert")).to_contain_text("The server did not take that token.")
    asked.get_by_label("Token", exact=True).fill("another-token-of-some-length")
    asked.get_by_role("button", name="Sign in").click()
    expect(page.locator(".connection")).to_have_text("Live")


def test_a_page_that_waits_for_a_token_asks_once(
    make_server: MakeServer, open_page: OpenPage, token_file: Path
) -> None:
    """It looks at its queue every three seconds: after a night there would be thousands at once."""
    server = make_server(http="127.0.0.1:0", http_token_file=token_file)
    page = open_page(server, "#/q/work", forgiven=("401", "404"))
    page.wait_for_timeout(7000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token", exact=True).fill(TOKEN)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator(".connection")).to_have_text("Live")
    assert len([url for url in asked if url.endswith("/v1/queues/work")]) == 1


def test_read_only(make_server: MakeServer, open_page: OpenPage) -> None:
    server = make_server(http="127.0.0.1:0", http_read_only="true")
    fill(server, "work", 1)
    with server.connect() as wire:
        wire.get("work+audit")
    page = open_page(server)
    expect(page.locator("header .badge")).to_have_text(["HTTP changes nothing"])
    page.get_by_role("link", name="work").click()
    expect(page.get_by_text("Read-only: http_read_only is set")).to_be_visible()
    for act in ("Pause…", "Move…", "Redrive…", "Purge…", "Delete…"):
        expect(page.get_by_role("button", name=act)).to_be_disabled()
    page.get_by_role("link", name="Items").click()
    expect(page.locator("button.glimpse")).to_have_count(1)
    expect(page.get_by_role("button", name="Push", exact=True)).to_be_disabled()
    expect(page.get_by_label("Data", exact=True)).to_be_disabled()
    page.get_by_role("link", name="Consumers").click()
    expect(page.get_by_role("button", name="Make a consumer…")).to_be_disabled()
    expect(page.get_by_role("button", name="Drop audit…")).to_be_disabled()


def test_what_is_allowed_and_the_status_follow_a_reload(
    make_server: MakeServer, open_page: OpenPage
) -> None:
    server = make_server(http="127.0.0.1:0", toml="http_read_only = true\n")
    page = open_page(server, "#/server")

    def fact(label: str) -> Locator:
        found = page.locator("dl.facts > div").filter(has=page.get_by_text(label, exact=True))
        return found.locator("dd")

    expect(page.locator("header .badge")).to_have_text(["HTTP changes nothing"])
    expect(fact("Changes over HTTP")).to_have_text("no: http_read_only")
    expect(fact("Status")).to_have_text("up")
    before = fact("Up for").inner_text()
    Path(server.flags[-1].removeprefix("--config=")).write_text("")
    server.process.send_signal(signal.SIGHUP)
    expect(page.locator("header .badge")).to_have_count(0)
    expect(page.locator("body")).not_to_have_class("read-only")
    expect(fact("Changes over HTTP")).to_have_text("allowed")
    with server.connect() as wire:
        wire.ask(b"status quiescent\r\n")
    expect(page.locator("header .badge")).to_have_text(["status quiescent"])
    expect(fact("Status")).to_have_text("quiescent")
    expect(fact("Up for")).not_to_have_text(before)
