"""A load that keeps the books: what was asked and answered, to be held against what is left."""

import random
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.servers import Wire

__all__ = ["Books", "Load", "drain", "verify"]

QUEUES = ("jobs", "mail", "work")


class KilledError(Exception):
    """The server is gone in the middle of a command."""


@dataclass
class Books:
    """One connection's knowledge, by payload.

    sent: answered or not. acked: stored, said the server. taken: got, and confirmed to be ours.
    closing: a close was sent whose answer was not seen. discarded, discarding: the same of delete
    and flush. held: open. asked: a plain get was under way at the end, and may have cost an item.
    """

    sent: set[bytes] = field(default_factory=set)
    acked: set[bytes] = field(default_factory=set)
    taken: set[bytes] = field(default_factory=set)
    closing: set[bytes] = field(default_factory=set)
    discarded: set[bytes] = field(default_factory=set)
    discarding: set[bytes] = field(default_factory=set)
    held: set[bytes] = field(default_factory=set)
    asked: bool = False
    commands: int = 0


class Load:
    """Threads that talk to a server until it is killed. seed: of all that is left to chance."""

    def __init__(self, address: str, seed: int, name: str, largest: int = 300_000) -> None:
        self.books: list[Books] = []
        self.failures: list[BaseException] = []
        self._address = address
        self._name = name
        self._largest = largest
        self._threads: list[threading.Thread] = []
        random_of = random.Random(seed)
        for work in [self._produce] * 3 + [self._consume] * 3 + [self._discard, self._upload_half]:
            books = Books()
            self.books.append(books)
            who = f"{name}-{len(self.books)}"
            arguments = (work, books, random.Random(random_of.random()), who)
            self._threads.append(threading.Thread(target=self._run, args=arguments, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> list[Books]:
        """After the kill: everyone has noticed. Raises what went wrong before it."""
        for thread in self._threads:
            thread.join()
        for failure in self.failures:
            raise failure
        return self.books

    @property
    def commands(self) -> int:
        return sum(books.commands for books in self.books)

    def _run(
        self,
        work: Callable[[Wire, Books, random.Random, str], None],
        books: Books,
        chance: random.Random,
        who: str,
    ) -> None:
        try:
            with Wire(self._address) as wire:
                work(wire, books, chance, who)
        except (KilledError, ConnectionError):
            pass
        except BaseException as error:
            self.failures.append(error)

    def _payload(self, who: str, number: int, chance: random.Random) -> bytes:
        sizes = (20, 200, 20_000, 70_000, self._largest)
        size = chance.choices(sizes, (50, 40, 6, 2, 2))[0]
        head = b"%b:%d:" % (who.encode(), number)
        return head + b"x" * (chance.randrange(size) if size > 20_000 else size)

    def _produce(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        number = 0
        while True:
            queue = chance.choice(QUEUES).encode()
            batch = []
            for _ in range(chance.choice((1, 1, 1, 5, 30))):
                number += 1
                batch.append(self._payload(who, number, chance))
            books.sent.update(batch)
            wire.send(b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (queue, len(d), d) for d in batch))
            for data in batch:
                _expect(wire, books, b"STORED\r\n")
                books.acked.add(data)

    def _consume(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        while True:
            queue = chance.choice(QUEUES).encode()
            if chance.random() < 0.5:
                books.asked = True
                data = _get(wire, books, queue)
                books.asked = False
                if data is not None:
                    books.taken.add(data)
                continue
            data = _get(wire, books, queue + b"/open")
            if data is None:
                continue
            books.held = {data}
            if chance.random() < 0.3:
                _expect(wire, books, b"END\r\n", b"get %b/abort\r\n" % queue)
            else:
                books.closing.add(data)
                _expect(wire, books, b"END\r\n", b"get %b/close\r\n" % queue)
                books.closing.discard(data)
                books.taken.add(data)
            books.held = set()

    def _discard(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        """Fill a queue of its own and empty it again, by delete and by flush."""
        number = 0
        queue = who.encode()
        while True:
            for _ in range(chance.randrange(5)):
                number += 1
                data = self._payload(who, number, chance)
                books.sent.add(data)
                request = b"set %b 0 0 %d\r\n%b\r\n" % (queue, len(data), data)
                _expect(wire, books, b"STORED\r\n", request)
                books.acked.add(data)
            books.discarding = books.acked - books.discarded
            if chance.random() < 0.5:
                _expect(wire, books, b"DELETED\r\n", b"delete %b\r\n" % queue)
            else:
                _expect(wire, books, b"END\r\n", b"flush %b\r\n" % queue)
            books.discarded |= books.discarding

    def _upload_half(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        """Begin items and hang up, again and again: none of them may ever be found."""
        while True:
            queue = chance.choice((*QUEUES, who)).encode()
            size = chance.choice((100, 300_000, 1_000_000))
            with Wire(self._address) as other:
                other.send(b"set %b 0 0 %d\r\nhalf" % (queue, size))
                other.send(b"x" * chance.randrange(size - 10))
                if not wire.ask(b"version\r\n").startswith(b"VERSION"):
                    raise KilledError
            books.commands += 1


def _expect(wire: Wire, books: Books, expected: bytes, request: bytes = b"") -> None:
    if request:
        wire.send(request)
    reply = wire.read_line()
    if reply != expected:
        if reply.endswith(b"\r\n"):
            raise AssertionError(f"{request[:60]!r} was answered {reply!r}")
        raise KilledError
    books.commands += 1


def _get(wire: Wire, books: Books, key: bytes) -> bytes | None:
    wire.send(b"get %b\r\n" % key)
    header = wire.read_line()
    if header == b"END\r\n":
        books.commands += 1
        return None
    if not header.endswith(b"\r\n"):
        raise KilledError
    if not header.startswith(b"VALUE "):
        raise AssertionError(f"get {key!r} was answered {header!r}")
    size = int(header.split()[3])
    block = wire.read(size + 7)
    if len(block) < size + 7:
        raise KilledError
    books.commands += 1
    return block[:size]


def drain(address: str) -> dict[str, list[bytes]]:
    """Everything in all queues, by queue."""
    with Wire(address) as wire:
        queues = [re.fullmatch("queue_(.+)_total_items", name) for name in wire.stats()]
        return {found[1]: list(_drain(wire, found[1])) for found in queues if found}


def _drain(wire: Wire, queue: str) -> Iterator[bytes]:
    while (data := wire.get(queue)) is not None:
        yield data


def verify(books: list[Books], left: dict[str, list[bytes]]) -> list[str]:
    """What is wrong with what is left; nothing, one hopes."""

    def united(what: str) -> set[bytes]:
        return set().union(*(getattr(each, what) for each in books))

    found = [data for items in left.values() for data in items]
    present = set(found)
    wrong = [f"{_short(data)} is there twice" for data in present if found.count(data) > 1]
    wrong += [f"{_short(data)} was never sent whole" for data in present - united("sent")]
    gone = united("taken") | united("discarded")
    wrong += [f"{_short(data)} came back" for data in present & gone]
    excused = gone | united("closing") | united("discarding")
    missing = united("acked") - excused - present
    if len(missing) > sum(each.asked for each in books) or missing & united("held"):
        wrong += [f"{_short(data)} is lost" for data in missing]
    for queue, items in left.items():
        numbers: dict[bytes, list[int]] = defaultdict(list)
        for data in items:
            who, number, _ = data.split(b":", 2)
            numbers[who].append(int(number))
        if any(order != sorted(order) for order in numbers.values()):
            wrong.append(f"{queue} is out of order")
    return wrong


def _short(data: bytes) -> str:
    return data[:40].split(b"x", 1)[0].decode(errors="replace")
