"""Monitor: items as they come, held by the client until it confirms them or hangs up."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, STORED, hit
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop", "max_open_reads": 10},
    "asyncio-synced": {"loop": "asyncio", "sync": "always", "max_open_reads": 10},
    "pump": {"loop": "pump", "max_open_reads": 10},
    "memory": {"engine": "memory", "max_open_reads": 10},
}

KIB, MIB = 1 << 10, 1 << 20
LEAVE = {"close": Wire.close, "half-close": Wire.end_input, "reset": Wire.reset}
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())


def drain(wire: Wire, queue: str) -> list[bytes]:
    return list(iter(lambda: wire.get(queue), None))


def test_items_are_sent_as_they_come(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as reader:
        reader.send(f"monitor {queue} 60 3\r\nversion\r\n".encode())
        for number in range(1, 4):
            wire.wait_until(queue, waiters=1, open_transactions=number - 1)
            reader.expect_silence()
            wire.put(queue, b"%d" % number)
            assert reader.read_reply() == hit(queue, b"%d" % number) + END
        reader.expect(END + b"VERSION 1.0.0\r\n")
        assert wire.stats(queue)["open_transactions"] == "3"
        assert reader.ask(f"confirm {queue} 3\r\n".encode()) == END
    assert drain(wire, queue) == []


def test_its_time(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"1")
    begin = time.monotonic()
    wire.send(f"monitor {queue} 3\r\n".encode())
    wire.expect(hit(queue, b"1") + END)
    assert time.monotonic() - begin < 2.9
    with server.connect() as other:
        time.sleep(0.5)
        other.put(queue, b"2")
    wire.expect(hit(queue, b"2") + END)
    wire.expect(END)
    assert 2.95 < time.monotonic() - begin < 8


def test_its_time_while_items_keep_coming(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_reads=1_000_000)
    stop = threading.Event()

    def keep_coming() -> None:
        with server.connect() as producer:
            # Faster, and there may be the most open reads of one consumer before the time is over.
            while not stop.wait(0.002):
                producer.put("work", *[b"x"] * 100)

    producer = threading.Thread(target=keep_coming)
    producer.start()
    try:
        with server.connect() as reader:
            begin = time.monotonic()
            reader.send(b"monitor work 1\r\n")
            reader.read_until(END + END)
            assert 0.95 < time.monotonic() - begin < 10
    finally:
        stop.set()
        producer.join()


@leaving
@pytest.mark.parametrize("put", [0, 1, 4])
def test_who_hangs_up_gives_all_back(
    server: ServerProcess, wire: Wire, queue: str, leave: Callable[[Wire], None], put: int
) -> None:
    items = [b"%d" % number for number in range(put)]
    wire.make(queue)
    wire.put(queue, *items)
    with server.connect() as reader:
        reader.send(f"monitor {queue} 60\r\n".encode())
        wire.wait_until(queue, waiters=1, open_transactions=put)
        leave(reader)
        wire.wait_until(queue, waiters=0, open_transactions=0, items=put)
    wire.put(queue, b"later")
    assert drain(wire, queue) == [*items, b"later"]


def test_end_of_input(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, *(b"%d" % number for number in range(5)))
    with server.connect() as reader:
        reader.send(f"monitor {queue} 60\r\n".encode())
        reader.end_input()
        expected = b"".join(hit(queue, b"%d" % number) + END for number in range(5))
        assert reader.read_to_end() == expected + END
    wire.wait_until(queue, items=5, open_transactions=0)


def test_end_of_input_with_most_items_on_disk(make_server: MakeServer) -> None:
    server = make_server(sync="never", window_memory="8KiB", max_open_reads=1000)
    items = [b"%d" % number for number in range(2000)]
    with server.connect() as wire:
        wire.put("work", *items)
        server.restart()
    with server.connect() as reader:
        reader.send(b"monitor work 60\r\n")
        reader.end_input()
        expected = b"".join(hit("work", item) + END for item in items[:1000])
        assert reader.read_to_end() == expected + END


def test_monitors_take_turns(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as first, server.connect() as second:
        for number, reader in enumerate((first, second), 1):
            reader.send(f"monitor {queue} 60 2\r\n".encode())
            wire.wait_until(queue, waiters=number)
        for number in range(4):
            wire.put(queue, b"%d" % number)
            wire.wait_until(queue, open_transactions=number + 1)
        for reader, numbers in ((first, (b"0", b"2")), (second, (b"1", b"3"))):
            reader.expect(b"".join(hit(queue, number) + END for number in numbers) + END)


def test_what_comes_back_goes_to_it(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"held")
    with server.connect() as holder:
        assert holder.get(f"{queue}/open") == b"held"
        wire.send(f"monitor {queue} 60 1\r\n".encode())
        with server.connect() as other:
            other.wait_until(queue, waiters=1)
    wire.expect(hit(queue, b"held") + END + END)


def test_deleting_its_queue_ends_it(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    with server.connect() as reader:
        reader.send(f"monitor {queue} 60\r\n".encode())
        reader.expect(hit(queue) + END)
        wire.wait_until(queue, waiters=1)
        assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        reader.expect(END)
        assert reader.ask(f"confirm {queue} 1\r\n".encode()) == b"ERROR\r\n"


def test_many_and_large_items_for_a_slow_reader(make_server: MakeServer) -> None:
    """Items are given as fast as they are read, whatever the limit on open reads."""
    server = make_server(sync="never", max_open_reads=100_000, window_memory="1MiB")
    items = [b"%d" % number * (40 * KIB) for number in range(1000, 1400)]
    items[100] = items[300] = b"x" * MIB
    with server.connect() as wire, server.connect() as reader:
        wire.put("work", *items)
        before = server.memory()
        reader.send(b"monitor work 60 400\r\nconfirm work 400\r\n")
        time.sleep(0.5)
        assert int(wire.stats("work")["open_transactions"]) < 400
        assert server.memory() - before < 40 * MIB
        for item in items:
            assert reader.read_reply() == hit("work", item) + END
        reader.expect(END + END)
        assert drain(wire, "work") == []


def test_many_small_items(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_reads=100_000)
    items = [b"%d" % number for number in range(5000)]
    with server.connect() as wire, server.connect() as reader:
        wire.put("work", *items)
        reader.send(b"monitor work 60 5000\r\nconfirm work 2500\r\n")
        reader.expect(b"".join(hit("work", item) + END for item in items) + END * 2)
        reader.close()
        wire.wait_until("work", items=2500)
        assert drain(wire, "work") == items[2500:]


def test_the_rest_waits_while_it_lasts(server: ServerProcess, wire: Wire, queue: str) -> None:
    with server.connect() as reader:
        reader.send(f"monitor {queue} 60 1\r\n".encode())
        reader.send(f"set {queue}-other 0 0 1\r\nx\r\n".encode())
        reader.expect_silence()
        assert wire.stats(f"{queue}-other") == {}
        wire.put(queue, b"x")
        reader.expect(hit(queue) + END + END + STORED)


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.stop])
def test_the_server_ends_during_it(
    make_server: MakeServer, end: Callable[[ServerProcess], None]
) -> None:
    server = make_server(sync="never", max_open_reads=10)
    with server.connect() as wire, server.connect() as reader:
        wire.put("work", b"1", b"2", b"3")
        reader.send(b"monitor work 60 2\r\nconfirm work 1\r\nmonitor work 60\r\n")
        given = b"".join(hit("work", b"%d" % number) + END for number in (1, 2))
        reader.expect(given + END * 2 + hit("work", b"3") + END)
        wire.wait_until("work", waiters=1)
        end(server)
        assert reader.read_to_end() == (END if end is ServerProcess.stop else b"")
    with server.restart().connect() as wire:
        assert drain(wire, "work") == [b"2", b"3"]


def test_counters(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_reads=10)
    with server.connect() as wire:
        wire.put("work", b"1", b"2")
        wire.send(b"monitor work 0\r\nmonitor work 0\r\n")
        wire.read_until(END * 3)
        stats = wire.stats()
        assert (stats["get_hits"], stats["get_misses"], stats["cmd_get"]) == ("2", "1", "3")
    wait_until(lambda: server.running)
