"""`/v1/events` and `/v1/history` of a running server, as a page uses them."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.records import block_key
from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import TIMEOUT, ServerProcess, Wire, wait_until

SERVERS = {name: {"loop": name, "http": "127.0.0.1:0"} for name in ("uvloop", "asyncio", "pump")}


class Stream:
    """One client of events."""

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response
        self.lines: list[str] = []

    def next(self) -> tuple[str, Any]:
        """The next event and its data; comments and the like are passed over."""
        event, data = "message", ""
        while True:
            line = self.response.readline().decode()
            assert line, "the stream has ended"
            self.lines.append(line)
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data += value
            elif not line.strip() and data:
                return event, json.loads(data)

    def until(self, queue: str, **wanted: Any) -> Any:
        """The next that is told of a queue and has these values."""
        while True:
            _, told = self.next()
            for each in told.get("queues", ()):
                if each["name"] == queue and wanted.items() <= each.items():
                    return each


@contextmanager
def following(server: ServerProcess, path: str = "/v1/events") -> Iterator[Stream]:
    connection = HTTPConnection(server.http_address, timeout=TIMEOUT)
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["cache-control"] == "no-store"
    with closing(connection), closing(response):
        yield Stream(response)


def test_first_everything_is_told_then_what_changes(server: ServerProcess, wire: Wire) -> None:
    wire.put("told", b"xx", b"yy")
    wire.put("still", b"x")
    with following(server) as stream:
        _, told = stream.next()
        assert told["all"] is True
        assert told["totals"]["version"]
        found = _of(told, "told") or stream.until("told", items=2)
        still = _of(told, "still") or stream.until("still", items=1)
        assert (found["bytes"], found["waiters"]) == (4, 0)
        assert wire.get("told") == b"xx"
        assert wire.get("told/open") == b"yy"
        while True:
            _, told = stream.next()
            again = _of(told, "still")
            assert again != still, "nothing has happened to it"
            still = again or still  # that nothing more comes to it is a change, too
            found = _of(told, "told")
            if found and found["open_transactions"] == 1:
                break
        assert found["items"] == 0
        assert "all" not in told


def _of(told: Any, queue: str) -> Any:
    return next((each for each in told["queues"] if each["name"] == queue), None)


def test_damage_is_told_as_soon_as_it_is_met(make_server: MakeServer) -> None:
    server = make_server(sync="never", http="127.0.0.1:0")
    with server.connect() as wire:
        assert wire.get("hurt+audit") is None
        for _ in range(8):  # a record each
            wire.put("hurt", b"x")
    server.stop()
    with plyvel.DB(os.fspath(server.data / "queues/hurt/leveldb")) as database:
        database.delete(block_key(4))
    server.restart()
    with server.connect() as wire, following(server) as stream:
        assert [wire.get("hurt") for _ in range(4)] == [b"x"] * 3 + [None]
        stream.until("hurt", damaged_items=1, kept=4)
        while True:
            _, told = stream.next()
            if told["totals"]["damaged_items"]:
                break
        assert (told["totals"]["damaged_items"], told["totals"]["kept"]) == (1, 4)
    with following(server) as stream:
        assert "damaged_items" not in stream.until("hurt", consumer="audit")
    server.kill()  # damage is an error in the log


def test_what_events_call_otherwise_than_stats_is_explained(
    server: ServerProcess, wire: Wire
) -> None:
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    explained = re.findall(r"`(\w+)`", page.partition("\n## Events\n")[2].partition("\n## ")[0])
    wire.put("called", b"x")
    with following(server) as stream:
        _, told = stream.next()
        found = _of(told, "called") or stream.until("called")
    assert found.keys() <= {*wire.stats("called"), *explained, "name"}
    assert told["totals"].keys() <= {*wire.stats(), *wire.stats("called"), *explained}


def test_rates_come_and_go(server: ServerProcess, wire: Wire) -> None:
    with following(server, "/v1/events?queue=rat*") as stream:
        stream.next()
        stream.next()
        wire.put("rates", *[b"x"] * 20)
        busy = stream.until("rates", total_items=20)
        assert busy["put_rate"] > 5
        calm = stream.until("rates", put_rate=0.0)
        assert calm["total_items"] == 20


def test_queues_and_consumers_that_go_are_told(server: ServerProcess, wire: Wire) -> None:
    wire.put("gone+c", b"x")
    with following(server) as stream:
        stream.until("gone", consumer="c")
        assert wire.ask(b"delete gone+c\r\n") == b"DELETED\r\n"
        gone: list[str] = []
        while "gone+c" not in gone:
            gone += stream.next()[1].get("gone", ())
        assert wire.ask(b"delete gone\r\n") == b"DELETED\r\n"
        while "gone" not in gone:
            gone += stream.next()[1].get("gone", ())


def test_totals_have_what_a_page_shows(server: ServerProcess, wire: Wire) -> None:
    with following(server) as stream:
        _, told = stream.next()
        totals = told["totals"]
        for name in (
            *("curr_items", "bytes", "open_transactions", "waiters", "age", "put_rate", "get_rate"),
            *("disk_bytes", "disk_free", "memory", "commit_p99", "curr_connections", "status"),
            *("version", "uptime", "loading", "failed_queues", "ready"),
        ):
            assert name in totals
        assert totals["memory"] > 10_000_000
        assert totals["status"] == "up"
        assert totals["read_only"] is False


def test_streams_end_when_the_server_stops(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0")
    with following(server) as stream:
        stream.next()
        server.stop()
        while stream.response.readline():
            pass


def test_a_history_over_http(server: ServerProcess, web: Web, wire: Wire) -> None:
    wire.put("past+c", b"x")
    wire.put("past", b"x", b"y")

    def told(path: str) -> Any:
        return web.get(f"/v1/history{path}").json

    wait_until(lambda: 3 in told("?queue=past&range=1m")["items"][-2:] or _ends(told, "past", 2))
    said = told("?queue=past")
    assert (said["step"], said["detail"], said["coarse"]) == (1, "fine", False)
    assert len(said["time"]) == len(said["items"]) == len(said["puts"]) == 600
    assert said["time"][0] == said["from"]
    assert all(
        later - time == 1 for time, later in zip(said["time"], said["time"][1:], strict=False)
    )
    assert told("?queue=past&consumer=c&range=1m")["items"][-1] is not None
    assert told("?range=24h")["step"] == 60
    assert len(told("")["items"]) == 600
    depths = told("?queues=past,nix&range=1m")
    assert list(depths["queues"]) == ["past"]
    assert len(depths["queues"]["past"]) == 60
    assert depths["queues"]["past"][-1] == 2


def _ends(told: Any, queue: str, items: int) -> bool:
    return bool(told(f"?queue={queue}&range=1m")["items"][-1:] == [items])


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("?queue=nix", 404, "there is no queue nix"),
        ("?consumer=c", 400, "consumer: there is no queue beside it"),
        ("?range=5m", 400, "range: expected 1m or 10m or 24h"),
        ("?queues=a", 400, "queues: expected range=1m beside it"),
        ("?queues=a%2Cb%252Fc&range=1m", 400, "0x2f"),
        ("?queues=" + ",".join(["a"] * 201) + "&range=1m", 400, "at most 200 queues"),
    ],
)
def test_what_cannot_be_asked_of_history(web: Web, path: str, status: int, detail: str) -> None:
    said = web.get(f"/v1/history{path}")
    assert (said.status, detail in said.detail) == (status, True), said.detail


def test_an_unknown_consumer_has_no_history(web: Web, wire: Wire) -> None:
    wire.put("alone", b"x")
    said = web.get("/v1/history?queue=alone&consumer=nix")
    assert (said.status, said.detail) == (404, "there is no consumer alone+nix")
