"""Clients of a simulated server, each doing one thing after another as chance has it.

Owns what they ask, and the record of what they were told. A client that gets an error hangs up: what
the server says then is that it does not know, and so does the client.
"""

import random
from collections import deque
from typing import Any

from ..history import Event, History, Kind, Operation
from .world import Link, World

__all__ = ["Client", "Traffic"]

_READS: dict[str, Kind] = {"": "get", "/open": "open", "/peek": "peek"}


class Traffic:
    """What all clients share. named: consumers besides the queues' own."""

    def __init__(
        self,
        world: World,
        chance: random.Random,
        queues: list[str],
        named: list[str],
        discards: bool,
    ) -> None:
        self.world = world
        self.chance = chance
        self.queues = queues
        self.named = named
        self.discards = discards
        self.history = History()
        self.answers = 0
        self._numbers = 0

    def now(self) -> float:
        """Seconds; no two moments are the same."""
        self.world.clock.now += 0.001
        return self.world.clock.now / 1000

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def event(self, kind: Any, client: str = "") -> None:
        self.history.events.append(Event(kind, self.now(), client))


class Client:
    """One connection after another; busy: an answer is waited for."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._chance = traffic.chance
        self.connect()

    def connect(self) -> None:
        self.name = f"c{self._traffic.number()}"
        self.busy = False
        self._held: dict[tuple[str, str], deque[str]] = {}
        self._heard = b""
        self._asked: list[dict[str, Any]] = []
        self._link = Link(self._traffic.world, self._hear)

    def end(self) -> None:
        """The server is gone: what was asked is not known to have happened."""
        for fields in self._asked:
            self._record(fields, None, outcome="unknown")
        self._asked = []

    # -- asking ------------------------------------------------------------------------------------

    def act(self) -> None:
        """Ask for something, or hang up."""
        chance, traffic = self._chance, self._traffic
        if self.busy:
            if chance.random() < 0.02:
                self._hang_up()
            return
        holding = [at for at, values in self._held.items() if values]
        queue = chance.choice(traffic.queues)
        if holding and chance.random() < 0.5:
            self._end_read(*chance.choice(holding))
        elif chance.random() < 0.45:
            self.put(queue)
        elif traffic.discards and chance.random() < 0.03:
            kind = chance.choice(("flush", "delete"))
            self._ask(f"{kind} {queue}", b"", [{"kind": kind, "queue": queue}])
        else:
            self.read(queue, chance.choice(["", *traffic.named]))

    def put(self, queue: str) -> None:
        value = f"v{self._traffic.number()}"
        data = value.encode() + b":" + b"x" * self._chance.choice((0, 10, 300))
        seconds = self._chance.choice((0, 0, 0, 0, 1))
        line = f"set {queue} 0 {seconds} {len(data)}"
        fields: dict[str, Any] = {"kind": "put", "queue": queue, "value": value}
        if seconds:
            fields["lasts"] = float(seconds)
        self._ask(line, data + b"\r\n", [fields])

    def read(self, queue: str, consumer: str, options: str | None = None) -> None:
        if options is None:
            options = self._chance.choice(("", "/open", "/open", "/peek"))
        held = bool(self._held.get((queue, consumer)))
        if held and options != "/peek":
            self._end_read(queue, consumer)
            return
        kind = _READS[options]
        wait = self._chance.choice(("", "", "/t=5", "/t=50"))
        name = _name(queue, consumer)
        fields = {"kind": kind, "queue": queue, "consumer": consumer}
        self._ask(f"get {name}{options}{wait}", b"", [fields])

    def drain(self, queue: str, consumer: str) -> None:
        fields = {"kind": "get", "queue": queue, "consumer": consumer}
        self._ask(f"get {_name(queue, consumer)}", b"", [fields])

    def _end_read(self, queue: str, consumer: str) -> None:
        how = self._chance.choice(("close", "close", "abort", "close/open"))
        fields = {"queue": queue, "consumer": consumer}
        asked: list[dict[str, Any]] = [
            {**fields, "kind": how[:5], "value": self._held[queue, consumer].popleft()}
        ]
        if how == "close/open":
            asked.append({**fields, "kind": "open"})
        self._ask(f"get {_name(queue, consumer)}/{how}", b"", asked)

    def _ask(self, line: str, block: bytes, asked: list[dict[str, Any]]) -> None:
        for fields in asked:
            fields["invoked"] = self._traffic.now()
        self._asked = asked
        self.busy = True
        self._heard = b""
        data = line.encode() + b"\r\n" + block
        cut = self._chance.randrange(len(data) + 1)
        for part in (data[:cut], data[cut:]):
            if part:
                self._link.send(part)

    def _hang_up(self) -> None:
        self._traffic.event("disconnected", self.name)
        link = self._link
        self.end()
        self.connect()
        link.hang_up()

    # -- hearing -----------------------------------------------------------------------------------

    def _hear(self, data: bytes) -> None:
        self._heard += data
        if not self._heard.endswith(b"\r\n"):
            return
        reply, asked = self._heard, self._asked
        value = None
        if reply.startswith(b"VALUE "):
            header, _, rest = reply.partition(b"\r\n")
            size = int(header.split()[3])
            if len(rest) < size + 7:
                return
            value = rest[:size].partition(b":")[0].decode()
        elif b"_ERROR " in reply:
            self._hang_up()
            return
        self._asked, self._heard, self.busy = [], b"", False
        self._traffic.answers += 1
        for fields in asked:
            if fields["kind"] in ("get", "open", "peek"):
                fields["value"] = value
                if fields["kind"] == "open" and value is not None:
                    at = (fields["queue"], fields["consumer"])
                    self._held.setdefault(at, deque()).append(value)
            self._record(fields, self._traffic.now())
        self.last = value

    def _record(self, fields: dict[str, Any], returned: float | None, **more: Any) -> None:
        operation = Operation(client=self.name, returned=returned, **fields, **more)
        self._traffic.history.operations.append(operation)


def _name(queue: str, consumer: str) -> str:
    return f"{queue}+{consumer}" if consumer else queue
