"""Clients that talk to a real server as chance tells them, and write down what they asked and got.

Owns the connections and the record; whoever starts them says when the server is there and when it is
over. What a client does not know (its connection ended before the answer) it records as such.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from darnerpy.testing.history import Event, History, Operation
from tests.servers import Wire

__all__ = ["QUEUES", "Traffic"]

QUEUES = {
    "plain": ("put",) * 5 + ("get",) * 4 + ("wait",),
    "jobs": ("put",) * 8 + ("get", "open", "open", "open", "wait", "wait open", "peek"),
    "brief": ("put", "expiring", "expiring", "open", "open", "get", "wait", "peek"),
    "waste": ("put",) * 12 + ("get", "open", "open", "wait", "peek", "flush", "delete"),
}
"""What is done with each queue, each as likely as often as it is named. `plain` returns nothing."""

_SIZES = ((0, 500, 5_000, 70_000, 300_000), (60, 30, 8, 1, 1))


_STUCK_S = 3.0


_Parser = Callable[[], dict[str, str]]
"""Reads one answer; what it says of the operation, by field."""


class _EndedError(Exception):
    """The connection is gone before the answer."""


@dataclass
class Traffic:
    """Clients on one server, through all of its lives.

    named: consumers besides the queues' own. max_open: what the server allows. failures: what was
    answered against the protocol, or by no answer at all.
    """

    seed: int
    clients: int
    named: tuple[str, ...]
    max_open: int
    history: History = field(default_factory=History)
    failures: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _address: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _over: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() - self._began

    def event(self, kind: Any, client: str = "") -> None:
        self.history.events.append(Event(kind, self.now(), client))

    def started(self, address: str) -> None:
        """The server answers there: let clients talk to it."""
        with self._changed:
            self._address = address
            self._changed.notify_all()
        chances = random.Random(self.seed)
        for number in range(0 if self._threads else self.clients):
            chance = random.Random(chances.random())
            thread = threading.Thread(target=_Client(self, number, chance).run, daemon=True)
            self._threads.append(thread)
            thread.start()

    def ended(self) -> None:
        """The server is gone, or will be: wait for the next address."""
        with self._changed:
            self._address = ""

    def wait_for(self, operations: int) -> None:
        """Until so many have been recorded, or for a while no more: a broken server may not answer."""
        known, since = -1, time.monotonic()
        while (number := len(self.history.operations)) < operations:
            if number > known:
                known, since = number, time.monotonic()
            elif time.monotonic() - since > _STUCK_S:
                return
            time.sleep(0.01)

    def join(self) -> None:
        """It is over; call when the server is gone."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def next_address(self) -> str:
        """Waits for one; none when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._address or self._over)
            return "" if self._over else self._address

    def drain(self, address: str) -> None:
        """Read every consumer with plain gets until there is nothing left."""
        with Wire(address) as wire:
            talk = _Talk(self, "drain", wire)
            try:
                for consumer in ("", *self.named):
                    for queue in QUEUES:
                        while talk.read("get", queue, consumer) is not None:
                            pass
                        self.history.drained.append((queue, consumer))
            except _EndedError:
                self.failures.append("drain: the connection ended")


def _payload(value: str, size: int) -> bytes:
    return value.encode() + b":" + b"x" * size


class _Talk:
    """One connection. held: values it holds open, by queue and consumer."""

    def __init__(self, traffic: Traffic, name: str, wire: Wire) -> None:
        self.name = name
        self.wire = wire
        self.held: dict[tuple[str, str], deque[str]] = defaultdict(deque)
        self._traffic = traffic

    # -- commands

    def put(self, queue: str, value: str, size: int, seconds: int | None = None) -> None:
        request = _set(queue, value, size, seconds)
        deleted = b"SERVER_ERROR the queue was deleted during the upload\r\n"
        line = self._parse_line(b"STORED\r\n", deleted)
        self._do(request, line, "put", queue, value=value, lasts=seconds)

    def read(self, kind: str, queue: str, consumer: str, wait_ms: int = 0) -> str | None:
        """Get, open or peek; what came."""
        key = _key(queue, consumer) + {"get": "", "open": "/open", "peek": "/peek"}[kind]
        if wait_ms:
            key += f"/t={wait_ms}"
        value = self._do(_get(key), self._parse_value(key), kind, queue, consumer=consumer)
        if kind == "open" and value is not None:
            self.held[queue, consumer].append(value)
        return value

    def refused_read(self, kind: str, queue: str, consumer: str) -> None:
        """Ask for more than is allowed while something is held."""
        key = _key(queue, consumer) + ("/open" if kind == "open" else "")
        line = self._parse_line(b"CLIENT_ERROR close current item first\r\n")
        self._do(_get(key), line, kind, queue, consumer=consumer)

    def end(self, kind: str, queue: str, consumer: str) -> None:
        """Close or abort the oldest."""
        value = self.held[queue, consumer].popleft()
        request = _get(f"{_key(queue, consumer)}/{kind}")
        self._do(request, self._parse_line(b"END\r\n"), kind, queue, value=value, consumer=consumer)

    def close_and_open(self, queue: str, consumer: str) -> None:
        closed = self.held[queue, consumer].popleft()
        key = f"{_key(queue, consumer)}/close/open"
        begin = self._traffic.now()
        close = {"kind": "close", "queue": queue, "value": closed, "consumer": consumer}
        try:
            opened = self._do(_get(key), self._parse_value(key), "open", queue, consumer=consumer)
        except _EndedError:
            self.record(begin, None, **close)
            raise
        self.record(begin, self._traffic.now(), **close)
        if opened is not None:
            self.held[queue, consumer].append(opened)

    def discard(self, kind: str, queue: str) -> None:
        expected = (b"END\r\n",) if kind == "flush" else (b"DELETED\r\n", b"NOT_FOUND\r\n")
        self._do(f"{kind} {queue}\r\n".encode(), self._parse_line(*expected), kind, queue)

    def version(self) -> None:
        self.wire.send(b"version\r\n")
        if not self.wire.read_line().endswith(b"\r\n"):
            raise _EndedError

    # -- recording

    def record(self, begin: float, end: float | None, **fields: Any) -> None:
        fields.setdefault("outcome", "ok" if end is not None else "unknown")
        operation = Operation(client=self.name, invoked=begin, returned=end, **fields)
        self._traffic.history.operations.append(operation)

    def _do(self, request: bytes, parse: _Parser, kind: str, queue: str, **more: Any) -> str | None:
        fields: dict[str, Any] = {"kind": kind, "queue": queue, **more}
        begin = self._traffic.now()
        try:
            self.wire.send(request)
            told = parse()
        except (_EndedError, OSError):
            self.record(begin, None, **fields)
            raise _EndedError from None
        except AssertionError as error:
            self._traffic.failures.append(f"{self.name}: {request[:60]!r}: {error}")
            self._traffic.event("disconnected", self.name)
            self.record(begin, None, **fields)
            raise _EndedError from None
        self.record(begin, self._traffic.now(), **(fields | told))
        return told.get("value")

    def _parse_line(self, *expected: bytes) -> _Parser:
        def parse() -> dict[str, str]:
            line = self.wire.read_line()
            if not line.endswith(b"\r\n"):
                raise _EndedError
            assert line in expected, f"answered {line!r}"
            return {"outcome": "refused"} if b"_ERROR " in line else {}

        return parse

    def _parse_value(self, key: str) -> _Parser:
        def parse() -> dict[str, str]:
            header = self.wire.read_line()
            if header == b"END\r\n":
                return {}
            if not header.endswith(b"\r\n"):
                raise _EndedError
            assert header.startswith(b"VALUE %b 0 " % key.encode()), f"answered {header!r}"
            size = int(header.split()[3])
            block = self.wire.read(size + 7)
            if len(block) < size + 7:
                raise _EndedError
            assert block[size:] == b"\r\nEND\r\n", f"ended with {block[size:]!r}"
            value = block[:size].split(b":", 1)[0].decode()
            whole = block[:size] == _payload(value, size - len(value) - 1)
            return {"value": value if whole else f"damaged {value}"}

        return parse


def _key(queue: str, consumer: str) -> str:
    return f"{queue}+{consumer}" if consumer else queue


def _get(key: str) -> bytes:
    return f"get {key}\r\n".encode()


def _set(queue: str, value: str, size: int, seconds: int | None) -> bytes:
    data = _payload(value, size)
    return b"set %b 0 %d %d\r\n%b\r\n" % (queue.encode(), seconds or 0, len(data), data)


class _Client:
    """One thread: one connection after another."""

    def __init__(self, traffic: Traffic, number: int, chance: random.Random) -> None:
        self._traffic = traffic
        self._number = number
        self._chance = chance
        self._lives = 0
        self._values = 0

    def run(self) -> None:
        left: _Talk | None = None
        while address := self._traffic.next_address():
            self._lives += 1
            try:
                with Wire(address) as wire:
                    talk = _Talk(self._traffic, f"c{self._number}.{self._lives}", wire)
                    if left is not None:
                        self._settle(talk, left)
                    left = None
                    while not self._act(talk):
                        pass
                    left = talk
            except (_EndedError, OSError):
                left = None
                time.sleep(0.005)  # the server is being killed
            except BaseException as error:
                self._traffic.failures.append(f"client {self._number}: {error!r}")
                raise

    def _value(self) -> str:
        self._values += 1
        return f"{self._number}.{self._values}"

    def _size(self) -> int:
        return self._chance.choices(*_SIZES)[0]

    # -- one step

    def _act(self, talk: _Talk) -> bool:
        """Do something; returns whether the connection is over by our own will."""
        chance = self._chance
        if chance.random() < 0.004:
            self._hang_up(talk)
            return True
        holding = [at for at, values in talk.held.items() if values]
        if holding and chance.random() < 0.5:
            queue, consumer = chance.choice(holding)
            how = chance.choice(("close", "close", "abort", "both"))
            if how == "both":
                talk.close_and_open(queue, consumer)
            else:
                talk.end(how, queue, consumer)
            return False
        queue = chance.choice(list(QUEUES))
        kind = chance.choice(QUEUES[queue])
        if kind in ("put", "expiring"):
            # The shortest life there is, or none at all.
            seconds = chance.choice((1, 1, 1, -1)) if kind == "expiring" else None
            talk.put(queue, self._value(), self._size(), seconds)
        elif kind in ("flush", "delete"):
            if chance.random() < 0.1:
                talk.discard(kind, queue)
        else:
            self._read(talk, kind, queue, chance.choice(("", *self._traffic.named)))
        return False

    def _read(self, talk: _Talk, kind: str, queue: str, consumer: str) -> None:
        wait_ms = self._chance.choice((1, 5, 30)) if kind.startswith("wait") else 0
        kind = {"wait": "get", "wait open": "open"}.get(kind, kind)
        held = len(talk.held[queue, consumer])
        limit = {"get": 1, "open": self._traffic.max_open}.get(kind)
        # What a deleted queue held does not count, and only the server knows when that was.
        if limit is None or held < limit:
            talk.read(kind, queue, consumer, wait_ms)
        elif queue != "waste":
            talk.refused_read(kind, queue, consumer)

    # -- hanging up

    def _hang_up(self, talk: _Talk) -> None:
        """Between two commands, or in the middle of one."""
        chance = self._chance
        queue = chance.choice(list(QUEUES))
        how = chance.choice(("between", "put", "half a put", "get", "open", "wait"))
        value = self._value()
        fields: dict[str, Any] = {"kind": "get", "queue": queue}
        request = b""
        if how == "put":
            request, fields = _set(queue, value, 10, None), {"kind": "put", "value": value}
        elif how == "half a put":
            size = self._size()
            request = _set(queue, value, size, None)[: -1 - chance.randrange(3)]
            fields = {"kind": "put", "value": value, "outcome": "refused"}
        elif how != "between" and not talk.held[queue, ""]:
            options = {"get": "", "open": "/open", "wait": "/t=50"}[how]
            request, fields = _get(queue + options), {"kind": "open" if how == "open" else "get"}
        begin = self._traffic.now()
        if request:
            talk.wire.send(request)
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.002))
        self._traffic.event("disconnected", talk.name)
        if chance.random() < 0.5:
            talk.wire.reset()
        else:
            talk.wire.close()
        if request:
            end = self._traffic.now() if fields.get("outcome") == "refused" else None
            talk.record(begin, end, queue=queue, **fields)

    def _settle(self, talk: _Talk, left: _Talk) -> None:
        """See to it that the server has noticed the end of the connection before."""
        # Whatever it still has to answer there is committed before what is put now.
        for queue in QUEUES:
            talk.put(queue, self._value(), 0)
        # It closes that one when all its replies have left, some turns of its loop later.
        time.sleep(0.02)
        for _ in range(4):
            talk.version()
        self._traffic.event("settled", left.name)
