"""Through nginx, as docs/http.md says to set it up: what is large, what waits, and what never ends."""

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.http.web import Web
from tests.servers import TIMEOUT, ServerProcess, Wire, wait_until

NGINX = which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PAGE = Path(__file__).parents[2] / "docs/http.md"

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

SERVERS = {"http": {"http": "127.0.0.1:0"}}

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@pytest.fixture(scope="module")
def proxy(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where nginx listens, which passes all on to the server."""
    home = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (location,) = re.findall(r"(?s)```nginx\n(.*?)```", PAGE.read_text())
    location = location.replace("127.0.0.1:2223", server.http_address)
    path = home / "nginx.conf"
    path.write_text(CONFIGURATION.format(home=home, port=port, location=location))
    assert NGINX is not None
    running = subprocess.Popen(
        ("setpriv", "--pdeathsig=KILL", NGINX, "-p", home, "-e", home / "error.log", "-c", path)
    )
    try:
        wait_until(lambda: is_listening(port) or running.poll() is not None)
        assert running.poll() is None, (home / "error.log").read_text()
        yield f"127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(TIMEOUT)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def through(proxy: str) -> Iterator[Web]:
    with Web(proxy) as web:
        yield web


def test_large_items_both_ways(through: Web, queue: str) -> None:
    data = os.urandom(16 << 20)
    pieces = (data[at : at + 1_000_000] for at in range(0, len(data), 1_000_000))
    assert through.post(f"/v1/queues/{queue}/items", data).json == {"ids": [1]}
    assert through.post(f"/v1/queues/{queue}/items", pieces).json == {"ids": [2]}
    for _ in range(2):
        assert through.post(f"/v1/queues/{queue}/take").body == data


def test_a_large_item_is_passed_on_as_it_comes(
    server: ServerProcess, proxy: str, queue: str
) -> None:
    """Nothing is gathered in nginx: the server has what was sent so far."""
    with Wire(proxy) as wire:
        head = f"POST /v1/queues/{queue}/items HTTP/1.1\r\nHost: {proxy}\r\nContent-Length: 4000000\r\n\r\n"
        wire.send(head.encode() + bytes(3_000_000))
        wait_until(lambda: any(p.stat().st_size > 1_000_000 for p in server.data.rglob("*.part")))
        wire.send(bytes(1_000_000))
        assert b" 201 " in wire.read_line()


def test_a_long_poll(through: Web, web: Web, queue: str) -> None:
    late = threading.Timer(1, lambda: web.post(f"/v1/queues/{queue}/items", b"late"))
    late.start()
    assert through.post(f"/v1/queues/{queue}/take?wait=20s").body == b"late"
    late.join()
    assert through.post(f"/v1/queues/{queue}/take?wait=100ms").status == 204


def test_who_hangs_up_on_the_proxy_takes_nothing(proxy: str, web: Web, queue: str) -> None:
    web.post(f"/v1/queues/{queue}/items", b"first")
    web.post(f"/v1/queues/{queue}/take")
    with Wire(proxy) as wire:
        head = f"POST /v1/queues/{queue}/take?wait=20s HTTP/1.1\r\nHost: {proxy}\r\n\r\n"
        wire.send(head.encode())
        wait_until(lambda: web.get(f"/v1/queues/{queue}").json["waiters"] == 1)
    wait_until(lambda: web.get(f"/v1/queues/{queue}").json["waiters"] == 0)
    web.post(f"/v1/queues/{queue}/items", b"second")
    assert web.post(f"/v1/queues/{queue}/take").body == b"second"


def test_events_come_as_they_happen(through: Web, web: Web, queue: str) -> None:
    through.connection.request("GET", "/v1/events")
    response = through.connection.getresponse()
    assert response.status == 200
    web.post(f"/v1/queues/{queue}/items", b"x")
    web.ask("DELETE", f"/v1/queues/{queue}/items?all=true")
    deadline = time.monotonic() + TIMEOUT
    seen = b""
    while b"purge" not in seen and time.monotonic() < deadline:
        seen += response.readline()
    assert b"purge" in seen


@pytest.mark.parametrize("name", ["a%25%3Fb", "%FF%C3%BC", "a%5Cb%22"])
def test_names_arrive_as_they_were_sent(through: Web, web: Web, name: str) -> None:
    assert through.post(f"/v1/queues/{name}/items", b"x").status == 201
    assert web.get(f"/v1/queues/{name}").json["name"] == name
    assert through.post("/v1/queue/items?queue=..", b"dots").status == 201
    assert web.post("/v1/queues/%2E%2E/take").body == b"dots"


def test_errors_are_the_servers_own(through: Web) -> None:
    said = through.get("/v1/queues/nix")
    assert (said.status, said.detail) == (404, "there is no queue nix")
    assert through.ask("GET", "/v1/queues", None, {"Host": "elsewhere"}).status == 421
