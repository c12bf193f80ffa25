"""Items over HTTP, on every loop: put, taken, looked at, raw and in lines of JSON."""

import json
import os
import re
import threading
import time
from base64 import b64decode, b64encode

import pytest

from tests.http.web import Said, Web
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {name: {"loop": name, "http": "127.0.0.1:0"} for name in ("uvloop", "asyncio", "pump")}

LINES = {"content_type": "application/jsonl"}


def lines_of(said: Said) -> list[dict[str, object]]:
    assert said.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in said.body.splitlines()]


def take_lines(web: Web, queue: str, n: int) -> list[bytes]:
    said = web.post(f"/v1/queues/{queue}/take?n={n}", accept="application/jsonl")
    return [b64decode(str(line["data"])) for line in lines_of(said)]


def test_one_item(web: Web, queue: str) -> None:
    put = web.post(f"/v1/queues/{queue}/items", b"\0\xff", Darnerpy_Flags="4294967295")
    assert (put.status, put.json) == (201, {"ids": [1]})
    said = web.post(f"/v1/queues/{queue}/take")
    assert (said.status, said.body) == (200, b"\0\xff")
    assert said.headers["darnerpy-id"] == "1"
    assert said.headers["darnerpy-flags"] == "4294967295"
    assert said.headers["darnerpy-attempts"] == "0"
    assert float(said.headers["darnerpy-age"]) >= 0
    assert web.post(f"/v1/queues/{queue}/take").status == 204


def test_an_item_of_no_bytes(web: Web, queue: str) -> None:
    assert web.post(f"/v1/queues/{queue}/items").json == {"ids": [1]}
    said = web.post(f"/v1/queues/{queue}/take")
    assert (said.status, said.body, said.headers["content-length"]) == (200, b"", "0")


def test_the_memcache_port_has_the_same_items(web: Web, wire: Wire, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"x", Darnerpy_Flags="5")
    assert (
        wire.ask(b"get %b\r\n" % queue.encode()) == b"VALUE %b 5 1\r\nx\r\nEND\r\n" % queue.encode()
    )
    wire.put(queue, b"y")
    assert web.post(f"/v1/queues/{queue}/take").body == b"y"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [100_000, 262_144, 262_145, 8 << 20])
def test_items_of_every_size(web: Web, queue: str, size: int, chunked: bool) -> None:
    data = os.urandom(size)
    pieces = (data[at : at + 100_000] for at in range(0, size, 100_000))
    put = web.post(f"/v1/queues/{queue}/items", pieces if chunked else data)
    assert put.json == {"ids": [1]}
    said = web.get(f"/v1/queues/{queue}/items/peek", accept="application/jsonl")
    (line,) = lines_of(said)
    assert (line["size"], b64decode(str(line["data"]))) == (size, data)
    short = web.get(f"/v1/queues/{queue}/items/peek?bytes=10")
    assert short.body == data[:10]
    taken = web.post(f"/v1/queues/{queue}/take")
    assert taken.body == data
    assert int(taken.headers["content-length"]) == size


def test_many_at_once(web: Web, queue: str) -> None:
    large = os.urandom(300_000)
    body = [
        {"text": "ü"},
        {"data": b64encode(large).decode(), "flags": 7},
        {"data": "", "ttl": "1h"},
    ]
    text = "\n".join(map(json.dumps, body)) + "\r\n\n"
    put = web.post(f"/v1/queues/{queue}/items", text, **LINES)
    assert (put.status, put.json) == (201, {"ids": [1, 2, 3]})
    said = web.post(f"/v1/queues/{queue}/take?n=10", accept="text/plain, application/jsonl;q=0.5")
    found = [(line["id"], line["flags"], b64decode(str(line["data"]))) for line in lines_of(said)]
    assert found == [(1, 0, "ü".encode()), (2, 7, large), (3, 0, b"")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            '{"text": "a"}\n{"txt": "b"}',
            "line 2: the field txt is unknown; known are data, text, flags, ttl, delay, ",
        ),
        ('{"text": "a", "data": ""}', "line 1: expected either data, in base64, or text"),
        ("{}", "line 1: expected either"),
        ('{"data": "?"}', 'line 1: data: expected text in base64, not "\\?"$'),
        ('{"text": 1}', "line 1: text: expected text, not 1$"),
        ('{"text": "a", "ttl": 5}', "line 1: ttl: expected a duration with its unit.*, not 5$"),
        ('{"text": "a", "flags": "x"}', 'line 1: flags: expected a whole number .*, not "x"$'),
        ('{"text": "a", "flags": 1e99999}', "line 1: flags: expected .*, not 1e99999$"),
        ('{"text" "a"}', "line 1: expected a whole JSON object, and byte 8 is wrong$"),
        ('{"text": "\\ud800"}', "line 1: expected a whole JSON object$"),
        ("[" * 100_000, "line 1: expected a JSON object$"),
        ('{"a":' * 100_000, "line 1: it is nested too deeply$"),
        ('{"text": "a", "ttl": "5"}', "line 1: ttl: expected a duration with its unit.*'5'"),
        ('{"text": "a", "flags": 4294967296}', "line 1: .*flags"),
        ('{"text": "a"', "line 1: expected a whole JSON object$"),
        ("[]", "line 1: expected a JSON object$"),
    ],
)
def test_of_bad_lines_none_is_put(web: Web, queue: str, body: str, told: str) -> None:
    said = web.post(f"/v1/queues/{queue}/items", '{"text": "first"}\n'.join(["", body]), **LINES)
    at = re.sub("line ([0-9])", lambda match: f"line {int(match[1]) + 1}", told)
    assert said.status == 400
    assert re.search(at, said.detail), said.detail
    assert web.get(f"/v1/queues/{queue}").status == 404


def test_lines_are_utf_8(web: Web, queue: str) -> None:
    said = web.post(f"/v1/queues/{queue}/items", b'{"text":"a"}\n{"text":"\xff"}', **LINES)
    assert (said.status, said.detail) == (400, "line 2: expected UTF-8, and byte 9 is none")


def test_what_was_given_can_be_put_as_it_is(web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"\xff" * 100, darnerpy_flags="7")
    path = f"/v1/queues/{queue}/items"
    line = web.get(f"{path}/peek", accept="application/jsonl").body
    assert web.post(path, line, content_type="application/jsonl").json == {"ids": [2]}
    other = json.loads(web.get(f"{path}/peek?offset=1", accept="application/jsonl").body)
    first = json.loads(line)
    assert (other["data"], other["flags"]) == (first["data"], 7)
    cut = web.get(f"{path}/peek?bytes=10", accept="application/jsonl").body
    said = web.post(path, cut, content_type="application/jsonl")
    assert said.status == 400
    assert said.detail == "line 1: it has 10 of the 100 bytes of an item"


def test_what_expires_has_what_is_left_of_its_time(web: Web, queue: str) -> None:
    path = f"/v1/queues/{queue}/items"
    web.post(path, b"x", darnerpy_ttl="500d")
    line = web.get(f"{path}/peek", accept="application/jsonl").body
    assert json.loads(line)["ttl"] == "43200000s"
    assert "darnerpy-ttl" not in web.post(f"{path[:-6]}-other/items", b"x").headers
    web.post(path, b"y", darnerpy_ttl="50s")
    web.post(path, b"z")
    time.sleep(0.1)
    lines = web.get(f"{path}/peek?offset=1&n=2", accept="application/jsonl").body
    first, second = map(json.loads, lines.splitlines())
    assert 1 <= int(first["ttl"].removesuffix("ms")) <= 49_900
    assert "ttl" not in second
    assert web.ask("DELETE", f"{path}?all=true").status == 200
    assert web.post(path, line + lines, content_type="application/jsonl").status == 201
    said = web.post(f"/v1/queues/{queue}/take")
    assert (said.body, said.headers["darnerpy-ttl"]) == (b"x", "43200000s")
    said = web.post(f"/v1/queues/{queue}/take")
    assert 1 <= int(said.headers["darnerpy-ttl"].removesuffix("ms")) <= 49_900
    assert "darnerpy-ttl" not in web.post(f"/v1/queues/{queue}/take").headers


@pytest.mark.parametrize("exptime", [4_102_444_800, 2**40, 2**62])
def test_however_long_an_item_lasts_its_line_can_be_put(
    web: Web, wire: Wire, queue: str, exptime: int
) -> None:
    path = f"/v1/queues/{queue}"
    assert wire.ask(b"set %b 0 %d 1\r\nx\r\n" % (queue.encode(), exptime)) == b"STORED\r\n"
    line = web.post(f"{path}/take", accept="application/jsonl").body
    ttl = json.loads(line)["ttl"]
    assert web.post(f"{path}/items", line, **LINES).status == 201
    assert web.post(f"{path}/items", b"y", darnerpy_ttl=ttl).status == 201
    for _ in range(2):
        assert web.post(f"{path}/take").headers["darnerpy-ttl"] == ttl


def test_too_many_lines(web: Web, queue: str) -> None:
    line = '{"text":""}\n'
    said = web.post(f"/v1/queues/{queue}/items", line * 10_001, **LINES)
    assert (said.status, said.detail) == (413, "more than 10000 lines")
    said = web.post(f"/v1/queues/{queue}/items", " " * (4 << 20) + "\n", **LINES)
    assert (said.status, said.detail) == (413, "the body is larger than 4194304 bytes")
    assert web.post(f"/v1/queues/{queue}/items", line * 10_000, **LINES).status == 201
    assert len(take_lines(web, queue, 1000)) == 1000
    assert web.post(f"/v1/queues/{queue}/items", "\n\n", **LINES).json == {"ids": []}


def test_several_need_lines(web: Web, queue: str) -> None:
    said = web.post(f"/v1/queues/{queue}/take?n=2")
    assert (said.status, said.detail) == (
        406,
        "several items are answered in lines: n=2 needs Accept: application/jsonl",
    )
    for refused in ("application/jsonl;q=0", "*/*"):
        assert web.post(f"/v1/queues/{queue}/take?n=2", accept=refused).status == 406


def test_ttl_and_delay(web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"much later", Darnerpy_Delay="1h")
    web.post(f"/v1/queues/{queue}/items", b"short", Darnerpy_TTL="1ms")
    web.post(f"/v1/queues/{queue}/items", b"now", Darnerpy_TTL="1h")
    assert web.get(f"/v1/queues/{queue}").json["delayed"] == 1
    time.sleep(0.01)
    assert web.post(f"/v1/queues/{queue}/take").body == b"now"
    assert web.post(f"/v1/queues/{queue}/take").status == 204
    web.post(f"/v1/queues/{queue}-soon/items", b"late", Darnerpy_Delay="300ms")
    said = web.post(f"/v1/queues/{queue}-soon/take?wait=10s")
    assert (said.body, float(said.headers["darnerpy-age"]) >= 0.25) == (b"late", True)


@pytest.mark.parametrize(
    "path", ["/v1/queues/a%zz/items", "/v1/queue/items?queue=a%z", "/v1/queues/q/items?%=1"]
)
def test_a_name_that_is_not_percent_encoded_makes_no_queue(web: Web, path: str) -> None:
    said = web.post(path, b"x")
    assert (said.status, "two hexadecimal digits behind the %" in said.detail) == (400, True)


def test_any_run_of_those_that_wait(web: Web, wire: Wire, queue: str) -> None:
    wire.put(queue, *(b"%d" % number for number in range(2000)))
    assert wire.get(queue) == b"0"
    path = f"/v1/queues/{queue}/items/peek"
    said = web.get(f"{path}?offset=1500&n=3", accept="application/jsonl")
    assert [b64decode(str(line["data"])) for line in lines_of(said)] == [b"1501", b"1502", b"1503"]
    assert len(lines_of(web.get(f"{path}?n=1000", accept="application/jsonl"))) == 1000
    last = web.get(f"{path}?last=3", accept="application/jsonl")
    assert [b64decode(str(line["data"])) for line in lines_of(last)] == [b"1997", b"1998", b"1999"]
    assert web.get(f"{path}?last=3").status == 406
    assert web.get(path).body == b"1"
    assert web.get(f"{path}?offset=1999").status == 204
    head = web.ask("HEAD", path)
    assert (head.status, head.body, head.headers["darnerpy-id"]) == (200, b"", "2")
    assert web.get(f"/v1/queues/{queue}").json["items"] == 1999


def test_a_consumer_has_items_of_its_own(web: Web, wire: Wire, queue: str) -> None:
    wire.ask(b"get %b+a%%\r\n" % queue.encode())
    web.post(f"/v1/queues/{queue}/items", b"x")
    for _ in range(2):
        assert web.get(f"/v1/queues/{queue}/items/peek?consumer=a%25").body == b"x"
    assert web.post(f"/v1/queues/{queue}/take?consumer=a%25").body == b"x"
    assert web.post(f"/v1/queues/{queue}/take?consumer=a%25").status == 204
    assert web.post(f"/v1/queues/{queue}/take").body == b"x"
    said = web.post(f"/v1/queues/{queue}/take?consumer=b")
    assert (said.status, "no consumer b" in said.detail) == (404, True)


def test_what_is_put_ends_a_wait(server: ServerProcess, web: Web, wire: Wire, queue: str) -> None:
    found: list[bytes] = []

    def wait() -> None:
        with Web(server) as other:
            found.append(other.post(f"/v1/queues/{queue}/take?wait=20s").body)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: wire.stats(queue).get("waiters", "1") == "1" and len(found) == 0)
    web.post(f"/v1/queues/{queue}/items", b"x")
    waiting.join()
    assert found == [b"x"]


def test_a_queue_that_is_deleted_ends_waits(
    server: ServerProcess, web: Web, wire: Wire, queue: str
) -> None:
    found: list[int] = []

    def wait() -> None:
        with Web(server) as other:
            found.append(other.post(f"/v1/queues/{queue}/take?wait=20s").status)

    web.post(f"/v1/queues/{queue}/items", b"x")
    web.post(f"/v1/queues/{queue}/take")
    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: wire.stats(queue)["waiters"] == "1")
    assert web.ask("DELETE", f"/v1/queues/{queue}").status == 204
    waiting.join()
    assert found == [204]


def test_a_wait_in_vain(web: Web, queue: str) -> None:
    assert web.post(f"/v1/queues/{queue}/take").status == 404
    assert web.post(f"/v1/queues/{queue}/take?wait=50ms").status == 204
    assert web.get(f"/v1/queues/{queue}").status == 404  # nothing is left of it


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"Darnerpy-Flags": "4294967296"}, "Darnerpy-Flags: expected a whole number from 0 to"),
        ({"Darnerpy-TTL": "30"}, "Darnerpy-TTL: expected a duration with its unit"),
        ({"Darnerpy-Dealy": "30s"}, "the header darnerpy-dealy means nothing here"),
    ],
)
def test_headers_that_cannot_be(web: Web, queue: str, headers: dict[str, str], detail: str) -> None:
    said = web.ask("POST", f"/v1/queues/{queue}/items", b"x", headers)
    assert (said.status, detail in said.detail) == (400, True), said


@pytest.mark.parametrize(
    ("name", "header"),
    [("ttl", "Darnerpy-TTL"), ("flags", "Darnerpy-Flags"), ("DELAY", "Darnerpy-Delay")],
)
def test_what_is_said_of_an_item_is_in_headers(
    web: Web, queue: str, name: str, header: str
) -> None:
    said = web.post(f"/v1/queues/{queue}/items?{name}=5", b"x")
    told = f"the parameter {name} is unknown here: it is the header {header}"
    assert (said.status, said.detail) == (400, told)


def test_dqid(web: Web, queue: str) -> None:
    at = f"?queue={queue}"
    assert web.get(f"/get{at}").status == 204
    assert web.get(f"/stats{at}").json["queueSize"] == 0
    assert web.post(f"/push{at}", b"x").status == 201
    assert web.get(f"/stats{at}").json["queueSize"] == 1
    assert web.ask("HEAD", f"/get{at}").status == 405
    said = web.get(f"/get{at}")
    assert (said.status, said.body) == (200, b"x")
    assert web.get("/get").status == 204  # of the queue default


def test_a_lease(web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"x")
    given = web.post(f"/v1/queues/{queue}/leases?ttl=1m")
    assert (given.status, given.body, given.headers["darnerpy-attempts"]) == (201, b"x", "0")
    where = given.headers["location"]
    assert where == f"/v1/leases/{given.headers['darnerpy-lease']}"
    assert web.post(f"/v1/queues/{queue}/leases").status == 204
    assert web.post(f"{where}/extend?ttl=2m").json["until"] > time.time() + 60
    assert web.post(f"{where}/abort").status == 204
    assert web.ask("DELETE", where).status == 410
    again = web.post(f"/v1/queues/{queue}/leases?wait=1s")
    assert (again.body, again.headers["darnerpy-attempts"]) == (b"x", "1")
    assert web.ask("DELETE", again.headers["location"]).status == 204
    assert web.ask("DELETE", again.headers["location"]).status == 410
    assert web.ask("DELETE", "/v1/leases/never").status == 404
    assert web.post(f"/v1/queues/{queue}/leases").status == 204


def test_a_lease_tells_its_deadline(web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"x", darnerpy_flags="7")
    before = time.time()
    given = web.post(f"/v1/queues/{queue}/leases?ttl=1m")
    until = float(given.headers["darnerpy-until"])
    assert before + 59 < until < time.time() + 61
    web.post(f"{given.headers['location']}/abort")
    given = web.post(f"/v1/queues/{queue}/leases?ttl=10m", accept="application/jsonl")
    assert given.status == 201
    (line,) = lines_of(given)
    assert given.headers["location"] == f"/v1/leases/{line['lease']}"
    assert before + 599 < float(str(line.pop("until"))) < time.time() + 601
    assert (line["id"], line["flags"], line["attempts"], line["data"]) == (1, 7, 1, "eA==")
    put = web.post(f"/v1/queues/{queue}/items", given.body, **LINES)
    assert put.json == {"ids": [2]}


def test_a_large_item_is_leased_in_a_line(web: Web, queue: str) -> None:
    data = os.urandom(700_000)
    web.post(f"/v1/queues/{queue}/items", data)
    (line,) = lines_of(web.post(f"/v1/queues/{queue}/leases", accept="application/jsonl"))
    assert b64decode(str(line["data"])) == data


def test_a_lease_that_lapses(web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"x")
    given = web.post(f"/v1/queues/{queue}/leases?ttl=100ms")
    assert web.post(f"/v1/queues/{queue}/take?wait=20s").body == b"x"
    late = web.ask("DELETE", given.headers["location"])
    assert (late.status, "over" in late.detail) == (410, True)
