"""The parts of the dashboard that only compute, in a real browser: names, numbers, data, the stream."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Browser, Guard, Page, expect
from tests.servers import ServerProcess, wait_until

SERVERS = {"pump": {"http": "127.0.0.1:0"}}


class Module:
    """A module of the page, whose functions can be called."""

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._name = name

    def __call__(self, function: str, *given: object) -> Any:
        """function: an expression in which `m` is the module and `g` what is given."""
        code = f"async (g) => {{ const m = await import('/static/{self._name}.js'); return {function}; }}"
        return self._page.evaluate(code, list(given))


@pytest.fixture(scope="module")
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """Of the server, but without its script."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{server.http_address}/static/icon.svg")
        yield page


@pytest.mark.parametrize(
    ("does", "complaint"),
    [
        ("console.error('oh')", "error: oh"),
        ("setTimeout(() => nothing.there)", "nothing is not defined"),
        ("document.body.setAttribute('style', 'color: red')", "Content Security Policy"),
        ("import('data:text/javascript,1').catch(() => {})", "Content Security Policy"),
        ("fetch('http://127.0.0.1:9/').catch(() => {})", "Content Security Policy"),
        ("location.assign('http://127.0.0.1:9/')", "asked for http://127.0.0.1:9/"),
    ],
)
def test_what_a_page_must_not_do_is_noticed(
    browser: Browser, server: ServerProcess, does: str, complaint: str
) -> None:
    def found(page: Page) -> bool:
        page.wait_for_timeout(50)
        try:
            guard.check()
        except AssertionError as error:
            return complaint in str(error)
        return False

    with browser.new_context() as context:
        page = context.new_page()
        guard = Guard(page, f"http://{server.http_address}")
        page.goto(f"http://{server.http_address}/")
        expect(page.locator(".connection")).to_have_text("Live")
        guard.check()
        page.evaluate(f"() => {{ {does} }}")
        wait_until(lambda: found(page))


@pytest.mark.parametrize(
    ("given", "name", "shown"),
    [
        ("work", "work", "work"),
        ("mail-out_1.x~", "mail-out_1.x~", "mail-out_1.x~"),
        ("%77ork", "work", "work"),
        ("a%2bb", "a%2Bb", "a+b"),
        ("%2E%2e", "..", ".."),
        ("<b>", "%3Cb%3E", "<b>"),
        ("gr%C3%BC%C3%9Fe", "gr%C3%BC%C3%9Fe", "grüße"),
        ("grüße", "gr%C3%BC%C3%9Fe", "grüße"),
        ("%ff%00", "%FF%00", "\\xff\\x00"),
        ("100%", "100%25", "100%"),
        ("a%E2%80%AEb", "a%E2%80%AEb", "a\\u202eb"),
        ("%F0%9F%92%A9", "%F0%9F%92%A9", "💩"),
        ("a%CD%8Fb%C2%A0", "a%CD%8Fb%C2%A0", "a\\u034fb\\xa0"),
        ("a%F3%A0%81%81", "a%F3%A0%81%81", "a\\u{e0041}"),
    ],
)
def test_names(page: Page, given: str, name: str, shown: str) -> None:
    names = Module(page, "names")
    assert names("m.encoded(g[0])", given) == name
    assert names("m.encoded(m.encoded(g[0]))", given) == name
    assert names("m.decoded(g[0])", given) == shown


def test_what_is_typed_is_a_name_as_it_stands(page: Page) -> None:
    names = Module(page, "names")
    assert names("m.typed(g[0])", " 100%41/ü ") == "100%2541%2F%C3%BC"
    assert names("m.typed(g[0])", "\tq\u00a0\n") == "q%C2%A0"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("m.count(0)", "0"),
        ("m.count(9999999)", "9,999,999"),
        ("m.count(12345678)", "12.35M"),
        ("m.count(undefined)", "–"),
        ("m.rate(0)", "0"),
        ("m.rate(0.04)", "<0.1"),
        ("m.rate(12.34)", "12.3"),
        ("m.rate(99.96)", "100"),
        ("m.rate(1234.5)", "1,235"),
        ("m.size(0)", "0 B"),
        ("m.size(1023)", "1,023 B"),
        ("m.size(1024)", "1 KiB"),
        ("m.size(1536)", "1.5 KiB"),
        ("m.size(1048575)", "1 MiB"),
        ("m.size(64 * 2 ** 20)", "64 MiB"),
        ("m.duration(0)", "0"),
        ("m.duration(999)", "999 ms"),
        ("m.duration(9990)", "9.9 s"),
        ("m.duration(59999)", "59 s"),
        ("m.duration(61000)", "1 m 1 s"),
        ("m.duration(3600000 * 23.5)", "23 h 30 m"),
        ("m.duration(86400000 * 400)", "400 d"),
        ("m.duration(3600000)", "1 h"),
        ("m.latency(0.26)", "0.3 ms"),
        ("m.some(1, 'item') + m.some(1200, 'item')", "1 item1,200 items"),
    ],
)
def test_numbers(page: Page, call: str, text: str) -> None:
    assert Module(page, "format")(call) == text


@pytest.mark.parametrize(
    ("data", "view", "kind", "text"),
    [
        (b"hello", "auto", "text", "hello"),
        ("grüße\n".encode(), "auto", "text", "grüße\n"),
        (b"<b>", "auto", "text", "<b>"),
        (b"", "auto", "text", ""),
        (b'{"a":[1,{}],"b":1e400}', "auto", "json",
         '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": 1e400\n}'),
        (b'[12345678901234567890,"\\u00fc,:[]"]', "json", "json",
         '[\n  12345678901234567890,\n  "\\u00fc,:[]"\n]'),
        (b"[1,", "auto", "text", "[1,"),
        (b"[1,", "json", "none", "This is not JSON."),
        (b"42", "json", "json", "42"),
        (b"42", "auto", "text", "42"),
        (b"\xff", "json", "none", "This is not JSON."),
        (b"\xff\x00", "text", "text", "\ufffd\x00"),
        (b"\x00A\xff", "auto", "hex", f"00000000  {'00 41 ff':24} {'':24} .A."),
        (b"0123456789abcdefX", "hex", "hex",
         "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n"
         f"00000010  {'58':24} {'':24} X"),
    ],
)  # fmt: skip
def test_data(page: Page, data: bytes, view: str, kind: str, text: str) -> None:
    found = Module(page, "data")("m.view(Uint8Array.from(g[0]), g[1])", list(data), view)
    assert found == {"text": text, "as": kind}


@pytest.mark.parametrize("view", ["auto", "text"])
def test_text_that_is_cut_in_a_character(page: Page, view: str) -> None:
    found = Module(page, "data")("m.view(Uint8Array.from(g[0]), g[1], 9)", [*b"gr\xc3"], view)
    assert found == {"text": "gr", "as": "text"}
    whole = Module(page, "data")("m.view(Uint8Array.from(g[0]), 'auto')", [*b"gr\xc3"])
    assert whole["as"] == "hex"
    glimpse = Module(page, "data")(
        "m.glimpse(Uint8Array.from(g[0]))", [*b"a", *("ü" * 200).encode()]
    )
    assert glimpse == "a" + "ü" * 99


def test_a_long_hex_dump_says_what_it_leaves_out(page: Page) -> None:
    found = Module(page, "data")("m.hexOf(new Uint8Array(5000))").split("\n")
    assert len(found) == 4096 / 16 + 1
    assert found[-1] == "… 904 bytes more"
    cut = Module(page, "data")("m.view(new Uint8Array(5000), 'hex', 300000)")["text"]
    assert cut.endswith("\n… 295904 bytes more")


def test_json_that_is_too_much_as_lines(page: Page) -> None:
    """A page that lays out many megabytes stands still meanwhile."""
    view = Module(page, "data")
    deep = view("m.view(new TextEncoder().encode('['.repeat(3000) + ']'.repeat(3000)), 'auto')")
    assert deep["as"] == "json"
    assert len(deep["text"]) < 500_000
    wide = "[" * 100 + "1" + ",1" * 30_000 + "]" * 100
    found = view("m.view(new TextEncoder().encode(g[0]), 'json')", wide)
    assert found == {"text": wide, "as": "text"}


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [('{"a": [1, 2', "text", '{"a": [1, 2'), ("hello", "none", "This is not JSON.")],
)
def test_json_that_is_cut(page: Page, data: str, kind: str, text: str) -> None:
    found = Module(page, "data")("m.view(new TextEncoder().encode(g[0]), 'json', 200000)", data)
    assert found == {"text": text, "as": kind}


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_stream_however_it_is_cut(page: Page, step: int) -> None:
    stream = (
        "retry: 1000\n\n: still here\n\nevent: stats\ndata: {}\n\n"
        "data: a\r\ndata:  b\r\nid: 7\r\n\r\nevent: x\n\nevent: admin\ndata\n\ndata: unfinished"
    )
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    found = Module(page, "events")(
        "(() => { const told = []; const parser = new m.Parser((name, data) => told.push([name, data]));"
        " for (const piece of g[0]) parser.feed(piece); return told; })()",
        pieces,
    )
    assert found == [["stats", "{}"], ["message", "a\n b"], ["admin", ""]]


@pytest.mark.parametrize(
    ("hash", "found"),
    [
        ("", ["queues", None, None]),
        ("#/", ["queues", None, None]),
        ("#/?filter=a", ["queues", None, None]),
        ("#/server", ["server", None, None]),
        ("#/q/a%2fb", ["queue", "a%2Fb", "overview"]),
        ("#/q/../items?from=3", ["queue", "..", "items"]),
        ("#/q/a/none", ["nowhere", None, None]),
        ("#/q/", ["nowhere", None, None]),
        ("#/other", ["nowhere", None, None]),
    ],
)
def test_addresses(page: Page, hash: str, found: list[str | None]) -> None:
    route = Module(page, "route")("m.parsed(g[0])", hash)
    assert [route["page"], route.get("name"), route.get("tab")] == found


def test_ages_of_queues_that_are_told_of_in_parts(page: Page) -> None:
    def told(queue: str, age: int) -> dict[str, Any]:
        return {"queues": [{"name": queue, "age": age, "items": 1}]}

    events = [
        {"all": True, **told("first", 5000)},
        {"totals": {"time": 1_000_000}, **told("last", 0)},
        {"totals": {"time": 1_002_000}},
        {"all": True, **told("first", 60_000)},  # the connection was lost for a while
        {"totals": {"time": 1_057_000}, **told("last", 55_000)},
    ]
    found = Module(page, "store")(
        "(() => { const store = new m.Store(); return g[0].map((event) => {"
        " store.take(event); return [...store.queues.values()].map((queue) => store.age(queue)); }); })()",
        events,
    )
    assert found[1:] == [[5000, 0], [7000, 2000], [60_000, 2000], [60_000, 55_000]]


def test_what_was_before_a_break_is_not_of_the_last_seconds(page: Page) -> None:
    def told(items: int, rate: float) -> dict[str, Any]:
        queue = {"name": "q", "items": items, "put_rate": rate}
        return {"totals": {"time": 1, "curr_items": items, "put_rate": rate}, "queues": [queue]}

    events = [{"all": True, **told(1, 10)}, told(2, 20), {"all": True, **told(9, 4)}, told(9, 0)]
    found = Module(page, "store")(
        "(() => { const store = new m.Store(); return g[0].map((event) => { store.take(event);"
        " return [store.all, store.queue('q')].map((each) => [[...each.trend], each.in.value]);"
        " }); })()",
        events,
    )
    assert found == [[[[1], 10]] * 2, [[[1, 2], 15]] * 2, [[[9], 4]] * 2, [[[9, 9], 2]] * 2]


def test_a_history_of_which_nothing_is_kept_goes_on(page: Page) -> None:
    kept: dict[str, Any] = {name: [] for name in ("time", "items", "puts", "gets", "age")}
    page.route(
        "**/v1/history*", lambda route: route.fulfill(json=kept | {"step": 1, "detail": "none"})
    )
    found = Module(page, "history")(
        "(async () => { const history = new m.History('q', '10m'); await history.load();"
        " history.add({ time: 7, items: 1 }); await history.load();"
        " history.add({ time: 90, items: 2 }); return history.columns.slice(0, 2); })()"
    )
    page.unroute("**/v1/history*")
    assert found == [[7, 7, 90], [1, None, 2]]


def test_a_notice_of_a_failure_stays(page: Page) -> None:
    found = Module(page, "notices")(
        "(() => { const notices = new m.Notices(); notices.say('failed', 'failed');"
        " for (const each of 'abcdef') notices.say(each); return notices.element.textContent; })()"
    )
    assert found == "failed×c×d×e×f×"


def test_a_rate_is_the_mean_of_a_few_seconds(page: Page) -> None:
    found = Module(page, "rates")(
        "(() => { const rate = new m.Rate(); const all = [rate.value];"
        " for (const each of [undefined, 10, 0, 0, 0, 0, 0]) {"
        " rate.add(each); all.push(rate.value ?? null); }"
        " return all; })()"
    )
    assert found == [None, None, 10, 5, pytest.approx(10 / 3), 2.5, 2, 0]
