"""What a queue takes on disk: what somebody is still to get, and little more, whatever is held back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.crash import disks
from tests.servers import ServerProcess, Wire, wait_until

MB = 1_000_000
REST = 4 * MB
"""What may be left beside what is not confirmed, when a queue was left alone."""
BUSY = 160 * MB
"""What may be there beside twice what is not confirmed, while a queue is in use: 110, and 50 for what a
busy machine has not come round to trimming."""

QUEUES = """
[queues."delayed"]
retry_delay = "1h"

[queues."dead"]
max_attempts = 1
dead_letter = "graves"

[queues."graves"]
max_items = 1
"""
POOL = os.urandom(4 * MB)


def disk_use(server: ServerProcess) -> int:
    total = 0
    for directory, _, names in os.walk(server.data):
        for name in names:
            try:
                total += os.stat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                continue
    return total


def items(size: int, count: int) -> Iterator[bytes]:
    for number in range(count):
        begin = number * 7919 % (len(POOL) - size)
        yield b"%d:" % number + POOL[begin : begin + size]


def pass_through(wire: Wire, queue: str, size: int, total: int, at_once: int = 20) -> int:
    """Put and take so many bytes; returns how often a put was refused."""
    refused = 0
    for data in _groups(items(size, total // size), at_once):
        wire.send(b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (queue.encode(), len(d), d) for d in data))
        refused += sum(wire.read_line() != b"STORED\r\n" for _ in data)
        for _ in data:
            assert wire.get(queue) is not None
    return refused


def _groups(source: Iterator[bytes], count: int) -> Iterator[list[bytes]]:
    while group := list(islice(source, count)):
        yield group


@contextmanager
def held_back(server: ServerProcess, queue: str) -> Iterator[None]:
    """One item of a queue cannot be had: it is open, waits out a delay, or its target is full."""
    with server.connect() as wire, server.connect() as other:
        wire.put(queue, b"held back")
        assert wire.get(f"{queue}/open") == b"held back"
        if queue == "dead":
            other.put("graves", b"full")
        if queue == "again":
            assert wire.ask(b"get again/abort\r\n") == b"END\r\n"
            assert wire.get("again/open") == b"held back"
        elif queue != "open":
            assert wire.ask(f"get {queue}/abort\r\n".encode()) == b"END\r\n"
            assert other.get(queue) is None
        yield


@pytest.mark.parametrize(
    ("queue", "size"),
    [
        ("open", 1_000),
        ("open", 100_000),
        ("open", 300_000),
        ("again", 20_000),
        ("delayed", 20_000),
        ("dead", 20_000),
    ],
)
def test_one_item_held_back_keeps_no_other(make_server: MakeServer, queue: str, size: int) -> None:
    server = make_server(sync="never", toml=QUEUES)
    with held_back(server, queue), server.connect() as wire:
        assert not pass_through(wire, queue, size, 24 * MB)
        wait_until(lambda: disk_use(server) < REST)
        assert wire.stats(queue)["damaged_items"] == "0"
        server.kill()
    server.start()
    with server.connect() as wire:
        if queue in ("open", "again"):
            assert wire.get(queue) == b"held back"
        elif queue == "dead":
            assert wire.get("graves") == b"full"
            wait_until(lambda: wire.get("graves") == b"held back")
        assert wire.get(queue) is None


def test_a_busy_queue_takes_no_more_than_twice_what_waits(make_server: MakeServer) -> None:
    server = make_server(sync="never", toml=QUEUES)
    highest = 0
    with held_back(server, "open"), server.connect() as wire:
        for _ in range(30):
            pass_through(wire, "open", 200_000, 10 * MB)
            highest = max(highest, disk_use(server))
        assert highest < BUSY
        wait_until(lambda: disk_use(server) < REST)


def test_consumers_far_apart_keep_what_the_slowest_is_to_get(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_reads=2)
    count, size = 400, 50_000
    with server.connect() as wire, server.connect() as other:
        wire.make("q")
        for name in ("near", "far"):
            assert wire.get(f"q+{name}") is None
        for data in items(size, count):
            wire.put("q", data)
        assert other.get("q+far/open") is not None
        for key, left in (("q", 0), ("q+near", 0), ("q+far", 100)):
            for _ in range(count - left - (key == "q+far")):
                assert wire.get(key) is not None
        wait_until(lambda: disk_use(server) < 101 * size + REST)
        assert disk_use(server) > 101 * size
        assert other.ask(b"get q+far/close\r\n") == b"END\r\n"
        assert wire.ask(b"delete q+far\r\n") == b"DELETED\r\n"
        wait_until(lambda: disk_use(server) < REST)


def test_a_backlog_of_text_takes_less_disk_if_it_is_compressed(make_server: MakeServer) -> None:
    """A table of the file says which queue's is, also of one that is there; nothing is lost by that."""
    text = [
        b'{"number": %d, "city": "Ouagadougou", "people": 1120000}' % n * 8 for n in range(9000)
    ]
    server = make_server(
        sync="never", toml='[queues."q"]\ncompression = "snappy"\n[queues."plain"]\n'
    )

    def tables(queue: str) -> int:
        found = server.data.glob(f"queues/{queue}/leveldb/*.ldb")
        return sum(path.stat().st_size for path in found)

    with server.connect() as wire:
        for queue in ("q", "plain"):
            for at in range(0, len(text), 30):
                wire.put(queue, *text[at : at + 30])
    assert tables("plain") > sum(map(len, text)) // 2
    assert 0 < tables("q") < tables("plain") // 4
    server.stop()
    (server.data.parent / "darnerpy.toml").write_text('[queues."plain"]\ncompression = "snappy"\n')
    server.start()
    with server.connect() as wire:
        for queue in ("q", "plain"):
            wire.put(queue, b"and this")
            assert [wire.get(queue) for _ in text] == text
            assert wire.get(queue) == b"and this"


def test_many_held_items_evenly_spread_keep_only_themselves(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_reads=2000)
    held, every, size = 1000, 20, 1_000
    source = items(size, held * every)
    with server.connect() as wire, server.connect() as holder:
        for group in _groups(source, every):
            wire.put("q", *group)
            assert holder.get("q/open") == group[0]
            for data in group[1:]:
                assert wire.get("q") == data
        wait_until(lambda: disk_use(server) < held * size + REST)
        for _ in range(held // 2):
            assert holder.ask(b"get q/close\r\n") == b"END\r\n"
        server.kill()
        server.start()
    expected = [data for at, data in enumerate(items(size, held * every)) if not at % every]
    with server.connect() as wire:
        for data in expected[held // 2 :]:
            assert wire.get("q") == data
        assert wire.get("q") is None


@pytest.mark.parametrize("sync", ["always", "never"])
def test_a_small_disk_does_not_fill_up_behind_a_held_item(tmp_path: Path, sync: str) -> None:
    with (
        disks.small_disk(tmp_path / "small", size="48m") as path,
        ServerProcess(path, sync=sync, min_free_disk="4MiB", toml=QUEUES) as server,
    ):
        with held_back(server, "open"), server.connect() as wire:
            for size in (2_000, 100_000, 400_000):
                assert not pass_through(wire, "open", size, 60 * MB, at_once=5)
        with server.connect() as wire:
            assert wire.get("open/t=9000") == b"held back"
