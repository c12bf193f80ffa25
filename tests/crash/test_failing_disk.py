"""A disk that fails under a running server: that queue refuses, others go on, nothing is lost."""

import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.crash.disks import Faults, eventually, files_of, run, small_disk
from tests.crash.load import drain
from tests.servers import ServerProcess, Wire, wait_until

LARGE = 300_000


class Putter:
    """Puts numbered items to one queue and remembers what it was told.

    acked: those stored. refused: those that are not known to be stored. reason: the last refusal.
    """

    def __init__(self, wire: Wire, queue: str) -> None:
        self.acked: list[bytes] = []
        self.refused: list[bytes] = []
        self.reason = b""
        self._wire = wire
        self._queue = queue.encode()

    def put(self, size: int = 100) -> bool:
        data = b"%d:" % (len(self.acked) + len(self.refused)) + os.urandom(size)
        reply = self._wire.ask(b"set %b 0 0 %d\r\n%b\r\n" % (self._queue, len(data), data))
        stored = reply == b"STORED\r\n"
        assert stored or reply.startswith(b"SERVER_ERROR "), reply
        (self.acked if stored else self.refused).append(data)
        self.reason = self.reason if stored else reply
        return stored

    def put_until(self, stored: bool, size: int = 100) -> None:
        eventually(lambda: self.put(size) is stored, f"{self._queue!r}")

    def check(self, left: list[bytes]) -> None:
        """All that was acknowledged is left, in order; what was refused may be, once."""
        assert [data for data in left if data not in self.refused] == self.acked
        assert len(left) == len(set(left))


@contextmanager
def putting(wire: Wire) -> Iterator[None]:
    """Somebody puts to another queue meanwhile, and must be stored every time."""
    stop, refused = threading.Event(), []

    def put() -> None:
        while not stop.is_set():
            reply = wire.ask(b"set other 0 0 1\r\nx\r\n")
            if reply != b"STORED\r\n":
                refused.append(reply)
                return

    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert refused == []


FAILING = [
    ("leveldb", "write", "EIO", "never", 100),
    ("leveldb", "fdatasync", "EIO", "always", 100),
    ("leveldb", "openat", "EIO", "never", 60_000),
    ("leveldb", "rename", "EIO", "always", LARGE),
    ("arena", "fdatasync", "EIO", "always", 100),
    ("arena", "openat", "EIO", "never", 60_000),
    ("arena", "fallocate", "ENOSPC", "always", 60_000),
    ("arena", "fallocate", "EDQUOT", "never", 60_000),
    ("arena", "mmap", "ENOMEM", "never", 60_000),
    ("arena", "rename", "EIO", "always", LARGE),
]


@pytest.mark.parametrize(("engine", "call", "error", "sync", "size"), FAILING)
def test_calls_that_fail(
    make_server: MakeServer, engine: str, call: str, error: str, sync: str, size: int
) -> None:
    server = make_server(sync=sync, engine=engine)
    with server.connect() as wire, server.connect() as other:
        queue = Putter(wire, "q")
        for _ in range(3):
            assert queue.put(size)
        other.put("q", b"held")
        assert wire.get("q/open") == queue.acked[0]
        with (
            Faults(server, call, error, paths=files_of(server, "q")) as faults,
            putting(other),
        ):
            queue.put_until(False, size)
            assert wire.ask(b"version\r\n").startswith(b"VERSION")
        assert faults.injected
        cause = os.strerror(getattr(errno, error))
        assert cause.encode() in queue.reason
        assert cause in server.wait_for_log(" error .* queue=q")
        queue.put_until(True, size)
        assert wire.get("q/abort") is None
        assert wire.get("q") == queue.acked.pop(0)
        server.kill()
    server.start()
    left = drain(server.address)
    left["q"].remove(b"held")
    queue.check(left["q"])
    assert set(left["other"]) == {b"x"}
    assert not server.complaints()


@pytest.fixture
def read_only() -> Iterator[list[Path]]:
    """Directories that are made read-only by `mount_read_only`, undone at the end."""
    mounted: list[Path] = []
    yield mounted
    for path in mounted:
        subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)


def test_a_queue_on_a_mount_that_becomes_read_only(
    make_server: MakeServer, read_only: list[Path]
) -> None:
    server = make_server(sync="always")
    with server.connect() as wire, server.connect() as other:
        queue = Putter(wire, "q")
        assert queue.put(LARGE)
        home = server.data / "queues" / "q"
        run("mount", "--bind", home, home)
        read_only.append(home)
        run("mount", "-o", "remount,bind,ro", home)
        with putting(other):
            queue.put_until(False, LARGE)  # what is open may go on
        assert b"Read-only file system" in queue.reason
        assert wire.get("q/peek") == queue.acked[0]
        run("umount", home)
        queue.put_until(True, LARGE)
        for _ in range(5):
            assert queue.put(LARGE)
    server.kill()
    server.start()
    queue.check(drain(server.address)["q"])


@pytest.mark.parametrize("size", [60_000, LARGE])
def test_a_directory_that_goes_and_comes_back(make_server: MakeServer, size: int) -> None:
    server = make_server(sync="always")
    try:
        with server.connect() as wire, server.connect() as other:
            queue = Putter(wire, "q")
            for _ in range(3):
                assert queue.put(size)
            home, away = server.data / "queues" / "q", server.data / "away"
            home.rename(away)
            with putting(other):
                # What is open may go on for a while.
                assert not all(queue.put(size) for _ in range(50))
                before = len(queue.acked)
                time.sleep(0.5)  # it has tried to go on by then
                assert not any(queue.put(size) for _ in range(5))
            assert server.wait_for_log(" error .* queue=q")
            assert len(queue.acked) == before
            assert not home.exists()
            away.rename(home)
            queue.put_until(True, size)
        server.kill()
        server.start()
        queue.check(drain(server.address)["q"])
    finally:
        server.kill()


def test_writes_are_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "48m") as path:
        filler = path / "filler"
        server = ServerProcess(path, sync="never", min_free_disk="24MiB")
        try:
            server.start()
            with server.connect() as wire, server.connect() as holder:
                queue = Putter(wire, "q")
                assert queue.put()
                assert queue.put()
                holder.put("held", b"1", b"2")
                assert holder.get("held/open") == b"1"
                filler.write_bytes(b"f" * (27 << 20))
                queue.put_until(False)
                assert queue.reason.startswith(b"SERVER_ERROR out of disk")
                assert " out of disk" in server.wait_for_log(" error ")
                assert not queue.put(LARGE)
                assert holder.get("held/close") is None
                assert holder.get("held") == b"2"
                assert holder.ask(b"delete held\r\n") == b"DELETED\r\n"
                assert wire.get("q") == queue.acked.pop(0)
                filler.unlink()
                queue.put_until(True)
                assert " accepted again" in server.wait_for_log(" warning ")
                while queue.put(10_000):  # with nobody's help, up to the limit
                    pass
                assert os.statvfs(path).f_bavail * os.statvfs(path).f_frsize > 2 << 20
            assert "No space left" not in server.log()
            server.kill()
            server.start()
            queue.check(drain(server.address)["q"])
        finally:
            server.kill()


def test_the_cause_of_a_failed_upload_is_in_the_log(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    try:
        with server.connect() as wire:
            queue = Putter(wire, "q")
            assert queue.put()
            (server.data / "queues" / "q" / "large").write_bytes(b"in the way")
            assert not queue.put(LARGE)
        wait_until(lambda: "queue=q" in server.log())
    finally:
        server.kill()
