"""`/healthz` and `/readyz`: whether the server can be used, and what is the matter if not."""

import shutil
import signal

from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {"pump": {"loop": "pump", "http": "127.0.0.1:0"}}


def reasons(web: Web) -> list[str]:
    said = web.get("/readyz")
    ready, found = said.json["ready"], [each["reason"] for each in said.json["reasons"]]
    assert (said.status, ready) == ((503, False) if found else (200, True))
    if found:
        assert said.detail == "not ready: " + ", ".join(found)
    return found


def test_a_server_that_can_be_used(web: Web) -> None:
    assert web.get("/healthz").json == {"status": "ok"}
    wait_until(lambda: reasons(web) == [])


def test_neither_a_token_nor_a_known_host_is_asked_for(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0")
    with Web(server) as web:
        for path in ("/healthz", "/readyz"):
            assert web.get(path, host="anything.example").status == 200
        assert web.get("/metrics", host="anything.example").status == 421


def test_a_quiescent_server_is_not_ready(web: Web, wire: Wire) -> None:
    assert wire.ask(b"status quiescent\r\n") == b"END\r\n"
    assert reasons(web) == ["quiescent"]
    assert web.get("/healthz").status == 200
    assert wire.ask(b"status up\r\n") == b"END\r\n"
    assert reasons(web) == []


def test_a_full_disk(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", min_free_disk="1000000GiB")
    with Web(server) as web:
        wait_until(lambda: reasons(web) == ["out of disk"])
        (told,) = web.get("/readyz").json["reasons"]
        assert "bytes are free" in told["detail"]
    server.kill()


def test_a_journal_that_failed_is_named(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", sync="never")
    with server.connect() as wire:
        wire.put("odd", b"x")
    server.stop()
    shutil.rmtree(server.data / "queues/odd/leveldb")
    (server.data / "queues/odd/leveldb").write_text("no directory")
    server.start()
    with Web(server) as web:
        wait_until(lambda: reasons(web) == ["journal failed"])
        (told,) = web.get("/readyz").json["reasons"]
        assert (told["queues"], told["names"]) == (1, ["odd"])
    server.kill()


def test_a_server_that_loads(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", sync="never")
    with server.connect() as wire:
        for number in range(300):
            wire.put(f"q{number}", b"x")
    server.stop()
    server.start()
    with Web(server) as web:
        assert reasons(web) == ["loading"]
        wait_until(lambda: reasons(web) == [])


def test_it_is_not_ready_while_it_stops(make_server: MakeServer) -> None:
    server: ServerProcess = make_server(http="127.0.0.1:0")
    with Web(server) as web:
        web.get("/healthz")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_exit(0)
