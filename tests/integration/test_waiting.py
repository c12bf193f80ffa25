"""Waiting for items: first come first served, never an early END, and no item for who has left."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.dialogues import END, hit
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio-synced": {"loop": "asyncio", "sync": "always"},
    "pump": {"loop": "pump"},
    "pump-synced": {"loop": "pump", "sync": "always"},
    "memory": {"engine": "memory"},
}

LEAVE = {"close": Wire.close, "half-close": Wire.end_input, "reset": Wire.reset}
Leave = Callable[[Wire], None]
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())


def start_waiting(wire: Wire, waiter: Wire, key: str) -> None:
    """Have a client wait, and return when it stands in line."""
    queue = key.partition("/")[0]
    before = int(wire.stats(queue)["waiters"])
    waiter.send(f"get {key}\r\n".encode())
    wire.wait_until(queue, waiters=before + 1)


@pytest.fixture
def line(server: ServerProcess, wire: Wire, queue: str) -> Iterator[list[Wire]]:
    """Twelve clients that wait in this order for items of the queue."""
    wire.make(queue)
    with ExitStack() as stack:
        waiters = [stack.enter_context(server.connect()) for _ in range(12)]
        for waiter in waiters:
            start_waiting(wire, waiter, f"{queue}/t=60000")
        yield waiters


def test_first_come_first_served(wire: Wire, queue: str, line: list[Wire]) -> None:
    for waiter, item in zip(line, b"abcdefghijkl", strict=True):
        wire.put(queue, b"%c" % item)
        assert waiter.read_reply() == hit(f"{queue}/t=60000", b"%c" % item) + END
    for waiter in line:
        waiter.expect_silence(0)


def test_many_items_at_once_find_their_waiters(wire: Wire, queue: str, line: list[Wire]) -> None:
    wire.put(queue, *(b"%d" % number for number in range(15)))
    for number, waiter in enumerate(line):
        assert waiter.read_reply() == hit(f"{queue}/t=60000", b"%d" % number) + END
    assert [wire.get(queue) for _ in range(4)] == [b"12", b"13", b"14", None]


def test_a_newcomer_does_not_overtake(
    server: ServerProcess, wire: Wire, queue: str, line: list[Wire]
) -> None:
    name = queue.encode()
    put_and_get = b"set %b 0 0 1\r\nx\r\nget %b\r\nget %b/open\r\n" % (name, name, name)
    wire.send(put_and_get)
    wire.expect(b"STORED\r\n" + END * 2)
    assert line[0].read_reply() == hit(f"{queue}/t=60000") + END
    with server.connect() as late:
        start_waiting(wire, late, f"{queue}/t=60000")
        wire.put(queue, b"y")
        assert line[1].read_reply() == hit(f"{queue}/t=60000", b"y") + END
        late.expect_silence()


@leaving
def test_who_leaves_the_line_gets_nothing(
    wire: Wire, queue: str, line: list[Wire], leave: Leave
) -> None:
    for leaver in line[:5] + line[6:10]:
        leave(leaver)
    wire.put(queue, b"1", b"2", b"3", b"4")  # at once: the loop may not have seen them go
    for waiter, item in zip((line[5], *line[10:]), b"123", strict=True):
        assert waiter.read_reply() == hit(f"{queue}/t=60000", b"%c" % item) + END
    assert wire.get(queue) == b"4"
    wire.wait_until(queue, waiters=0)


@leaving
@pytest.mark.parametrize("options", ["", "/open", "/peek"])
def test_a_waiter_that_vanishes_never_eats_an_item(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave, options: str
) -> None:
    wire.make(queue)
    for number in range(20):
        with server.connect() as waiter:
            start_waiting(wire, waiter, f"{queue}/t=60000{options}")
            leave(waiter)
            wire.put(queue, b"%d" % number)
            assert wire.get(f"{queue}/t=20000") == b"%d" % number


@leaving
def test_a_waiter_whose_input_is_not_read_never_eats_an_item(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    wire.make(queue)
    with server.connect() as waiter:
        start_waiting(wire, waiter, f"{queue}/t=60000")
        before = int(wire.stats()["bytes_read"])
        waiter.send(b"version\r\n" * 10_000)
        wait_until(lambda: int(wire.stats()["bytes_read"]) - before > 64 * 1024)
        read = int(wire.stats()["bytes_read"])
        # Not so much that the server's window is full: its kernel would not hear that the client leaves.
        waiter.send(b"version\r\n" * 2000)
        assert int(wire.stats()["bytes_read"]) - read < 10_000, "reading is not paused"
        leave(waiter)
        wire.put(queue, b"kept")
        assert wire.get(f"{queue}/t=20000") == b"kept"


def test_what_is_pipelined_behind_a_wait_is_answered(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    wire.make(queue)
    with server.connect() as waiter:
        start_waiting(wire, waiter, f"{queue}/t=60000")
        writer = threading.Thread(target=waiter.send, args=(b"version\r\n" * 100_000,))
        writer.start()
        wire.put(queue, b"x")
        waiter.expect(hit(f"{queue}/t=60000") + END)
        waiter.expect(b"VERSION 1.0.0\r\n" * 100_000)
        writer.join()


def test_end_comes_when_the_time_is_up(server: ServerProcess, wire: Wire, queue: str) -> None:
    with server.connect() as other:
        begin = time.monotonic()
        wire.send(f"get {queue}/t=300\r\n".encode())
        other.send(f"get {queue}/t=100/open\r\n".encode())
        assert other.read_reply() == END
        assert time.monotonic() - begin > 0.098  # timers have millisecond clocks
        assert wire.read_reply() == END
        assert 0.298 < time.monotonic() - begin < 5
    wire.put(queue, b"kept")
    assert wire.get(queue) == b"kept"


def test_no_early_end_and_every_item_once(server: ServerProcess, queue: str) -> None:
    """Workers that wait and those who put race; a third of the items is aborted once."""
    count, workers = 600, 12
    got: list[bytes] = []

    def work(number: int) -> None:
        with server.connect() as worker:
            for _ in range(count // workers):
                item = worker.get(f"{queue}/t=60000/open")
                assert item is not None
                if int(item) % 3 == number % 3:
                    assert worker.get(f"{queue}/abort") is None
                    item = worker.get(f"{queue}/t=60000/open")
                    assert item is not None
                assert worker.get(f"{queue}/close") is None
                got.append(item)

    def put(first: int) -> None:
        with server.connect() as producer:
            for number in range(first, count, 3):
                producer.put(queue, b"%d" % number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    threads += [threading.Thread(target=put, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [b"%d" % number for number in range(count)]


def test_peek_waiters_pass_the_item_on(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with ExitStack() as stack:
        one, two, getter, three = (stack.enter_context(server.connect()) for _ in range(4))
        start_waiting(wire, one, f"{queue}/t=60000/peek")
        start_waiting(wire, two, f"{queue}/peek/t=60000")
        start_waiting(wire, getter, f"{queue}/t=60000")
        start_waiting(wire, three, f"{queue}/t=60000/peek")
        wire.put(queue, b"x")
        assert one.read_reply() == hit(f"{queue}/t=60000/peek") + END
        assert two.read_reply() == hit(f"{queue}/peek/t=60000") + END
        assert getter.read_reply() == hit(f"{queue}/t=60000") + END
        three.expect_silence()
        wire.put(queue, b"y")
        assert three.read_reply() == hit(f"{queue}/t=60000/peek", b"y") + END
    assert wire.get(queue) == b"y"


def test_deleting_a_queue_ends_its_waits(wire: Wire, queue: str, line: list[Wire]) -> None:
    assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
    assert [waiter.read_reply() for waiter in line] == [END] * len(line)
    wire.put(queue, b"new")
    assert wire.get(queue) == b"new"


@pytest.mark.parametrize("flush", ["flush {}", "flush_all"])
def test_flushing_does_not_end_waits(wire: Wire, queue: str, line: list[Wire], flush: str) -> None:
    answer = {"flush {}": END, "flush_all": b"OK\r\n"}[flush]
    assert wire.ask(flush.format(queue).encode() + b"\r\n") == answer
    assert wire.stats(queue)["waiters"] == str(len(line))
    wire.put(queue, b"x")
    assert line[0].read_reply() == hit(f"{queue}/t=60000") + END


def test_waiting_on_the_first_of_several_keys(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    wire.make(queue)
    wire.put(f"{queue}-2", b"second")
    with server.connect() as waiter:
        start_waiting(wire, waiter, f"{queue}/t=60000 {queue}-2/open {queue}-3")
        waiter.expect_silence()
        assert wire.stats(f"{queue}-2")["items"] == "1"
        wire.put(queue, b"first")
        first, second = hit(f"{queue}/t=60000", b"first"), hit(f"{queue}-2/open", b"second")
        waiter.expect(first + second + END)
    assert wire.get(f"{queue}-2/t=20000") == b"second"


def test_a_client_that_is_slow_to_read_still_gets_its_item(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    wire.make(queue)
    with server.connect() as waiter:
        waiter.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        start_waiting(wire, waiter, f"{queue}/t=60000")
        data = b"x" * 32_000
        wire.put(queue, data)
        assert waiter.read_reply() == hit(f"{queue}/t=60000", data) + END
