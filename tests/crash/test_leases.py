"""Leases outlive the server: kill -9 under load, a stop, a clock that goes on meanwhile, a power cut."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.clocks import WallClock
from tests.conftest import MakeServer
from tests.crash.disks import Disk, stopped
from tests.http.web import Said, Web
from tests.servers import ServerProcess, wait_until

HTTP = "127.0.0.1:0"
ENGINES = ("leveldb", "arena")
LEASES = "/v1/queues/work/leases"


def put(server: ServerProcess, *items: bytes) -> None:
    with server.connect() as wire:
        wire.put("work", *items)


def lease(web: Web, ttl: str = "1h") -> Said:
    said = web.post(f"{LEASES}?ttl={ttl}")
    assert said.status == 201, said
    return said


def end(web: Web, given: Said, how: str = "confirm") -> int:
    path = given.headers["location"]
    match how:
        case "confirm":
            return web.ask("DELETE", path).status
        case "abort":
            return web.post(f"{path}/abort").status
    return web.post(f"{path}/extend?ttl=2h").status


@dataclass
class Books:
    """What a client knows of its items: those it has leased for sure, and those it has confirmed."""

    held: dict[bytes, Said] = field(default_factory=dict)
    confirmed: set[bytes] = field(default_factory=set)


class Worker(threading.Thread):
    """Leases items and does one thing or another with them until the server is gone."""

    def __init__(self, server: ServerProcess, seed: int, books: Books) -> None:
        super().__init__()
        self._web = Web(server)
        self._chance = random.Random(seed)
        self.books = books
        self.acts = 0

    def run(self) -> None:
        try:
            while True:
                self.act()
        except (OSError, HTTPException):
            self._web.connection.close()

    def is_at_work(self) -> bool:
        return self.acts > 20

    def act(self) -> None:
        books, chance = self.books, self._chance
        how = chance.choice(["lease", "lease", "confirm", "abort", "extend"])
        if how == "lease" or not books.held:
            said = self._web.post(LEASES + "?ttl=1h")
            if said.status == 201:
                books.held[said.body] = said
        else:
            item = chance.choice(sorted(books.held))
            given = books.held[item]
            if how != "extend":
                del books.held[item]  # until it is answered nobody knows
            assert end(self._web, given, how) == (200 if how == "extend" else 204)
            if how == "confirm":
                books.confirmed.add(item)
        self.acts += 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sync", ["always", "never"])
def test_killed_under_load(make_server: MakeServer, sync: str, engine: str) -> None:
    chance = random.Random(f"{sync} {engine}")
    server = make_server(sync=sync, engine=engine, http=HTTP)
    everyone: list[Books] = []
    for life in range(2):
        items = [b"%d-%d" % (life, n) for n in range(300)]
        put(server, *items)
        everyone = [*everyone, Books(), Books()]
        workers = [Worker(server, chance.randrange(1 << 30), each) for each in everyone[-2:]]
        for worker in workers:
            worker.start()
        for worker in workers:
            wait_until(worker.is_at_work)
        time.sleep(chance.uniform(0, 0.3))  # the random moment
        server.kill()
        for worker in workers:
            worker.join()
        server.start()
        check(server, everyone)
        assert not server.complaints()


def check(server: ServerProcess, everyone: list[Books]) -> None:
    """Nobody gets what is held or confirmed; then what is held is confirmed, once."""
    confirmed = set().union(*(books.confirmed for books in everyone))
    held = {item: said for books in everyone for item, said in books.held.items()}
    with server.connect() as wire:
        free = set(iter(lambda: wire.get("work"), None))
    assert not free & confirmed
    assert not free & held.keys()
    with Web(server) as web:
        for said in held.values():
            assert end(web, said) == 204
            assert end(web, said) == 410
    for books in everyone:
        books.confirmed |= books.held.keys()
        books.held.clear()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_goes_on_by_the_wall_clock(
    make_server: MakeServer, tmp_path: Path, how: str, engine: str
) -> None:
    clock = WallClock(tmp_path)
    server = make_server(http=HTTP, engine=engine, environ=clock.environ)
    put(server, b"one", b"two", b"three")
    with Web(server) as web:
        first, second = lease(web, "10m"), lease(web, "2h")
        third = lease(web, "1m")
        assert end(web, third, "extend") == 200
    server.stop() if how == "stop" else server.kill()
    clock.set(3600)
    server.start()
    with Web(server) as web:
        assert end(web, first) == 410
        again = lease(web)
        assert (again.body, again.headers["darnerpy-attempts"]) == (b"one", "1")
        assert web.post(LEASES).status == 204
        assert [end(web, each) for each in (second, third, again)] == [204, 204, 204]
    with server.connect() as wire:
        assert wire.get("work") is None
        assert wire.stats("work")["items"] == "0"


def test_one_lapses_after_a_kill_when_it_is_due(make_server: MakeServer) -> None:
    """And nobody has to ask for anything of the queue."""
    server = make_server(http=HTTP)
    put(server, b"one")
    with Web(server) as web:
        given = lease(web, "5s")
    server.kill()
    server.start()
    with server.connect() as wire:
        wire.wait_until("work", open_transactions=1)
        assert wire.get("work") is None
        assert wire.get("work/t=20000") == b"one"
    with Web(server) as web:
        assert end(web, given) == 410


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.unmount()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_power_cut_takes_none(disk: Disk, engine: str) -> None:
    settings: dict[str, Any] = {
        "sync": "always",
        "min_free_disk": "off",
        "engine": engine,
        "http": HTTP,
    }
    server = ServerProcess(disk.mounted, **settings)
    try:
        server.start()
        put(server, b"one", b"two", b"three")
        with Web(server) as web:
            first, second = lease(web), lease(web, "3s")
            assert end(web, second, "extend") == 200
        with stopped(server):
            image = disk.cut()
    finally:
        server.kill()
    time.sleep(3)  # now only the extension keeps the second
    with disk.after(image) as path:
        server = ServerProcess(path, **settings)
        try:
            server.start()
            with server.connect() as wire:
                assert [wire.get("work"), wire.get("work")] == [b"three", None]
            with Web(server) as web:
                assert [end(web, first), end(web, second)] == [204, 204]
        finally:
            server.kill()
