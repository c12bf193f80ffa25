"""Who may ask: every route there is, against every kind of stranger."""

import re
import signal
from pathlib import Path

import pytest

from darnerpy.config import Settings, load
from darnerpy.errors import ConfigError
from darnerpy.http.declared import Route
from darnerpy.http.routes.every import every_route
from darnerpy.http.safety import read_tokens
from tests.conftest import MakeServer
from tests.http.web import Said, Web

TOKEN = "a-token-of-some-length"
OTHER = "another-token-of-length"
OPEN = {"/healthz", "/readyz"}
"""What monitoring may ask without knowing anything."""
ROUTES = [*every_route()]


def ask(web: Web, route: Route, **headers: str) -> Said:
    path = re.sub(r"\{\w+\}", "x", route.path)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.ask(route.method, path, b"" if route.method != "GET" else None, names)


def names(routes: list[Route]) -> list[str]:
    return [f"{route.method} {route.path}" for route in routes]


def test_what_is_not_guarded_is_known() -> None:
    assert {route.path for route in ROUTES if not route.hosts} <= OPEN
    public = {route.path for route in ROUTES if not route.token} - OPEN
    assert all(path == "/" or path.startswith("/static/") for path in public)
    reads = [route for route in ROUTES if not route.changes]
    assert {route.method for route in reads} == {"GET"}
    assert names([route for route in ROUTES if route.method == "GET" and route.changes]) == [
        "GET /get"
    ]


def test_every_route_asks_for_a_known_host(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0")
    with Web(server) as web:
        for route in [each for each in ROUTES if each.hosts]:
            said = ask(web, route, Host="rebound.example:2223")
            assert (said.status, "rebound.example" in said.detail) == (421, True), route.path
        assert web.get("/nix", Host="rebound.example").status == 421
        known = ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]", "[::1]:99"]
        for host in (*known, "127.0.0.1 ", "localhost \t", "localhost:", "[::1]:"):
            assert web.get("/v1/queues", Host=host).status == 200, host
        unknown = ["::1", "localhost.example", "127.0.0.1.example", "localhost:x", "[::1"]
        for host in (*unknown, "localhost::", ":", "localhost :1"):
            assert web.get("/v1/queues", Host=host).status == 421, host


def test_other_hosts_can_be_named(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", http_hosts="queues.example,[2001:db8::1]")
    with Web(server) as web:
        assert web.get("/v1/queues", Host="Queues.example:1").status == 200
        assert web.get("/v1/queues", Host="[2001:DB8::1]:1").status == 200
        assert web.get("/v1/queues", Host="localhost").status == 421


def test_every_change_asks_for_its_own_pages(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", http_origins="https://ops.example")
    strangers = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},  # another port
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    with Web(server) as web:
        for route in [each for each in ROUTES if each.changes]:
            for stranger in strangers:
                path = re.sub(r"\{\w+\}", "x", route.path)
                said = web.ask(route.method, path, b"", stranger)
                assert (said.status, said.detail != "") == (403, True), (route.path, stranger)
        own = server.http_address
        friends = [
            {},
            {"Origin": f"http://{own}"},
            {"Origin": "https://ops.example"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
        ]
        for friend in friends:
            assert web.ask("POST", "/v1/queues/q/items", b"x", friend).status == 201, friend
        said = web.get("/v1/queues", Origin="https://evil.example")
        assert said.status == 200  # which that page cannot read:
        assert not [name for name in said.headers if name.startswith("access-control")]
        said = web.ask("OPTIONS", "/v1/queues", None, {"Origin": "https://evil.example"})
        assert not [name for name in said.headers if name.startswith("access-control")]


def test_every_route_asks_for_a_token(make_server: MakeServer, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# of the dashboard\n{TOKEN}\n\n{OTHER}\n")
    server = make_server(http="127.0.0.1:0", http_token_file=tokens)
    wrong = ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
    with Web(server) as web:
        for route in [each for each in ROUTES if each.token]:
            assert ask(web, route).status == 401, route.path
        for authorization in wrong:
            said = web.get("/v1/queues", Authorization=authorization)
            assert (said.status, said.headers["www-authenticate"]) == (401, "Bearer")
            is_one = re.fullmatch("Bearer .+", authorization) is not None
            assert ("does not know this token" in said.detail) is is_one, authorization
            assert ("a token is needed" in said.detail) is not is_one
        assert web.get("/nix").status == 401
        for token in (TOKEN, OTHER):
            assert web.get("/v1/queues", Authorization=f"bearer {token}").status == 200
        assert web.get("/").status == 200

        tokens.write_text("too short")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(f"not reloaded.*{tokens}:1: expected at least 16")
        assert web.get("/v1/queues", Authorization=f"Bearer {TOKEN}").status == 200
        tokens.write_text(OTHER)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("settings reloaded")
        assert web.get("/v1/queues", Authorization=f"Bearer {TOKEN}").status == 401
        assert web.get("/v1/queues", Authorization=f"Bearer {OTHER}").status == 200
    server.kill()


def test_nothing_is_changed_read_only(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", http_read_only="true")
    with Web(server) as web, server.connect() as wire:
        wire.put("x", b"item")
        for route in [each for each in ROUTES if each.changes]:
            said = ask(web, route)
            assert (said.status, "http_read_only" in said.detail) == (403, True), route.path
        assert web.get("/v1/queues/x").json["items"] == 1
        assert web.get("/v1/queues/x/items/peek").body == b"item"


def test_get_need_not_consume(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", http_get_consumes="false")
    with Web(server) as web:
        web.post("/push", b"x")
        said = web.get("/get")
        assert (said.status, "http_get_consumes" in said.detail) == (403, True)
        assert web.get("/stats").json["queueSize"] == 1


def test_what_is_live_is_reloaded(make_server: MakeServer, tmp_path: Path) -> None:
    toml = 'http_read_only = true\nhttp_hosts = ["a.example"]\n'
    server = make_server(http="127.0.0.1:0", toml=toml)
    with Web(server) as web:
        assert web.post("/push", b"x", Host="a.example").status == 403
        config = Path(server.flags[-1].removeprefix("--config="))
        config.write_text("")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("settings reloaded")
        assert web.post("/push", b"x", Host="a.example").status == 421
        assert web.post("/push", b"x").status == 201


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "queues.example:1"])
def test_others_than_this_machine_need_a_token(address: str) -> None:
    with pytest.raises(ConfigError, match=r"http: .* can be reached .* expected http_token_file"):
        load(None, {}, {"http": address})
    settings = load(None, {}, {"http": address, "http_token_file": "tokens"})
    assert [str(each) for each in settings.http_addresses] == [address]


def test_guarded_is_off_without_a_token() -> None:
    assert load(None, {}, {"http": "guarded"}).http_addresses == ()
    guarded = load(None, {}, {"http": ["guarded"], "http_token_file": "tokens"})
    assert [str(each) for each in guarded.http_addresses] == ["0.0.0.0:2223"]
    assert [str(each) for each in Settings().http_addresses] == ["127.0.0.1:2223"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a token in a line of its own"),
        ("# none\n\n", "expected a token in a line of its own"),
        ("a-token-of-some-length\nshort", ":2: expected at least 16"),
        ("two words that are long enough", ":1: .*without a blank"),
        ("Schlüssel-die-lang-sind", ":1: expected at least 16 letters"),
    ],
)
def test_files_of_tokens_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"http_token_file: {path}.*{told}"):
        read_tokens(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_tokens(tmp_path / "none")
