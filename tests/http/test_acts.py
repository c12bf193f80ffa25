"""What is done to queues as a whole over HTTP: what it answers, and the line of the log for it."""

import json
import time
from pathlib import Path

import pytest

from darnerpy.http.patience import Patience
from darnerpy.queues.batches import Completion
from darnerpy.sessions.requests import consumers
from darnerpy.sessions.requests.deletes import delete_queue
from darnerpy.sessions.steps import Steps, committed
from tests.conftest import MakeServer
from tests.http.inside import Inside
from tests.http.web import Web
from tests.servers import ServerProcess, Wire


@pytest.fixture
def server(make_server: MakeServer) -> ServerProcess:
    """Each test has its own, and so its own log."""
    return make_server(http="127.0.0.1:0")


def told(server: ServerProcess, act: str, queue: str) -> str:
    """The line of the log; who asked is in it."""
    line = server.wait_for_log(rf"asked to '?{act}'? queue={queue}\b")
    assert "who=127.0.0.1:" in line
    return line


def test_a_pause(server: ServerProcess, web: Web, queue: str) -> None:
    at = f"/v1/queues/{queue}"
    web.post(f"{at}/items", b"x")
    assert web.post(f"{at}/pause?what=gets").json == {"paused": ["gets"]}
    said = web.post(f"{at}/take")
    assert (said.status, f"{queue} is paused" in said.detail) == (503, True)
    assert web.post(f"{at}/items", b"y").status == 201
    assert web.post(f"{at}/pause").json == {"paused": ["puts", "gets"]}
    said = web.post(f"{at}/items", b"z")
    assert (said.status, said.headers["retry-after"]) == (503, "1")
    assert said.detail == f"puts of {queue} are paused"
    assert web.post(f"{at}/resume?what=puts").json == {"paused": ["gets"]}
    assert web.post(f"{at}/resume").json == {"paused": []}
    assert web.post(f"{at}/take").body == b"x"
    told(server, "pause", queue)
    told(server, "resume", queue)
    assert web.post(f"{at}/pause?what=both").status == 400
    assert web.post("/v1/queues/nix/pause").status == 404


def test_each_has_its_line(server: ServerProcess, web: Web, queue: str) -> None:
    """However many there are: of what only clients cause, the log thins lines out."""
    web.post(f"/v1/queues/{queue}/items", b"x")
    for _ in range(40):
        assert web.post(f"/v1/queues/{queue}/pause").status == 200
    assert web.post(f"/v1/queues/{queue}/resume").status == 200
    told(server, "resume", queue)
    assert server.log().count(f"asked to pause queue={queue} ") == 40


def test_purges(server: ServerProcess, web: Web, wire: Wire, queue: str) -> None:
    at = f"/v1/queues/{queue}/items"
    wire.put(queue, *(b"%d" % number for number in range(10)))
    assert web.ask("DELETE", f"{at}?first=3").json == {"purged": 3}
    time.sleep(1.6)
    wire.put(queue, b"new")
    assert web.ask("DELETE", f"{at}?older_than=1500ms&first=2").json == {"purged": 2}
    assert web.ask("DELETE", f"{at}?older_than=1500ms").json == {"purged": 5}
    assert wire.get(f"{queue}/peek") == b"new"
    assert web.ask("DELETE", f"{at}?all=true").json == {"purged": 1}
    assert "first=3" in told(server, "purge", queue)
    for wrong in ("", "?all=false", "?all=true&first=1", "?first=0", "?older_than=1"):
        assert web.ask("DELETE", at + wrong).status == 400, wrong
    said = web.ask("DELETE", at)
    assert said.detail == "purge: expected first or older_than, or both, or else all"
    assert web.ask("DELETE", "/v1/queues/nix/items?all=true").status == 404


def test_moves(server: ServerProcess, web: Web, wire: Wire, queue: str) -> None:
    at = f"/v1/queues/{queue}"
    wire.put(queue, b"1", b"2", b"3")
    moved = web.post(f"{at}/move?to={queue}-2&n=2")
    assert moved.json == {"moved": 2, "left": 1, "unknown": 0}
    assert web.post(f"/v1/queues/{queue}-2/redrive?n=1").json["moved"] == 1
    assert f"to={queue}-2" in told(server, "move", queue)
    told(server, "redrive", f"{queue}-2")
    said = web.post(f"{at}/move?to={queue}")
    assert (said.status, "another queue" in said.detail) == (400, True)
    said = web.post(f"{at}/move?to=")
    assert (said.status, said.detail) == (400, "to: queue name is empty")
    said = web.post(f"{at}/move")
    assert (said.status, said.detail) == (400, "the parameter to is missing")
    assert web.post(f"/v1/queues/nix/move?to={queue}").status == 404


def test_consumers(server: ServerProcess, web: Web, wire: Wire, queue: str) -> None:
    at = f"/v1/queues/{queue}/consumers"
    wire.put(queue, b"1", b"2")
    made = web.ask("PUT", f"{at}/a%2520", '{"start": "head"}')
    assert (made.status, made.json["name"], made.json["items"]) == (201, "a%2520", 2)
    assert web.ask("PUT", f"{at}/a%2520").status == 200
    assert web.ask("PUT", f"{at}/a%2520", '{"start": "head"}').status == 200
    said = web.ask("PUT", f"{at}/a%2520", '{"start": "tail"}')
    assert (said.status, "made with start head" in said.detail) == (409, True)
    assert web.post(f"/v1/queues/{queue}/take?consumer=a%2520").body == b"1"
    copied = web.ask("PUT", f"{at}/b", '{"copy_from": "a%2520"}')
    assert (copied.status, copied.json["items"]) == (201, 1)
    assert [each["name"] for each in web.get(at).json["consumers"]] == ["a%2520", "b"]
    assert web.get(f"{at}/b").json["items"] == 1
    assert web.ask("DELETE", f"{at}/b").status == 204
    assert web.get(f"{at}/b").status == 404
    assert web.ask("DELETE", f"{at}/b").status == 404
    told(server, "make", queue)
    told(server, "drop", queue)
    for body in ('{"strat": "head"}', '{"start": "middle"}', "[]", "{", '{"copy_from": "c"}'):
        assert web.ask("PUT", f"{at}/d", body).status == 400, body
    for body, detail in (
        ("[]", "the body: expected a JSON object"),
        ("{", "the body: expected a whole JSON object"),
        ('{"start": 5}', "the body: start: expected tail or head, not 5"),
        ('{"strat": 5}', "the body: the field strat is unknown; known are start, copy_from"),
    ):
        assert web.ask("PUT", f"{at}/d", body).detail == detail
    assert web.ask("PUT", f"{at}/a%2fb").status == 400
    assert web.ask("PUT", f"{at}/d", " " * (2 << 20)).status == 413


def test_a_queue_is_deleted(server: ServerProcess, web: Web, wire: Wire, queue: str) -> None:
    at = f"/v1/queues/{queue}"
    wire.put(queue, b"1", b"2")
    lease = web.post(f"{at}/leases").headers["location"]
    assert web.ask("DELETE", at).status == 204
    assert web.get(at).status == 404
    assert web.ask("DELETE", at).status == 404
    assert web.ask("DELETE", lease).status == 410
    told(server, "delete", queue)


def test_a_consumer_that_is_dropped_at_once_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Inside(tmp_path / "data", "asyncio", Patience()) as inside, Web(inside.address) as web:

        def deleted_then(commit: Completion | None) -> Steps[None]:
            yield from committed(commit)
            yield from delete_queue(inside.server.host, "somebody else", b"q")

        monkeypatch.setattr(consumers, "committed", deleted_then)
        for body in ('{"start": "head"}', None):
            web.post("/v1/queues/q/items", b"x")
            said = web.ask("PUT", "/v1/queues/q/consumers/c", body)
            assert (said.status, said.json["name"]) == (201, "c")
            assert said.json["items"] == (body is not None)
            assert web.get("/v1/queues/q").status == 404


def test_settings_until_the_next_reload(server: ServerProcess, web: Web, queue: str) -> None:
    at = f"/v1/queues/{queue}"
    web.post(f"{at}/items", b"x")
    said = web.ask("PATCH", f"{at}/settings", '{"max_items": 1, "sync": "50ms"}')
    assert said.json["until"] == "the next reload or restart"
    assert said.json["settings"]["max_items"]["value"] == "1"
    assert web.get(at).json["settings"] == said.json["settings"]
    assert web.post(f"{at}/items", b"x").status == 429
    for body, what in (
        ('{"max_itms": 1}', "max_itms"),
        ('{"max_items": -1}', "max_items"),
        ('{"consumers": [1]}', "consumers"),
        ('{"max_items": 1e400}', "max_items: expected numbers that are in range, not 1e400"),
        ('{"max_items": {"a": 1}}', "max_items"),
        ("[]", "the body: expected a JSON object"),
        ("", "the body: expected a whole JSON object"),
        ('{"a":' + "[" * 500_000, "the body: it is nested too deeply"),
        ('{"max_items": ' + "[" * 5000 + "]" * 5000 + "}", "the body"),
    ):
        said = web.ask("PATCH", f"{at}/settings", body)
        assert (said.status, what in said.detail) == (400, True), said
    assert web.ask("PATCH", "/v1/queues/nix/settings", "{}").status == 404
    assert web.ask("PATCH", f"{at}/settings", '{"max_items": null}').status == 200
    assert web.ask("PATCH", f"{at}/settings", '{"consumers": ["audit"]}').status == 200
    assert web.post(f"{at}/items", b"x").status == 201
    told(server, "change settings", queue)


def test_the_size_of_dqid(make_server: MakeServer) -> None:
    toml = "[queues.default]\nmax_items = 100\n"
    server = make_server(http="127.0.0.1:0", toml=toml, size=2)
    with Web(server) as web, server.connect() as wire:
        assert [web.post("/push", b"x").status for _ in range(3)] == [201, 201, 429]
        said = web.post("/push", b"x")
        assert (said.headers["retry-after"], "default is full: 2 items" in said.detail) == (
            "1",
            True,
        )
        assert wire.ask(b"set default 0 0 1\r\nx\r\n").startswith(b"NOT_STORED")
        assert web.get("/v1/queues/default").json["settings"]["max_items"] == {
            "value": "2",
            "from": "--size",
        }
        server.process.send_signal(1)
        server.wait_for_log("settings reloaded")
        assert web.post("/push", b"x").status == 429
        web.get("/get")
        lines = "\n".join(json.dumps({"text": "x"}) for _ in range(2))
        said = web.post("/v1/queues/default/items", lines, content_type="application/jsonl")
        assert said.status == 429
        assert web.get("/stats").json["queueSize"] == 1  # all or none
        three = "\n".join([lines, '{"text":"x"}'])
        said = web.post("/v1/queues/default/items", three, content_type="application/jsonl")
        assert (said.status, "max_items = 2" in said.detail) == (413, True)


@pytest.mark.parametrize(
    ("command", "refused", "allowed"),
    [
        (b"status readonly", ["items", "pause", "move?to=b"], ["take", "leases"]),
        (b"status quiescent", ["items", "take", "leases", "resume"], []),
    ],
)
def test_the_status_holds_here_too(
    make_server: MakeServer, command: bytes, refused: list[str], allowed: list[str]
) -> None:
    server = make_server(http="127.0.0.1:0")
    with Web(server) as web, server.connect() as wire:
        wire.put("a", b"1", b"2", b"3")
        lease = web.post("/v1/queues/a/leases").headers["location"]
        wire.ask(command + b"\r\n")
        for path in refused:
            said = web.post(f"/v1/queues/a/{path}", b"x" if path == "items" else b"")
            assert (said.status, said.headers["retry-after"]) == (503, "1"), path
            assert "the server is" in said.detail
        for path in allowed:
            assert web.post(f"/v1/queues/a/{path}").status in (200, 201), path
        assert web.ask("DELETE", lease).status == 204  # confirming is always allowed


def test_an_alias(make_server: MakeServer) -> None:
    toml = '[aliases]\nboth = ["a", "b+c"]\n'
    server = make_server(http="127.0.0.1:0", toml=toml)
    with Web(server) as web:
        for data in (b"small", bytes(600_000)):
            assert web.post("/v1/queues/both/items", data).status == 201
        lines = [{"text": "1"}, {"text": "2"}]
        body = "\n".join(map(json.dumps, lines))
        assert web.post("/v1/queues/both/items", body, content_type="application/jsonl").json == {
            "ids": [3, 4]
        }

        def take(path: str) -> bytes:
            return web.post(f"/v1/queues/{path}").body

        expected = [b"small", bytes(600_000), b"1", b"2"]
        assert [take("a/take") for _ in expected] == expected
        assert [take("b/take?consumer=c") for _ in expected] == expected
        assert web.post("/v1/queues/both/take").status == 400
