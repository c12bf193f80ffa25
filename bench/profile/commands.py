"""Runs commands as the server does, but without sockets or an event loop: what is to be counted.

Codec, session, broker and a real LevelDB journal, for so many clients that ask all at once in every
turn and ask again when all have their answers. Says where a stretch of commands begins and ends by a
call of `getpgid`, which nothing else makes: valgrind writes down its counts there. Timers never fire.
Knows nothing of valgrind, and is started as a file (`python -P`), so that `darnerpy` is the one that
the interpreter has, compiled or not.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from darnerpy.brokers.datadir import DataDir
from darnerpy.brokers.local import LocalBroker
from darnerpy.clock import SystemClock
from darnerpy.config import load
from darnerpy.protocol.replies import MEMCACHED
from darnerpy.protocol.text import CodecLimits, TextCodec
from darnerpy.sessions import session as sessions
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Guard

BODY = b"abcdefghijklmnopqrstuvwxyz012345" * 2
SET = b"set bench 0 0 64\r\n" + BODY + b"\r\n"
# How each kind goes on after its first command, and how that begins.
KINDS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "set": (SET, (SET,)),
    "get": (b"get bench\r\n", (b"get bench\r\n",)),
    "pair": (SET, (b"get bench\r\n", SET)),
    "closeopen": (b"get bench/open\r\n", (b"get bench/close/open\r\n",)),
}
WARM_UP = 300  # commands before counting: journals open, caches of the interpreter filled


class Never:
    """A timer that does not fire."""

    def cancel(self) -> None:
        pass


class Turns:
    """The scheduler: what was asked for is done when the turn ends; results of threads come then."""

    def __init__(self) -> None:
        self._soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._from_threads: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> object:
        self._soon.append((callback, args))
        return None

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> object:
        self._from_threads.put((callback, args))
        return None

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Never:
        return Never()

    def end(self, reached: Callable[[], bool]) -> None:
        """Run what is due; if that is not enough, wait for threads."""
        while True:
            while self._soon:
                callback, args = self._soon.popleft()
                callback(*args)
            if reached():
                return
            callback, args = self._from_threads.get(timeout=60)
            callback(*args)


class Client:
    """A session and the way to its client, which only looks whether it was answered, and rightly."""

    paused = False
    peer = "profile"

    def __init__(self, host: Host) -> None:
        self.answered = 0
        self._codec = TextCodec(CodecLimits())
        self._session = sessions.Session(host, self, MEMCACHED)

    def ask(self, question: bytes) -> None:
        self._session.receive(self._codec.feed(question))

    def write(self, data: bytes) -> None:
        if not data.startswith((b"STORED\r\n", b"VALUE bench")):
            raise RuntimeError(f"a wrong answer: {data!r}")
        self.answered += 1

    def send_file(self, handle: int, size: int, done: Callable[[bool], None]) -> None:
        raise RuntimeError("a large item came, where all are small")

    def keep(self, change: int) -> None:
        pass

    def is_gone(self) -> bool:
        return False

    def is_reachable(self) -> bool:
        return True

    def regulate(self) -> None:
        pass

    def close(self) -> None:
        raise RuntimeError("a session has closed")


class Service:
    """A broker on a directory, and clients that all ask at once."""

    def __init__(self, directory: Path) -> None:
        environ = {"DARNERPY_DATA": str(directory), "DARNERPY_SYNC": "never"}
        settings = load(None, environ, {})
        self._turns = Turns()
        clock = SystemClock()
        self._data = DataDir(directory)
        self._broker = LocalBroker(settings, self._data, clock, self._turns)
        guard = Guard(directory / "STATUS", self._broker.space, self._turns, 0)
        self._host = Host(self._broker, settings, clock, self._turns, guard)

    def close(self) -> None:
        self._broker.close()
        self._data.close()

    def clients(self, count: int) -> list[Client]:
        return [Client(self._host) for _ in range(count)]

    def turn(self, clients: list[Client], question: bytes) -> None:
        for client in clients:
            client.answered = 0
        for client in clients:
            client.ask(question)
        self._turns.end(lambda: all(client.answered for client in clients))


def questions(kind: str) -> Iterator[bytes]:
    first, rest = KINDS[kind]
    yield first
    while True:
        yield from rest


def count(directory: Path, kind: str, batch: int, commands: int) -> int:
    """One stretch, in turns of `batch`; returns how many commands it had."""
    service = Service(directory)
    clients = service.clients(batch)
    asked = questions(kind)
    warm_up, turns = (-(-number // batch // 2) * 2 for number in (WARM_UP, commands))
    if kind in ("get", "closeopen"):
        for _ in range(warm_up + turns):
            service.turn(clients, SET)
    for _ in range(warm_up):
        service.turn(clients, next(asked))
    gc.collect()
    os.getpgid(0)
    for _ in range(turns):
        service.turn(clients, next(asked))
    os.getpgid(0)
    service.close()
    return turns * batch


def about() -> str:
    """The interpreter, and whether it runs compiled code."""
    compiled = not str(sessions.__file__).endswith(".py")
    name, version = platform.python_implementation(), platform.python_version()
    return f"{name} {version}, {'compiled' if compiled else 'pure'}"


def main() -> None:
    """Arguments: a directory for data, how many commands a stretch has, and KIND:BATCH of each."""
    directory, commands, *stretches = sys.argv[1:]
    counted = []
    for stretch in stretches:
        kind, _, batch = stretch.partition(":")
        place = Path(directory) / f"{kind}-{batch}"
        counted.append((stretch, count(place, kind, int(batch), int(commands))))
    print(json.dumps({"about": about(), "stretches": counted}))


if __name__ == "__main__":
    main()
