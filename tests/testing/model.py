"""A simple queue server in virtual time, with clients that talk to it: it makes histories.

Each operation takes effect at some moment between being asked and being answered. What is written
becomes durable in order, and before its answer; a kill goes back to what is durable. `Simulation`
keeps every promise; `tests.testing.mutations` breaks one at a time.
"""

import random
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

from darnerpy.testing.history import Event, History, Operation

__all__ = ["Item", "Request", "Simulation"]


@dataclass(frozen=True, order=True)
class Item:
    place: int
    value: str = field(compare=False)
    expires: float = field(compare=False, default=inf)


class Write(NamedTuple):
    """A change of what is stored: create a consumer, put, confirm, flush (but what is held), delete."""

    step: str
    consumer: str = ""
    item: Item | None = None
    held: frozenset[tuple[str, Item]] = frozenset()


@dataclass(eq=False)
class Request:
    """kind, consumer, value, lasts, invoked: of the operation. wait: seconds to stay in line.

    number: of the last write its answer depends on.
    """

    client: "Client"
    kind: str
    consumer: str = ""
    value: str | None = None
    lasts: float | None = None
    wait: float = 0
    invoked: float = 0
    number: int = 0


@dataclass(eq=False)
class Client:
    name: str
    held: dict[str, Item] = field(default_factory=dict)  # by consumer
    pending: Request | None = None
    present: bool = True
    gone: bool = False
    answered: Callable[[str | None], None] = print


@dataclass
class Consumer:
    """holders: by which request an item is held. line: who waits for one."""

    waiting: list[Item] = field(default_factory=list)
    holders: dict[Item, Request] = field(default_factory=dict)
    line: list[Request] = field(default_factory=list)


class Simulation:
    """One queue `q`, its consumers, and clients that do what chance tells them until a moment.

    kinds: what they do, each as likely as often as it is named. Beyond the operations of a history:
    `hang up`, `expiring` (a put that expires), `wait` (a get that waits). kills: how often the server
    is killed. open_timeout: seconds, or None.
    """

    def __init__(
        self,
        seed: int,
        kinds: tuple[str, ...],
        clients: int = 4,
        until: float = 3.0,
        kills: int = 0,
        named: tuple[str, ...] = (),
        open_timeout: float | None = None,
    ) -> None:
        self.chance = random.Random(seed)
        self.history = History(about=f"seed {seed}")
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()
        self._names = count(1)
        self._kinds = kinds
        self._until = until
        self._named = named
        self._open_timeout = open_timeout
        self.places = count()
        self.consumers: dict[str, Consumer] = {"": Consumer()}
        # What a kill goes back to: all writes, of which so many are durable.
        self.log: list[Write] = []
        self.durable = 0
        self._life = 0
        self._clients: list[Client] = []
        for _ in range(clients):
            self._arrive()
        for number in range(kills):
            self.at(until * (number + 1) / (kills + 1), self._kill)

    def run(self) -> History:
        self.at(self._until, self._end)
        while self._events:
            moment, _, act = heappop(self._events)
            self.now = max(self.now, moment)
            act()
        return self.history

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heappush(self._events, (moment, next(self._sequence), act))

    def after(self, mean: float, act: Callable[[], None]) -> None:
        """In this life of the server."""
        life = self._life

        def unless_killed() -> None:
            if life == self._life:
                act()

        self.at(self.now + self.chance.expovariate(1 / mean), unless_killed)

    # -- clients -----------------------------------------------------------------------------------

    def _arrive(self) -> None:
        client = Client(f"c{next(self._names)}")
        client.answered = lambda value: self.after(0.01, lambda: self._act(client))
        self._clients.append(client)
        self.after(0.01, lambda: self._act(client))

    def _act(self, client: Client) -> None:
        if not client.present or self.now >= self._until:
            return
        kind = self.chance.choice(self._kinds)
        if kind == "hang up":
            self._hang_up(client)
            return
        if kind in ("close", "abort"):
            if not client.held:
                client.answered(None)
                return
            consumer = self.chance.choice(list(client.held))
            self._ask(Request(client, kind, consumer, client.held[consumer].value))
            return
        if kind in ("put", "expiring"):
            lasts = self.chance.choice((0.0, 0.1, 0.3)) if kind == "expiring" else None
            self._ask(Request(client, "put", value=f"v{next(self._names)}", lasts=lasts))
            return
        if kind in ("flush", "delete"):
            self._ask(Request(client, kind))
            return
        consumer = self.chance.choice(("", *self._named))
        if consumer in client.held and kind != "peek":
            kind = "peek"
        wait = self.chance.uniform(0.01, 0.2) if kind == "wait" else 0
        kind = "get" if kind == "wait" else kind
        lasts = self._open_timeout if kind == "open" else None
        self._ask(Request(client, kind, consumer, lasts=lasts, wait=wait))

    def _ask(self, request: Request) -> None:
        request.invoked = self.now
        request.client.pending = request
        self.after(0.004, lambda: self._arrived(request))
        if "hang up" in self._kinds and self.chance.random() < 0.05:
            self.after(0.006, lambda: self._hang_up(request.client))

    def _hang_up(self, client: Client) -> None:
        if client not in self._clients:
            return
        client.present = False
        self._clients.remove(client)
        self.history.events.append(Event("disconnected", self.now, client.name))
        self._unanswered(client)
        self.after(0.005, lambda: self._notice(client))
        if self.now < self._until:
            self._arrive()

    def _notice(self, client: Client) -> None:
        self.end_session(client)
        client.gone = True
        self.history.events.append(Event("settled", self.now, client.name))

    def _unanswered(self, client: Client) -> None:
        request, client.pending = client.pending, None
        if request is not None:
            self._record(request, None, "unknown", request.value)

    def _record(
        self, request: Request, returned: float | None, outcome: str, value: str | None
    ) -> None:
        self.history.operations.append(
            Operation(
                client=request.client.name,
                kind=request.kind,  # type: ignore[arg-type]
                queue="q",
                invoked=request.invoked,
                returned=returned,
                outcome=outcome,  # type: ignore[arg-type]
                value=value,
                consumer=request.consumer,
                lasts=request.lasts,
            )
        )

    def answer(self, request: Request, value: str | None, outcome: str = "ok") -> None:
        """The answer is on its way once what it depends on is durable."""

        def arrive() -> None:
            self.durable = max(self.durable, request.number)
            if request.client.pending is not request:
                return
            request.client.pending = None
            self._record(request, self.now, outcome, value)
            request.client.answered(value)

        self.after(0.004, arrive)

    # -- the server --------------------------------------------------------------------------------

    def _arrived(self, request: Request) -> None:
        if not request.client.gone:
            name = request.consumer
            if name not in self.consumers:
                self.write(request, Write("create", name))
            elif name:
                # Whoever made it may not have been answered yet: all that is said of it needs it.
                created = (n for n in range(len(self.log), 0, -1) if self._creates(n, name))
                request.number = next(created)
            getattr(self, request.kind)(request)

    def _creates(self, number: int, name: str) -> bool:
        write = self.log[number - 1]
        return write.step == "create" and write.consumer == name

    def write(self, request: Request, write: Write) -> None:
        self.log.append(write)
        request.number = len(self.log)
        self.apply(write)

    def apply(self, write: Write) -> None:
        """What a write does to what is stored."""
        step, name, item, held = write
        if step == "create":
            self.consumers.setdefault(name, Consumer())
        elif step == "put" and item is not None:
            for consumer in self.consumers.values():
                consumer.waiting.append(item)
        elif step == "confirm" and item is not None:
            consumer = self.consumers[name]
            consumer.holders.pop(item, None)
            if item in consumer.waiting:
                consumer.waiting.remove(item)
        elif step == "flush":
            for name, consumer in self.consumers.items():
                consumer.waiting = [item for item in consumer.waiting if (name, item) in held]
        elif step == "delete":
            self.consumers = {"": Consumer()}

    def put(self, request: Request) -> None:
        expires = inf if request.lasts is None else self.now + request.lasts
        item = Item(next(self.places), request.value or "", expires)
        self.write(request, Write("put", item=item))
        self.answer(request, request.value)
        for consumer in self.consumers.values():
            self.serve(consumer)

    def first(self, consumer: Consumer) -> Item | None:
        while consumer.waiting and consumer.waiting[0].expires <= self.now:
            consumer.waiting.pop(0)
        return consumer.waiting[0] if consumer.waiting else None

    def get(self, request: Request) -> None:
        consumer = self.consumers[request.consumer]
        if consumer.line or not self.take(consumer, request):
            if not request.wait:
                self.answer(request, None)
                return
            consumer.line.append(request)

            def tire() -> None:
                if request in consumer.line:
                    consumer.line.remove(request)
                    self.answer(request, None)

            self.after(request.wait, tire)

    def take(self, consumer: Consumer, request: Request) -> bool:
        item = self.first(consumer)
        if item is None:
            return False
        self.confirm(request, request.consumer, item)
        self.answer(request, item.value)
        return True

    def confirm(self, request: Request, consumer: str, item: Item) -> None:
        self.write(request, Write("confirm", consumer, item))

    def open(self, request: Request) -> None:
        consumer = self.consumers[request.consumer]
        item = self.first(consumer)
        if item is None or consumer.line:
            self.answer(request, None)
            return
        self.hold(consumer, item, request)
        self.depend(request, item)
        self.answer(request, item.value)
        if request.lasts is not None:
            self.at(self.now + request.lasts, lambda: self.time_out(request, item))

    def hold(self, consumer: Consumer, item: Item, request: Request) -> None:
        consumer.waiting.remove(item)
        consumer.holders[item] = request
        request.client.held[request.consumer] = item

    def depend(self, request: Request, item: Item) -> None:
        """What is shown must be durable."""
        at = next((n for n, w in enumerate(self.log) if w.step == "put" and w.item == item), -1)
        request.number = max(request.number, at + 1)

    def holder(self, consumer: str, item: Item) -> Client | None:
        request = self.consumers[consumer].holders.get(item)
        return None if request is None else request.client

    def time_out(self, request: Request, item: Item) -> None:
        consumer = self.consumers.get(request.consumer)
        if consumer is not None and consumer.holders.get(item) is request:
            self.give_back(consumer, item)

    def peek(self, request: Request) -> None:
        item = self.first(self.consumers[request.consumer])
        if item is not None:
            self.depend(request, item)
        self.answer(request, None if item is None else item.value)

    def close(self, request: Request) -> None:
        item = request.client.held.pop(request.consumer)
        if self.holder(request.consumer, item) is request.client:
            self.confirm(request, request.consumer, item)
        self.answer(request, item.value)

    def abort(self, request: Request) -> None:
        item = request.client.held.pop(request.consumer)
        if self.holder(request.consumer, item) is request.client:
            self.give_back(self.consumers[request.consumer], item)
        self.answer(request, item.value)

    def give_back(self, consumer: Consumer, item: Item) -> None:
        """To its place."""
        del consumer.holders[item]
        insort(consumer.waiting, item)
        self.serve(consumer)

    def serve(self, consumer: Consumer) -> None:
        while consumer.line and self.first(consumer) is not None:
            request = consumer.line.pop(0)
            if request.client.present:
                self.take(consumer, request)

    def flush(self, request: Request) -> None:
        held = ((name, item) for name, c in self.consumers.items() for item in c.holders)
        self.write(request, Write("flush", held=frozenset(held)))
        self.answer(request, None)

    def delete(self, request: Request) -> None:
        for waiter in [each for consumer in self.consumers.values() for each in consumer.line]:
            self.answer(waiter, None)
        self.write(request, Write("delete"))
        self.answer(request, None)

    def end_session(self, client: Client) -> None:
        for consumer in self.consumers.values():
            for item in [i for i, by in consumer.holders.items() if by.client is client]:
                self.give_back(consumer, item)

    # -- kill and drain ----------------------------------------------------------------------------

    def _kill(self) -> None:
        self.history.events.append(Event("killed", self.now))
        self._life += 1
        killed, self._clients = self._clients, []
        for client in killed:
            client.present = False
            client.gone = True
            self._unanswered(client)
        self.recover()
        self.now += 0.02
        self.history.events.append(Event("started", self.now))
        for _ in killed:
            self._arrive()

    def recover(self) -> None:
        """Go back to what is durable, or to more, as far as it was written by chance.

        What is found has been on the disk: the next kill does not take it back.
        """
        self.restore(self.chance.randint(self.durable, len(self.log)))
        self.durable = len(self.log)

    def restore(self, written: int) -> None:
        """What there is after so many writes."""
        del self.log[written:]
        self.durable = min(self.durable, written)
        self.consumers = {"": Consumer()}
        for write in self.log:
            self.apply(write)

    def _end(self) -> None:
        """All hang up, and someone else takes what is left."""
        self.at(self.now + 0.5, self._all_hang_up)
        self.at(self.now + 1.0, lambda: self._drain(["", *self._named]))

    def _all_hang_up(self) -> None:
        for client in list(self._clients):
            self._hang_up(client)

    def _drain(self, left: list[str]) -> None:
        if not left:
            return
        client = Client("drain")

        def answered(value: str | None) -> None:
            if value is None:
                self.history.drained.append(("q", left.pop()))
            if left:
                self._ask(Request(client, "get", left[-1]))

        client.answered = answered
        self._ask(Request(client, "get", left[-1]))
