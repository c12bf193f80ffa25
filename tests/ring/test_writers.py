"""There is one writer. A live one is left alone, a dead one's place is taken over, a forked one is none."""

import mmap
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from darnerpy.errors import ClosedError, DamageError, ForkedError, Lagged, RingInUseError
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingReader, RingWriter
from darnerpy.ring.layout import DATA, HEAD_SIZE, STATES
from tests.ring.others import Process, message, number_of

PUBLISHES = """
import sys
from darnerpy import Ring
from tests.ring.others import message
path, size, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ring = Ring.create(path, size)
print("ready", flush=True)
number = ring.sequence
while True:
    ring.publish(message(number, length))
    ring.publish_many([message(number + each, length) for each in range(1, 8)])
    number += 8
"""

HOLDS = """
import sys
from darnerpy import Ring
with Ring.create(sys.argv[1], 4096) as ring:
    ring.publish(b"held")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_a_live_writer_is_left_alone(path: Path) -> None:
    with Process(HOLDS, path) as other:
        other.line()
        before = path.read_bytes()
        with pytest.raises(
            RingInUseError, match=f"{path} has a writer already: process {other.pid}"
        ):
            Ring.create(path, 4096)
        with pytest.raises(RingInUseError):  # whatever else is asked for
            Ring.create(path, 8192)
        assert path.read_bytes() == before
        with Ring.open(path) as reader:
            assert reader.writer_alive
            other.tell("close")
            with pytest.raises(ClosedError):
                reader.read()
            other.result()
            assert not reader.writer_alive
            with Ring.create(path, 4096):
                assert reader.writer_alive


def test_two_writers_in_one_process_are_two_writers(writer: RingWriter) -> None:
    with pytest.raises(RingInUseError, match=f"process {os.getpid()}"):
        Ring.create(writer.path, 4096)
    assert writer.publish(b"still mine") == 0


def test_asking_whether_there_is_a_writer_keeps_none_out(path: Path) -> None:
    Ring.create(path, 4096).close()
    stop = threading.Event()

    def ask() -> None:
        with Ring.open(path) as reader:
            while not stop.is_set():
                reader.writer_alive  # noqa: B018

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            Ring.create(path, 4096).close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_killed_writer_is_followed_by_another(path: Path) -> None:
    """Killed at 12 moments of its work; what readers got is what it and its followers published."""
    reader: RingReader | None = None
    read = 0

    def check(messages: list[bytes]) -> None:
        """The message of each sequence is the one of that number."""
        nonlocal read
        assert reader is not None
        read += len(messages)
        end = reader.sequence
        assert list(map(number_of, messages)) == list(range(end - len(messages), end))
        assert read + reader.missed == end

    for turn in range(12):
        with Process(PUBLISHES, path, 20_000, 24 + 37 * turn) as other:
            assert other.line() == "ready"
            reader = reader or Ring.open(path, 0, on_lag="skip")
            assert reader.writer_alive
            until = time.monotonic() + 0.02 * turn
            while time.monotonic() < until:
                check(reader.read_many(1000))
            other.kill()
        assert not reader.writer_alive
        with suppress(Empty):
            while True:
                check(reader.read_many(1000, timeout=0))
    assert reader is not None
    with reader, Ring.create(path, 20_000) as writer:
        # What it had written and not yet announced is not lost, either.
        rest = writer.sequence - reader.sequence
        assert 0 <= rest <= 7
        writer.publish(message(writer.sequence, 24))
        check(reader.read_many(100, timeout=0))
        assert reader.sequence == writer.sequence


class Killed(Exception):
    """In place of SIGKILL, at a known place."""


class LastWrite(mmap.mmap):
    """A map into which its writer writes so often, the last time only a part."""

    left: int
    part: float

    def __setitem__(self, place: Any, data: Any) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        if self.left == 0:
            cut = round(self.part * len(data))
            super().__setitem__(slice(place.start, place.start + cut), data[:cut])
            raise Killed
        super().__setitem__(place, data)


def publish_until_killed(writer: RingWriter, writes: int, part: float) -> int:
    """The sequence behind the last one that the writer was told is published."""
    told = writer.sequence
    writer._ring.map.close()
    with Path(writer.path).open("r+b") as file:
        map = LastWrite(file.fileno(), 0)
    map.left, map.part = writes, part
    writer._ring.map = map
    try:
        while True:
            told = writer.publish(message(writer.sequence, 80)) + 1
            several = range(told, told + 3)
            told = writer.publish_many(message(number, 300) for number in several).stop
    except Killed:
        writer._ring.close()
        writer._gone = ClosedError
        return told


def read_on(reader: RingReader) -> None:
    """All that is there; AssertionError if it is not just what was published, or any was damaged."""
    with suppress(Empty):
        while True:
            with suppress(Lagged):
                sequence = reader.sequence
                assert number_of(reader.read(timeout=0)) == sequence


@pytest.mark.parametrize("part", [0, 0.1, 0.3, 0.9, 1])
def test_a_writer_that_dies_in_the_midst_of_any_write_leaves_a_whole_ring(
    path: Path, part: float
) -> None:
    for writes in range(1, 60):
        with Ring.create(path, 4096) as first:
            for number in range(100):
                first.publish(message(number, 80))
        with Ring.open(path) as reader, Ring.open(path, 60) as slow:
            told = publish_until_killed(Ring.create(path, 4096), writes, part)
            with Ring.open(path, "oldest") as oldest:
                for each in (reader, slow, oldest):
                    read_on(each)
                    assert each.sequence >= told
                with Ring.create(path, 4096) as again:
                    assert again.sequence >= reader.sequence
                    again.publish(message(again.sequence, 80))
                    for each in (reader, slow, oldest):
                        read_on(each)
                        assert each.sequence == again.sequence
                assert oldest.missed == 0
        path.unlink()


def test_what_a_dead_writer_had_not_announced_is(path: Path) -> None:
    """Killed before it came to the next state, as it nearly always is."""
    with Ring.create(path, 4096) as writer:
        writer.publish_many([b"a", b"b"])
        states = path.read_bytes()[STATES]
        writer.publish(b"whole")
        writer.publish_many([b"whole, too", b"and this"])
    with path.open("r+b") as file:
        file.seek(STATES.start)
        file.write(states)
    with Ring.open(path, "oldest") as reader, Ring.open(path) as newest:
        assert newest.sequence == 5
        assert reader.read_many(3) == [b"a", b"b", b"whole"]
        with Ring.create(path, 4096) as again:
            assert again.sequence == 5
            again.publish(b"new")
            assert reader.read_many(9) == [b"whole, too", b"and this", b"new"]
            assert newest.read() == b"new"


@pytest.mark.parametrize("cut", range(1, HEAD_SIZE + 5))
def test_what_a_dead_writer_had_half_written_does_not_exist(path: Path, cut: int) -> None:
    with Ring.create(path, 4096) as writer, Ring.open(path) as reader:
        for number in range(400):
            writer.publish(b"%04d" % number)
        states = path.read_bytes()[STATES]
        before = path.read_bytes()
        (_, at) = writer._frames.next
        writer.publish(b"half ")
        after = path.read_bytes()
    at = DATA + at % 4096
    with path.open("wb") as file:
        file.write(after[: at + cut] + before[at + cut :])
        file.seek(STATES.start)
        file.write(states)
    with Ring.create(path, 4096) as again, Ring.open(path, 399) as reader:
        assert again.sequence == 400
        assert reader.read() == b"0399"
        assert again.publish(b"whole") == 400
        assert reader.read() == b"whole"


def test_a_newer_state_that_was_lost_is_found_again(path: Path) -> None:
    """Sequences never go back, though the last of the two states is damaged, many laps on."""
    with Ring.create(path, 4096) as writer:
        for number in range(1000):
            writer.publish(b"%07d" % number)
        states = path.read_bytes()[STATES]
        for number in range(1000, 1100):
            writer.publish(b"%07d" % number)
    with path.open("r+b") as file:  # as if nothing had been announced since
        file.seek(STATES.start)
        file.write(states)
    with Ring.create(path, 4096) as again:
        assert again.sequence == 1100
        with Ring.open(path, "oldest") as reader, pytest.raises(Empty):
            reader.read(timeout=0)  # where the others begin, the older state does not tell
        again.publish(b"0001100")
        with Ring.open(path, "oldest") as reader:
            first = reader.sequence
            found = reader.read_many(1000)
            assert found == [b"%07d" % number for number in range(first, 1101)]


def in_child(work: Callable[[], None]) -> None:
    """Run it in a forked process; AssertionError if it raised anything."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # other tests' threads may still be here
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_forked_writer_is_none(writer: RingWriter, reader: RingReader) -> None:
    def child() -> None:
        for call in (lambda: writer.publish(b"child"), lambda: writer.publish_many([b"child"])):
            with pytest.raises(ForkedError, match=f"{writer.path}: the writer belongs to"):
                call()
        assert writer.closed
        with pytest.raises(RingInUseError, match=f"process {os.getppid()}"):
            Ring.create(writer.path, 4096)
        writer.close()
        writer.__del__()

    in_child(child)
    assert writer.publish(b"parent") == 0
    assert reader.read() == b"parent"
    with pytest.raises(Empty):  # the child's close was not ours
        reader.read(timeout=0)


def test_a_fork_beside_a_thread_that_publishes(path: Path) -> None:
    with Ring.create(path, "1MiB") as writer, Ring.open(path) as reader:
        stop = threading.Event()
        sent = []

        def publish() -> None:
            while not stop.is_set():
                sent.append(writer.publish(b"message"))

        def child() -> None:
            with pytest.raises(ForkedError):
                writer.publish(b"child")

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for _ in range(10):
                in_child(child)
        finally:
            stop.set()
            thread.join()
        writer.close()
        reader._skips = True
        assert len(list(reader)) + reader.missed == len(sent)


def test_a_forked_reader_goes_on_by_itself(writer: RingWriter, reader: RingReader) -> None:
    writer.publish_many([b"a", b"b", b"c"])
    assert reader.read() == b"a"

    def child() -> None:
        assert reader.read_many(9) == [b"b", b"c"]
        reader.close()

    in_child(child)
    assert reader.read_many(9) == [b"b", b"c"]
    writer.publish(b"d")
    assert reader.read() == b"d"


def test_a_child_that_outlives_its_parent_does_not_hold_the_ring(path: Path) -> None:
    program = """
import os, sys
from darnerpy import Ring
ring = Ring.create(sys.argv[1], 4096)
if os.fork() == 0:
    print("child", os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    with Process(program, path) as other:
        child = int(other.line().split()[1])
        other._process.wait()
        os.kill(child, 0)  # it is still there
        with Ring.create(path, 4096) as writer:
            assert writer.publish(b"mine") == 0
        os.kill(child, signal.SIGKILL)


def test_a_ring_that_nobody_can_take_over_says_why(path: Path) -> None:
    Ring.create(path, 4096).close()
    with path.open("r+b") as file:
        file.seek(STATES.start)
        file.write(b"\0" * (STATES.stop - STATES.start))
    with pytest.raises(DamageError, match=str(path)):
        Ring.create(path, 4096)
    with pytest.raises(DamageError):  # and the lock is free again
        Ring.create(path, 4096)
