"""Clients of HTTP and of memcache together, in queues that come and go, and many break off: the books are
kept. Whatever was acknowledged is had by somebody, once.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import NamedTuple

from darnerpy.journals.engines import DISK_ENGINES
from tests.http.web import Web
from tests.servers import LOOPS, TIMEOUT, ServerProcess, Wire
from tests.soak.rounds import Round, Setting

__all__ = ["mixed"]

CLIENTS = 8
ROUND_S = 8.0
NEW_EACH_S = 0.3
"""After so long all go on to other queues: most of what can go wrong, does in one that is new."""

SIZES = 12, 5_000, 400_000
LEASE_S = 0.2
OK, MADE = 200, 201
NOTHING = 204, 404


def mixed(setting: Setting) -> Iterator[Round]:
    number = 0
    while time.monotonic() < setting.until:
        number += 1
        yield _round(setting, number, [*DISK_ENGINES, "memory"][number % 3])


def _round(setting: Setting, number: int, engine: str) -> Round:
    chance = setting.chance
    given = {"sync": chance.choice(("always", "never")), "loop": chance.choice(list(LOOPS))}
    toml = f'[queues."*"]\nengine = "{engine}"\n'
    home, http = setting.home / f"data-{number}", "127.0.0.1:0"
    server = ServerProcess(home, toml, setting.environ, http=http, **given)
    try:
        server.start()
        books = _Books()
        clients = [_Client(server, books, Random(chance.random())) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        time.sleep(LEASE_S * 2)
        left = _drain(server, books)
        books.wrong += [f"log: {line}" for line in server.complaints()]
        server.stop()
    except (AssertionError, OSError) as error:
        return Round(Counter(rounds=1), [f"{type(error).__name__}: {error} ({engine}, {given})"])
    finally:
        server.kill()
    counts = Counter({"rounds": 1, "acknowledged": len(books.acknowledged), "left": left})
    return Round(counts + books.done, books.verdict())


class _Books:
    """done: how often what. in_flight: items that may have been given to who had hung up by then."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.acknowledged: set[int] = set()
        self.had: Counter[int] = Counter()
        self.queues: set[str] = set()
        self.wrong: list[str] = []
        self.in_flight = 0
        self._put = 0
        self._lock = threading.Lock()

    def new(self) -> int:
        with self._lock:
            self._put += 1
            return self._put

    def have(self, item: bytes) -> None:
        with self._lock:
            self.had[int(item.split(b" ", 1)[0])] += 1

    def verdict(self) -> list[str]:
        lost = sorted(self.acknowledged - self.had.keys())
        twice = sorted(item for item, times in self.had.items() if times > 1)
        if len(lost) > self.in_flight:
            self.wrong.append(f"{len(lost)} items are lost: {lost[:10]}")
        if twice:
            self.wrong.append(f"{len(twice)} items came twice: {twice[:10]}")
        return self.wrong


class _Act(NamedTuple):
    weight: int
    do: Callable[[str], None]


class _Client(threading.Thread):
    def __init__(self, server: ServerProcess, books: _Books, chance: Random) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._books = books
        self._chance = chance
        self._acts = (
            _Act(4, self.put),
            _Act(5, self.put_slowly),
            _Act(4, self.put_half),
            _Act(5, self.take),
            _Act(2, self.lease),
            _Act(2, self.set),
            _Act(2, self.get),
            _Act(1, self.hang_up),
        )

    def run(self) -> None:
        acts = [act.do for act in self._acts]
        weights = [act.weight for act in self._acts]
        begun = time.monotonic()
        with Web(self._server) as self.web, self._server.connect() as self.wire:
            while (passed := time.monotonic() - begun) < ROUND_S:
                queue = f"q{int(passed / NEW_EACH_S)}-{self._chance.randrange(3)}"
                self._books.queues.add(queue)
                (act,) = self._chance.choices(acts, weights)
                try:
                    act(queue)
                except (AssertionError, OSError, ValueError) as error:
                    self._books.wrong.append(f"{act.__name__}: {type(error).__name__}: {error}")
                    return
                self._books.done[act.__name__] += 1

    # -- what it does

    def put(self, queue: str) -> None:
        item, data = self._new()
        self._put(item, self.web.post(f"/v1/queues/{queue}/items", data).status)

    def put_slowly(self, queue: str) -> None:
        item, data = self._new()
        with self._begun(queue, data) as (wire, sent):
            wire.send(data[sent:])
            self._put(item, int(wire.read_until(b"\r\n\r\n").split(b" ", 2)[1]))

    def put_half(self, queue: str) -> None:
        _, data = self._new()
        with self._begun(queue, data):
            pass

    def take(self, queue: str) -> None:
        said = self.web.post(f"/v1/queues/{queue}/take?wait={self._chance.choice((10, 40, 80))}ms")
        assert said.status in (OK, *NOTHING), said
        if said.status == OK:
            self._books.have(said.body)

    def lease(self, queue: str) -> None:
        ttl = int(LEASE_S * 1000)
        said = self.web.post(f"/v1/queues/{queue}/leases?ttl={ttl}ms&wait=20ms")
        assert said.status in (MADE, *NOTHING), said
        if said.status == MADE and self._chance.random() < 0.6:
            ended = self.web.ask("DELETE", said.headers["location"])
            assert ended.status in (204, 410), ended
            if ended.status == 204:
                self._books.have(said.body)

    def set(self, queue: str) -> None:
        item, data = self._new()
        self.wire.put(queue, data)
        self._books.acknowledged.add(item)

    def get(self, queue: str) -> None:
        data = self.wire.get(f"{queue}/t={self._chance.choice((1, 30))}")
        if data is not None:
            self._books.have(data)

    def hang_up(self, queue: str) -> None:
        """Who stops sending is taken to be gone, also if the answer is on its way."""
        with Wire(self._server.http_address) as wire:
            wire.send(_head(f"{queue}/take?wait=5s", 0))
            self._wait()
            wire.socket.shutdown(socket.SHUT_WR)
            wire.socket.settimeout(TIMEOUT)
            answer = b""
            with suppress(ConnectionError):
                while some := wire.socket.recv(1 << 16):
                    answer += some
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200") and b"content-length: %d\r\n" % len(body) in head:
            self._books.have(body)
        else:
            self._books.in_flight += head.startswith(b"HTTP/1.1 200")

    # -- parts of it

    def _new(self) -> tuple[int, bytes]:
        item = self._books.new()
        return item, (b"%d " % item).ljust(self._chance.choice(SIZES), b"x")

    def _put(self, item: int, status: int) -> None:
        assert status == MADE, status
        self._books.acknowledged.add(item)

    def _wait(self) -> None:
        time.sleep(self._chance.random() * 0.15)

    @contextmanager
    def _begun(self, queue: str, data: bytes) -> Iterator[tuple[Wire, int]]:
        """A put of which so many bytes were sent; it breaks off, unless the rest is."""
        sent = self._chance.choice((0, 10, len(data) - 1))
        with Wire(self._server.http_address) as wire:
            wire.send(_head(f"{queue}/items", len(data)) + data[:sent])
            self._wait()
            yield wire, sent


def _head(path: str, length: int) -> bytes:
    line = f"POST /v1/queues/{path} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{line}Content-Length: {length}\r\n\r\n".encode()


def _drain(server: ServerProcess, books: _Books) -> int:
    left = 0
    with Web(server) as web:
        for queue in sorted(books.queues):
            while (said := web.post(f"/v1/queues/{queue}/take")).status == OK:
                books.have(said.body)
                left += 1
            assert said.status in NOTHING, said
    return left
