"""Ctrl-C at every line of the way: afterwards everything is as if the call had been made, or had not.

Not at a `with`: Python heeds no signal between its body and its end, though it says there that a line begins.
"""

import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import darnerpy.ring
from darnerpy.errors import ClosedError
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingReader, RingWriter

OURS = str(Path(darnerpy.ring.__file__).parent)


@contextmanager
def interrupted(line: int) -> Iterator[list[str]]:
    """Have KeyboardInterrupt raised at the n-th line of the package that is run; where, if it was."""
    left = line
    where: list[str] = []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        code = frame.f_code
        if not code.co_filename.startswith(OURS) or code.co_name == "__del__":  # of another test's
            return None
        line = linecache.getline(code.co_filename, frame.f_lineno)
        if event == "line" and not line.lstrip().startswith("with "):
            left -= 1
            if left == 0:
                where.append(f"{code.co_name}:{frame.f_lineno}")
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield where
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)


def every_line(work: Callable[[int], list[str]]) -> int:
    """Do it with an interrupt at its first line, its second and so on, until it comes through; how many."""
    line = 1
    while work(line):
        line += 1
    return line - 1


def fill(writer: RingWriter, count: int) -> None:
    for _ in range(count):
        writer.publish(b"%07d" % writer.sequence)


def follow(writer: RingWriter, reader: RingReader, sent: dict[int, bytes]) -> None:
    """All that is read, now and when more is published, is what was sent with that sequence."""
    for more in (False, True):
        if more:
            sent[writer.publish(b"last")] = b"last"
        try:
            while True:
                sequence = reader.sequence
                assert reader.read(timeout=0) == sent[sequence]
        except Empty:
            pass
    assert reader.sequence == writer.sequence
    assert reader.missed == 0


@pytest.mark.parametrize("before", [10, 131, 132, 133, 400])
def test_publishing_is_interrupted(path: Path, before: int) -> None:
    """Also where room must be made, and where the end of the data is."""

    def work(line: int) -> list[str]:
        with Ring.create(path, 4096) as writer:
            fill(writer, before)
            with Ring.open(path) as reader:
                first = writer.sequence
                with interrupted(line) as where:
                    writer.publish(b"interrupted")
                assert writer.sequence in (first, first + 1)
                follow(writer, reader, {first: b"interrupted"})
        path.unlink()
        return where

    assert every_line(work) > 20


def test_publishing_many_is_interrupted(path: Path) -> None:
    batch = [b"%d" % number * 100 for number in range(12)]  # several frames

    def work(line: int) -> list[str]:
        with Ring.create(path, 4096) as writer:
            fill(writer, 150)
            with Ring.open(path) as reader:
                first = writer.sequence
                with interrupted(line) as where:
                    writer.publish_many(batch)
                sent = {first + number: data for number, data in enumerate(batch)}
                follow(writer, reader, sent)
        path.unlink()
        return where

    assert every_line(work) > 100


def test_closing_is_interrupted(path: Path) -> None:
    def work(line: int) -> list[str]:
        writer = Ring.create(path, 4096)
        writer.publish(b"first")
        with Ring.open(path, "oldest") as reader:
            with interrupted(line) as where:
                writer.close()
            writer.close()
            assert reader.read() == b"first"
            with pytest.raises(ClosedError):
                reader.read(timeout=0)
            Ring.create(path, 4096).close()  # the lock is free
        path.unlink()
        return where

    assert every_line(work) > 5


@pytest.mark.parametrize("laps", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_reading_is_interrupted(path: Path, laps: bool, many: bool) -> None:
    """Then at most what that call would have returned is lost, and nothing comes twice."""

    def work(line: int) -> list[str]:
        with Ring.create(path, 4096) as writer, Ring.open(path, on_lag="skip") as reader:
            for number in range(100 if laps else 5):
                writer.publish(b"%0300d" % number)
            writer.publish_many(b"%0300d" % (writer.sequence + number) for number in range(5))
            got: list[bytes] = []
            with interrupted(line) as where:
                got = reader.read_many(3) if many else [reader.read()]
            first = reader.sequence
            rest = []
            try:
                while True:
                    rest.append(reader.read(timeout=0))
            except Empty:
                pass
            found = [int(each) for each in got + rest]
            assert found == sorted(set(found))
            assert found[-1] == writer.sequence - 1
            lost = writer.sequence - reader.missed - len(found)
            assert 0 <= lost <= (3 if many else 1) * bool(where)
            assert first <= int(rest[0])
        path.unlink()
        return where

    assert every_line(work) > 30
