"""The front itself, on every loop: where it listens, what it says of what cannot be."""

import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import PYTHON, ServerProcess, Wire

SERVERS = {name: {"loop": name, "http": "127.0.0.1:0"} for name in ("uvloop", "asyncio", "pump")}


def test_queues_are_listed_by_name(server: ServerProcess, web: Web, wire: Wire) -> None:
    for name in ("b", "a", "c+audit"):
        wire.put(name, b"x")
    said = web.get("/v1/queues").json
    assert [each["name"] for each in said["queues"]] == ["a", "b", "c"]
    assert said["next"] is None
    first = web.get("/v1/queues?limit=1").json
    assert [each["name"] for each in first["queues"]] == ["a"]
    assert first["queues"][0]["items"] == 1
    rest = web.get(f"/v1/queues?after={first['next']}&glob=[bx]").json
    assert [each["name"] for each in rest["queues"]] == ["b"]


def test_a_queue_by_any_name(server: ServerProcess, web: Web, wire: Wire) -> None:
    for name in (b"..", b"\xff%", "ü".encode()):
        wire.ask(b"set %b 0 0 1\r\nx\r\n" % name)
        encoded = "".join(f"%{byte:02x}" for byte in name)
        said = web.get(f"/v1/queues/{encoded}")
        assert said.status == 200
        assert web.get(f"/v1/queues/{said.json['name']}").json["name"] == said.json["name"]
        assert web.get(f"/v1/queue?queue={encoded}").json["items"] == 1
    assert web.get("/v1/queues/%2E%2E").json["text"] == ".."
    assert web.get("/v1/queues/%FF%25").json["text"] == "\\xff%"


def test_a_consumer_by_any_name(web: Web, queue: str) -> None:
    for name in ("..", "%2E", "%FF"):
        at = f"/v1/queue/consumer?queue={queue}&consumer={name}"
        assert web.ask("PUT", at).status == 201
        said = web.get(at).json
        assert web.get(f"/v1/queues/{queue}/consumers/{said['name']}").json == said
        assert web.ask("DELETE", at).status == 204
        assert web.get(at).status == 404
    assert "consumer is missing" in web.get(f"/v1/queue/consumer?queue={queue}").detail


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/v1/queues/nix", 404, "there is no queue nix"),
        ("/v1/queues/a%2Fb", 400, "may not contain byte 0x2f"),
        ("/v1/queues/a+b", 400, r"\?consumer="),
        ("/v1/queues/", 400, "empty"),
        ("/v1/queues/a/", 404, "nothing at /v1/queues/a/"),
        ("/v1/queues?limit=0", 400, "limit: expected a whole number from 1 to 1000, not '0'"),
        ("/v1/queues?limt=1", 400, "limt is unknown here; known are glob, limit, after"),
        ("/v1/server?x=1", 400, "^the parameter x is unknown here: there are no parameters$"),
        ("/v1/queues?after=", 400, "^after: queue name is empty$"),
        ("/v1/queues/a/items/peek?consumer=ab%2f", 400, "^consumer: consumer name may .*at 2.$"),
        ("/v1/queues/a/items/peek?consumer=", 400, "^consumer: consumer name is empty$"),
        (f"/v1/queues/a/consumers/{'c' * 249}", 400, "consumer name is 249 bytes, at most 248 "),
        ("/v1/queue/consumers?queue=a%2f", 400, "^queue: queue name may not contain byte 0x2f"),
        ("/v1/queues?limit=1&limit=1", 400, "limit is given twice"),
        (f"/v1/queues?glob={'*a' * 126}", 400, "glob: expected a pattern .*of at most 250 bytes"),
        (f"/metrics?queue={'*a' * 126}", 400, "queue: expected a pattern"),
        (f"/v1/events?queue={'*a' * 126}", 400, "queue: expected a pattern"),
        ("/v1/queue", 400, "queue is missing"),
        ("/nix", 404, "nothing at /nix"),
    ],
)
def test_what_cannot_be_asked(web: Web, path: str, status: int, detail: str) -> None:
    said = web.get(path)
    assert said.status == status
    assert re.search(detail, said.detail), said.detail


def test_a_pattern_may_be_as_long_as_a_name(web: Web) -> None:
    assert web.get(f"/v1/queues?glob={'*a' * 125}").json["queues"] == []


def test_the_page_is_there(web: Web) -> None:
    said = web.get("/")
    assert said.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in said.headers["content-security-policy"]
    again = web.get("/", if_none_match=said.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert web.get("/static/index.html").body == said.body
    assert web.get("/static/..%2fapp.py").status == 404


def test_a_method_that_is_none(web: Web) -> None:
    said = web.post("/v1/queues")
    assert (said.status, said.headers["allow"]) == (405, "GET, HEAD")


def test_it_stops_with_connections_open(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0")
    with Web(server) as web:
        web.get("/v1/queues")
        server.stop()


def test_a_port_that_is_taken(tmp_path: Path, make_server: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = ServerProcess(tmp_path / "second", http=address)
        with pytest.raises(AssertionError, match=f"http: cannot listen on {address}"):
            server.start()
        server.wait_for_exit(5)


def test_the_default_port_may_be_taken(tmp_path: Path, make_server: MakeServer) -> None:
    with socket.socket() as taken, suppress(OSError):  # somebody else on this machine may have it
        taken.bind(("127.0.0.1", 2223))
        taken.listen()
        server = make_server(http="")
        assert " warning no HTTP: cannot listen on 127.0.0.1:2223: " in server.wait_for_log(
            "no HTTP"
        )
        with server.connect() as wire:
            wire.put("q", b"x")


def test_a_unix_socket(tmp_path: Path, make_server: MakeServer) -> None:
    path = tmp_path / "http.sock"
    server = make_server(http=f"unix:{path}")
    with Wire(f"unix:{path}") as wire:
        wire.send(b"POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
        assert wire.read_line() == b"HTTP/1.1 201 Created\r\n"
    server.stop()
    assert not path.exists()


def test_head_is_as_get_without_a_body(web: Web, wire: Wire, queue: str) -> None:
    wire.put(queue, bytes(300_000))
    for path in ("/v1/events", f"/v1/queues/{queue}/items/peek", "/v1/queues", "/"):
        said = web.ask("HEAD", path)
        assert (said.status, said.body) == (200, b""), path
    assert web.ask("HEAD", f"/v1/queues/{queue}/items/peek").headers["content-length"] == "300000"
    assert web.get("/v1/queues").headers["cache-control"] == "no-store"


WITHOUT = """
import sys
sys.modules["uvicorn"] = None
from darnerpy.cli.main import main
sys.exit(main())
"""


def test_without_the_extra(tmp_path: Path) -> None:
    serve = (PYTHON, "-P", "-c", WITHOUT, "serve", f"--data={tmp_path}", "--listen=127.0.0.1:0")
    wanted = subprocess.run((*serve, "--http=127.0.0.1:0"), capture_output=True, text=True)
    assert wanted.returncode == 5
    assert "http: HTTP needs the extra darnerpy[http]: there is no uvicorn" in wanted.stderr
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = iter(running.stderr.readline, "")
        assert any(" info no HTTP: HTTP needs the extra" in line for line in lines)
        assert any(" listening address=" in line for line in lines)
        running.terminate()
    assert running.returncode == 0


def test_nothing_of_it_is_imported_when_it_is_off(make_server: MakeServer) -> None:
    server = make_server(environ={"PYTHONVERBOSE": "1", "PYTHONUNBUFFERED": "1"})
    server.wait_for_log("import 'darnerpy.server.server'")
    assert "darnerpy.cli.http" in server.log()
    for name in ("darnerpy.http", "uvicorn", "httptools", "click"):
        assert f"import '{name}" not in server.log()
    server.kill()


def test_the_library_imports_nothing_of_it() -> None:
    told = "import darnerpy, sys; darnerpy.Queue; print(*sys.modules)"
    names = subprocess.check_output((PYTHON, "-P", "-c", told), text=True).split()
    assert not {"darnerpy.http", "uvicorn", "httptools", "click"} & set(names)
