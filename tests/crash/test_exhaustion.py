"""A full disk and too few descriptors: refused while it lasts, working afterwards, nothing lost."""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import disks
from tests.crash.load import drain
from tests.servers import ServerProcess, Wire


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of its own with room for 10 MiB."""
    with disks.small_disk(tmp_path / "small", "10m") as path:
        yield path


def put(wire: Wire, queue: bytes, data: bytes) -> bool:
    """Whether it was stored; if not, the server must have said that the fault is its own."""
    reply = wire.ask(b"set %b 0 0 %d\r\n%b\r\n" % (queue, len(data), data))
    assert reply == b"STORED\r\n" or reply.startswith(b"SERVER_ERROR "), reply
    return reply == b"STORED\r\n"


def put_until_it_works(wire: Wire, queue: bytes, data: bytes) -> None:
    deadline = time.monotonic() + 20
    while not put(wire, queue, data):
        assert time.monotonic() < deadline, "it does not recover"
        time.sleep(0.01)


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("size", [1000, 50_000, 400_000])
@pytest.mark.parametrize("sync", ["always", "never"])
def test_a_full_disk(small_disk: Path, sync: str, size: int, engine: str) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"f" * 6_500_000)  # gone, it leaves room to write all of it anew
    server = ServerProcess(small_disk, sync=sync, min_free_disk="off", engine=engine)
    try:
        server.start()
        acked: list[bytes] = []
        refused: set[bytes] = set()
        with server.connect() as wire:
            assert put(wire, b"q", b"held")
            assert wire.get("q/open") == b"held"
            number = 0
            while len(refused) < 5:
                number += 1
                data = b"%d:" % number + os.urandom(size)
                if put(wire, b"q", data):
                    acked.append(data)
                else:
                    refused.add(data)
                    time.sleep(0.05)
            filler.unlink()
            put_until_it_works(wire, b"q", b"works again")
            acked.append(b"works again")
            for number in range(20):
                assert put(wire, b"q", b"after %d" % number)
                acked.append(b"after %d" % number)
            assert wire.ask(b"get q/abort\r\n") == b"END\r\n"
            assert wire.get("q") == b"held"
            assert wire.get("q") == acked.pop(0)
        server.kill()
        server.start()
        left = drain(server.address).get("q", [])
        assert [data for data in left if data not in refused] == acked
        assert len(left) == len(set(left))
    finally:
        server.kill()


def test_too_few_descriptors(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, sync="never")
    try:
        server.start()
        with server.connect() as wire:
            assert put(wire, b"old", b"1")
            most = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            few = max(map(int, os.listdir(f"/proc/{server.pid}/fd"))) + 2
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (few, most[1]))
            for number in range(3):
                assert not put(wire, b"new%d" % number, b"x")
            assert put(wire, b"old", b"2")  # what is open goes on
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, most)
            for number in range(3):
                put_until_it_works(wire, b"new%d" % number, b"%d" % number)
            assert put(wire, b"old", b"L" * 300_000)
        server.kill()
        server.start()
        left = drain(server.address)
        assert left.pop("old") == [b"1", b"2", b"L" * 300_000]
        assert left == {f"new{number}": [b"%d" % number] for number in range(3)}
    finally:
        server.kill()
