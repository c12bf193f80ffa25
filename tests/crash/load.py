"""A load that keeps the books: what was asked and answered, to be held against what is left.

A key is a queue or one of its named consumers, `jobs` or `jobs+audit`, as clients write it. Each of
them must get what was put to the queue; what was put to a consumer is for it alone.
"""

import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers import TIMEOUT, Wire, wait_until

__all__ = ["Books", "Ledger", "Load", "Promise", "drain", "missing_of", "verify"]

CONSUMERS = {"jobs": ("audit",), "mail": ("audit", "copy"), "work": ()}
KEYS = [key for q, names in CONSUMERS.items() for key in (q, *(f"{q}+{name}" for name in names))]


class KilledError(Exception):
    """The server is gone in the middle of a command."""


class RefusedError(Exception):
    """The server said that it cannot, and that the fault is its own."""


class Stopwatch:
    """Seconds that a load has been running, without those in which the server stood still."""

    def __init__(self) -> None:
        self._state: tuple[float | None, float] = (None, time.monotonic())

    def now(self) -> float:
        paused_at, begin = self._state
        return (paused_at or time.monotonic()) - begin

    @contextmanager
    def pause(self) -> Iterator[None]:
        at, begin = time.monotonic(), self._state[1]
        self._state = (at, begin)
        try:
            yield
        finally:
            self._state = (None, begin + time.monotonic() - at)


@dataclass
class Books:
    """What one connection did and learned, in order: when, what, of which key, which item.

    Each entry is whole by itself, so the first of them are the books as they stood at that time.
    """

    watch: Stopwatch
    entries: list[tuple[float, str, str, bytes]] = field(default_factory=list)

    def note(self, what: str, key: str, data: bytes = b"") -> None:
        self.entries.append((self.watch.now(), what, key, data))


class Ledger:
    """The books of all connections added up, by key and payload.

    sent: answered or not. acked: stored, said the server, and when we heard it (-1: it was asked to
    sync). gone: got or closed, and confirmed to be ours. closing: a close was sent whose answer was
    not seen. discarding, flushed, deleted: a flush or delete was sent, or answered. held: open.
    asked: plain gets under way, each may have cost an item.
    """

    def __init__(self, books: list[Books]) -> None:
        self.sent: dict[str, set[bytes]] = defaultdict(set)
        self.acked: dict[str, dict[bytes, float]] = defaultdict(dict)
        self.gone: dict[str, set[bytes]] = defaultdict(set)
        self.closing: dict[str, set[bytes]] = defaultdict(set)
        self.discarding: dict[str, set[bytes]] = defaultdict(set)
        self.flushed: dict[str, set[bytes]] = defaultdict(set)
        self.deleted: dict[str, set[bytes]] = defaultdict(set)
        self.held: dict[str, set[bytes]] = defaultdict(set)
        self.asked: dict[str, int] = defaultdict(int)
        self.refused = 0
        for each in books:
            for entry in list(each.entries):
                self._enter(*entry)

    def _enter(self, when: float, what: str, key: str, data: bytes) -> None:
        match what:
            case "sent":
                self.sent[key].add(data)
            case "acked" | "synced":
                self.acked[key][data] = when if what == "acked" else -1
            case "asked":
                self.asked[key] += 1
            case "took" | "missed":
                self.asked[key] -= 1
                if what == "took":
                    self.gone[key].add(data)
            case "held":
                self.held[key].add(data)
            case "closing":
                self.closing[key].add(data)
            case "closed":
                self.held[key].discard(data)
                self.closing[key].discard(data)
                self.gone[key].add(data)
            case "returning" | "returned":
                self.held[key].discard(data)  # whoever asks may have it by now
            case "discarding":
                self.discarding[key] |= self.acked[key].keys()
            case "flushed":
                self.flushed[key] |= self.discarding[key]
            case "deleted":
                self.deleted[key] |= self.discarding[key]
            case "refused":
                self.refused += 1

    def keys(self) -> list[str]:
        return sorted({*KEYS, *self.sent})

    def meant(self, key: str) -> dict[bytes, float]:
        """What a key must have been given, and when that was acknowledged."""
        queue = key.partition("+")[0]
        return self.acked[queue] | self.acked[key]

    def possible(self, key: str) -> set[bytes]:
        """What a key may have been given."""
        return self.sent[key.partition("+")[0]] | self.sent[key]

    @property
    def acknowledged(self) -> int:
        return sum(map(len, self.acked.values()))


@dataclass(frozen=True)
class Promise:
    """What a server must have kept, whatever happened to it.

    since: what was acknowledged after this moment of the load may be missing, but only from the end
    of what one connection put; what it was asked to sync may not. repeats: what was confirmed may
    come again, unless the queue was deleted.
    """

    since: float = float("inf")
    repeats: bool = False


class Load:
    """Threads that talk to a server until it is killed. seed: of all that is left to chance.

    tolerant: SERVER_ERROR is an answer like others, and means that it is not known what happened.
    patience: seconds in which every answer must come, those included in which the server is stopped.
    """

    def __init__(
        self,
        address: str,
        seed: int,
        name: str,
        largest: int = 300_000,
        tolerant: bool = False,
        patience: float = TIMEOUT,
    ) -> None:
        self.watch = Stopwatch()
        self.books: list[Books] = []
        self.failures: list[BaseException] = []
        self._address = address
        self._largest = largest
        self._tolerant = tolerant
        self._patience = patience
        self._threads: list[threading.Thread] = []
        chance = random.Random(seed)
        for work in [self._produce] * 3 + [self._consume] * 4 + [self._discard, self._upload_half]:
            books = Books(self.watch)
            self.books.append(books)
            who = f"{name}-{len(self.books)}"
            arguments = (work, books, random.Random(chance.random()), who)
            self._threads.append(threading.Thread(target=self._run, args=arguments, daemon=True))

    def start(self) -> None:
        with Wire(self._address) as wire:
            for key in KEYS:
                wire.get(f"{key}/peek")  # what is mentioned from now on gets everything
        for thread in self._threads:
            thread.start()

    def join(self) -> list[Books]:
        """After the kill: everyone has noticed. Raises what went wrong before it."""
        for thread in self._threads:
            thread.join()
        for failure in self.failures:
            raise failure
        return self.books

    def wait_for(self, acknowledged: int) -> None:
        """Until so many puts have been acknowledged."""
        wait_until(lambda: Ledger(self.books).acknowledged >= acknowledged)

    @property
    def commands(self) -> int:
        return sum(len(books.entries) for books in self.books)

    def _run(
        self,
        work: Callable[[Wire, Books, random.Random, str], None],
        books: Books,
        chance: random.Random,
        who: str,
    ) -> None:
        try:
            with Wire(self._address, self._patience) as wire:
                while True:
                    try:
                        work(wire, books, chance, who)
                    except RefusedError:
                        books.note("refused", "")
                        time.sleep(0.01)
        except (KilledError, ConnectionError):
            pass
        except BaseException as error:
            self.failures.append(error)

    def _payload(self, who: str, books: Books, chance: random.Random) -> bytes:
        sizes = (20, 200, 20_000, 70_000, self._largest)
        size = chance.choices(sizes, (50, 40, 6, 2, 2))[0]
        head = b"%b:%d:" % (who.encode(), len(books.entries))  # ever more, also after a refusal
        return head + b"x" * (chance.randrange(size) if size > 20_000 else size)

    def _produce(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        key = chance.choice(list(CONSUMERS) if chance.random() < 0.9 else KEYS)
        batch = []
        for _ in range(chance.choice((1, 1, 1, 5, 30))):
            batch.append(self._payload(who, books, chance))
            books.note("sent", key, batch[-1])
        sync = chance.random() < 0.05
        name = key.encode() + (b"/sync" if sync else b"")
        wire.send(b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (name, len(d), d) for d in batch))
        refusal: RefusedError | None = None
        for data in batch:
            try:
                self._expect(wire, b"STORED\r\n")
                books.note("synced" if sync else "acked", key, data)
            except RefusedError as error:
                refusal = error
        if refusal is not None:
            raise refusal

    def _consume(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        key = chance.choice(KEYS)
        name = key.encode()
        if chance.random() < 0.5:
            books.note("asked", key)
            try:
                data = self._get(wire, name)
            except RefusedError:
                books.note("missed", key)  # what is refused was not taken
                raise
            books.note("missed" if data is None else "took", key, data or b"")
            return
        data = self._get(wire, name + b"/open")
        if data is None:
            return
        books.note("held", key, data)
        if chance.random() < 0.3:
            books.note("returning", key, data)
            self._settle(wire, b"get %b/abort\r\n" % name)
            books.note("returned", key, data)
        else:
            books.note("closing", key, data)
            self._settle(wire, b"get %b/close\r\n" % name)
            books.note("closed", key, data)

    def _settle(self, wire: Wire, request: bytes) -> None:
        """Whoever holds an item must be able to get rid of it: again until that is answered."""
        while True:
            try:
                self._expect(wire, b"END\r\n", request)
                return
            except RefusedError:
                time.sleep(0.01)

    def _discard(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        """Fill a queue of its own and empty it again, by delete and by flush."""
        name = who.encode()
        for _ in range(chance.randrange(5)):
            data = self._payload(who, books, chance)
            books.note("sent", who, data)
            self._expect(wire, b"STORED\r\n", b"set %b 0 0 %d\r\n%b\r\n" % (name, len(data), data))
            books.note("acked", who, data)
        books.note("discarding", who)
        if chance.random() < 0.5:
            self._expect(wire, b"DELETED\r\n", b"delete %b\r\n" % name)
            books.note("deleted", who)
        else:
            self._expect(wire, b"END\r\n", b"flush %b\r\n" % name)
            books.note("flushed", who)

    def _upload_half(self, wire: Wire, books: Books, chance: random.Random, who: str) -> None:
        """Begin an item and hang up: it may never be found."""
        queue = chance.choice((*CONSUMERS, who)).encode()
        size = chance.choice((100, 300_000, 1_000_000))
        with Wire(self._address) as other:
            other.send(b"set %b 0 0 %d\r\nhalf" % (queue, size))
            other.send(b"x" * chance.randrange(size - 10))
            if not wire.ask(b"version\r\n").startswith(b"VERSION"):
                raise KilledError
        books.note("hung up", who)

    def _expect(self, wire: Wire, expected: bytes, request: bytes = b"") -> None:
        if request:
            wire.send(request)
        reply = wire.read_line()
        if reply != expected:
            self._refuse(reply, request)

    def _refuse(self, reply: bytes, request: bytes) -> None:
        if not reply.endswith(b"\r\n"):
            raise KilledError
        if self._tolerant and reply.startswith(b"SERVER_ERROR "):
            raise RefusedError(reply)
        raise AssertionError(f"{request[:60]!r} was answered {reply!r}")

    def _get(self, wire: Wire, key: bytes) -> bytes | None:
        wire.send(b"get %b\r\n" % key)
        header = wire.read_line()
        if header == b"END\r\n":
            return None
        if not header.startswith(b"VALUE "):
            self._refuse(header, b"get " + key)
        size = int(header.split()[3])
        block = wire.read(size + 7)
        if len(block) < size + 7:
            raise KilledError
        return block[:size]


def drain(address: str) -> dict[str, list[bytes]]:
    """Everything that is left, by queue, and by key for the named consumers of the load."""
    with Wire(address) as wire:
        queues = [re.fullmatch("queue_([^+]+)_state", name) for name in wire.stats()]
        names = [found[1] for found in queues if found]
        keys = [key for q in names for key in (q, *(f"{q}+{n}" for n in CONSUMERS.get(q, ())))]
        return {key: list(_drain(wire, key)) for key in keys}


def _drain(wire: Wire, key: str) -> Iterator[bytes]:
    name = key.encode()
    while (reply := wire.ask(b"get %b\r\n" % name)) != b"END\r\n":
        assert reply.endswith(b"\r\nEND\r\n"), f"get {key} was answered {reply[:200]!r}"
        yield reply[reply.index(b"\r\n") + 2 : -7]


def verify(
    books: list[Books] | Ledger, left: Mapping[str, list[bytes]], promise: Promise = Promise()
) -> list[str]:
    """What is wrong with what is left; nothing, one hopes."""
    ledger = books if isinstance(books, Ledger) else Ledger(books)
    wrong: list[str] = []
    for key in sorted({*ledger.keys(), *left}):
        items = left.get(key, [])
        wrong += [f"{key}: {each}" for each in _verify_key(ledger, key, items, promise)]
    return wrong


def _verify_key(ledger: Ledger, key: str, items: list[bytes], promise: Promise) -> Iterator[str]:
    present = set(items)
    if len(present) < len(items):
        yield "an item is there twice"
    for data in present - ledger.possible(key):
        yield f"{_short(data)} was never put to it whole"
    gone = ledger.deleted[key]
    if not promise.repeats:
        gone = gone | ledger.gone[key] | ledger.flushed[key]
    for data in present & gone:
        yield f"{_short(data)} came back"
    meant = ledger.meant(key)
    missing = missing_of(ledger, key, present)
    lost = {data for data in missing if meant[data] < promise.since}
    if len(lost) > ledger.asked[key] or lost & ledger.held[key]:
        for data in lost:
            yield f"{_short(data)} is lost"
    last: dict[bytes, int] = {}
    for data in items:
        who, number, _ = data.split(b":", 2)
        if int(number) < last.get(who, -1):
            yield f"{_short(data)} is out of order"
        last[who] = int(number)
    before = [d for d in missing if (o := d.split(b":", 2)) and int(o[1]) < last.get(o[0], -1)]
    if len(before) > ledger.asked[key]:
        yield f"{_short(before[0])} is missing before others of the same connection"


def missing_of(ledger: Ledger, key: str, present: set[bytes]) -> set[bytes]:
    """What was acknowledged and is not there, without what somebody has, or may have, confirmed."""
    excused = ledger.gone[key] | ledger.closing[key] | ledger.discarding[key]
    return ledger.meant(key).keys() - excused - present


def _short(data: bytes) -> str:
    return data[:40].split(b"x", 1)[0].decode(errors="replace")
