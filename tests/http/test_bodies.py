"""A body where none is taken: it is refused before anything is done, and the connection stays in step."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from darnerpy.http.declared import Route
from darnerpy.http.patience import Patience
from darnerpy.http.routes.every import every_route
from tests.conftest import EVERY_LOOP
from tests.http.inside import Inside
from tests.http.web import Web
from tests.servers import Wire

SERVERS = {"http": {"http": "127.0.0.1:0"}}
BODILESS = [route for route in every_route() if route.body is None]
TAKES_NONE = "this takes no body"


def test_it_undoes_nothing(web: Web, wire: Wire, queue: str) -> None:
    """Who writes parameters into a body may mean less than what would be done without them."""
    at = f"/v1/queues/{queue}"
    wire.put(queue, b"1", b"2")
    lease = web.post(f"{at}/leases?ttl=1m").headers["location"]
    for method, path, body, names in (
        ("POST", f"{at}/move?to={queue}-2", '{"n": 1}', "to, n, consumer"),
        ("POST", f"{at}/move", f'{{"to": "{queue}-2"}}', "to, n, consumer"),
        ("POST", f"/v1/queue/move?queue={queue}&to={queue}-2", "n=1", "to, n, consumer, queue"),
        ("POST", f"{at}/pause", '{"what": "gets"}', "what"),
        ("POST", f"{lease}/extend", '{"ttl": "10m"}', "ttl"),
        ("DELETE", f"{at}/items?all=true", '{"first": 1}', "first, older_than, all, consumer"),
        ("POST", f"{at}/take", "n=1", "wait, n, consumer"),
    ):
        said = web.ask(method, path, body)
        told = f"{TAKES_NONE}: parameters belong in the address; known are {names}"
        assert (said.status, said.detail) == (400, told)
    for method, path in (("DELETE", at), ("DELETE", lease), ("POST", f"{lease}/abort")):
        said = web.ask(method, path, "{}")
        assert (said.status, said.detail) == (400, f"{TAKES_NONE}, and no parameters")
    said = web.get(at).json
    assert (said["items"], said["open_transactions"]) == (1, 1)
    assert web.get(f"{at}-2").status == 404
    assert web.post(f"{at}/take").body == b"2"  # it is not paused


@pytest.mark.parametrize("route", BODILESS, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("chunked", [False, True])
def test_every_route_without_one(web: Web, route: Route, chunked: bool) -> None:
    path = re.sub(r"\{\w+\}", "x", route.path)
    said = web.ask(route.method, path, iter([b"x"]) if chunked else b"x")
    assert (said.status, said.detail[: len(TAKES_NONE)]) == (400, TAKES_NONE)


def test_an_empty_one_is_none(web: Web, queue: str) -> None:
    at = f"/v1/queues/{queue}"
    bodies: list[Any] = [None, b"", iter([])]
    for body in bodies:
        web.post(f"{at}/items", b"x")
        assert web.ask("POST", f"{at}/take", body).body == b"x"
    assert web.ask("GET", "/healthz", b"").status == 200
    assert web.ask("GET", "/healthz", iter([])).status == 200
    web.post(f"{at}/items", b"x")
    assert web.ask("DELETE", f"{at}/items?all=true", iter([])).json == {"purged": 1}


def test_one_that_is_encoded(web: Web, queue: str) -> None:
    """Who takes the item would not know of it."""
    at = f"/v1/queues/{queue}"
    for path in (f"{at}/items", f"/push?queue={queue}"):
        said = web.post(path, b"\x1f\x8b", content_encoding="gzip")
        told = "Content-Encoding: gzip is not decoded here: send the body without"
        assert (said.status, said.detail) == (415, told)
    assert web.get(at).status == 404
    assert web.post(f"{at}/items", b"x", content_encoding="identity").status == 201
    assert web.post(f"{at}/take", content_encoding="gzip").body == b"x"


def test_head_with_one(web: Web) -> None:
    assert web.ask("HEAD", "/v1/queues", b"x").status == 400
    assert web.ask("HEAD", "/v1/queues").status == 200


GET = b"GET /v1/queues HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
SIZED = GET % b"Content-Length: 3\r\n" + b"x=1"
CHUNKED = GET % b"Transfer-Encoding: chunked\r\n"
AFTER = GET % b"Connection: close\r\n"


@pytest.mark.parametrize("loop", EVERY_LOOP)
def test_the_connection_stays_in_step(loop: str, tmp_path: Path) -> None:
    """Or is closed, if the body has not ended when it is answered."""
    with Inside(tmp_path / "data", loop, Patience(body=0.3, between=0.05)) as inside:

        def statuses(*pieces: bytes) -> list[bytes]:
            with inside.connect() as wire:
                for piece in pieces:
                    wire.send(piece)
                    time.sleep(0.05)
                return re.findall(rb"HTTP/1.1 ([0-9]{3}) ", wire.read_to_end())

        assert statuses(SIZED + SIZED + AFTER) == [b"400", b"400", b"200"]
        assert statuses(CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + AFTER) == [b"400", b"200"]
        assert statuses(CHUNKED + b"0\r\n\r\n" + AFTER) == [b"200", b"200"]
        assert statuses(CHUNKED, b"0\r\n", b"\r\n" + AFTER) == [b"200", b"200"]
        assert statuses(GET % b"Content-Length: 3\r\n" + b"x", b"=1" + AFTER) == [b"400", b"200"]
        assert statuses(CHUNKED + b"1\r\nx\r\n") == [b"400"]  # and is hung up on
        assert statuses(CHUNKED) == [b"408"]
        huge = b"Content-Length: 1000000000\r\n"
        assert statuses(GET % huge) == [b"400"]
        assert statuses(GET % (huge + b"Expect: 100-continue\r\n")) == [b"400"]
