"""What the server tells of itself, and where a queue's settings come from."""

import signal
from pathlib import Path

from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import wait_until


def test_the_server_says_what_it_is(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", http_read_only="true", http_get_consumes="false")
    with Web(server) as web:
        said = web.get("/v1/server").json
    assert said["pid"] == server.pid
    assert said["status"] == "up"
    assert said["read_only"] is True
    assert said["get_consumes"] is False
    assert said["uptime"] >= 0
    assert said["listen"] == said["http"] == ["127.0.0.1:0"]


def test_settings_say_where_they_come_from(make_server: MakeServer) -> None:
    toml = '[queues."small-*"]\nmax_items = 2\n'
    environ = {"DARNERPY_MAX_AGE": "1h"}
    server = make_server(http="127.0.0.1:0", toml=toml, environ=environ, sync="never")
    path = next(
        flag.removeprefix("--config=") for flag in server.flags if flag.startswith("--config=")
    )
    with server.connect() as wire, Web(server) as web:
        wire.put("small-1", b"x")

        def settings() -> dict[str, dict[str, str]]:
            found: dict[str, dict[str, str]] = web.get("/v1/queues/small-1").json["settings"]
            return found

        said = settings()
        assert said["max_items"] == {"value": "2", "from": f"{path}:2"}
        assert said["max_age"] == {"value": "1h", "from": "DARNERPY_MAX_AGE"}
        assert said["sync"] == {"value": "never", "from": "--sync"}
        assert said["max_bytes"] == {"value": "off", "from": "default"}
        Path(path).write_text(f"\n\n{toml.replace('2', '3')}")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: settings()["max_items"] == {"value": "3", "from": f"{path}:4"})
