"""Whatever is done, in whatever order, held against a list of all that was published."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule

from darnerpy.errors import ClosedError, Lagged, MessageTooLargeError
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingReader, RingWriter
from darnerpy.ring.layout import HEAD_SIZE

SIZE = 4096
SLACK = 3 * SIZE // 16 + SIZE // 4 + HEAD_SIZE
"""What may be given up beyond what must be: so much is at a time, and what is published together stays so."""

lengths = st.integers(0, 80) | st.integers(0, SIZE // 2)


class Following:
    """A reader, and what it has to know."""

    def __init__(self, reader: RingReader, first: int) -> None:
        self.reader = reader
        self.first = first
        self.read = 0


class Rings(RuleBasedStateMachine):
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ring"
        self.writer: RingWriter | None = Ring.create(self.path, SIZE)
        self.sent: list[bytes] = []
        self.ends: list[
            int
        ] = []  # how many bytes there were when each was published, with all heads
        self.bytes = 0
        self.followers: list[Following] = []
        self.closed = False

    def teardown(self) -> None:
        for follower in self.followers:
            follower.reader.close()
        if self.writer is not None:
            self.writer.close()
        self.folder.cleanup()

    def data(self, length: int) -> bytes:
        return (b"%d." % len(self.sent) * (length // 2 + 1))[:length]

    @precondition(lambda self: self.writer)
    @rule(lengths=st.lists(lengths, min_size=1, max_size=6))
    def publish(self, lengths: list[int]) -> None:
        assert self.writer is not None
        for length in lengths:
            data = self.data(length)
            assert self.writer.publish(data) == len(self.sent)
            self.bytes += HEAD_SIZE + length
            self.sent.append(data)
            self.ends.append(self.bytes)

    @precondition(lambda self: self.writer)
    @rule(count=st.integers(0, 200), length=st.integers(0, 60))
    def publish_many(self, count: int, length: int) -> None:
        assert self.writer is not None
        first = len(self.sent)
        for _ in range(count):
            self.sent.append(self.data(length))
        assert self.writer.publish_many(self.sent[first:]) == range(first, first + count)
        for _ in range(count):
            self.bytes += HEAD_SIZE + 4 + length  # at most
            self.ends.append(self.bytes)

    @precondition(lambda self: self.writer)
    @rule(over=st.integers(1, 100))
    def publish_too_much(self, over: int) -> None:
        assert self.writer is not None
        with pytest.raises(MessageTooLargeError):
            self.writer.publish_many([b"", b"x" * (SIZE // 2 + over)])

    @precondition(lambda self: self.writer)
    @rule(dies=st.booleans())
    def end(self, dies: bool) -> None:
        assert self.writer is not None
        if dies:  # as a killed process does: nothing more is written, and the lock is free
            self.writer._gone = ClosedError
            self.writer._ring.close()
        else:
            self.writer.close()
        self.closed = not dies
        self.writer = None

    @precondition(lambda self: not self.writer)
    @rule()
    def create(self) -> None:
        self.writer = Ring.create(self.path, SIZE)
        assert self.writer.sequence == len(self.sent)
        self.closed = False

    @rule(
        target=readers,
        start=st.sampled_from(["newest", "oldest"]) | st.integers(0, 400),
        skips=st.booleans(),
    )
    def open(self, start: str | int, skips: bool) -> Following:
        reader = Ring.open(self.path, start, on_lag="skip" if skips else "raise")  # type: ignore[arg-type]
        first = reader.sequence
        if start == "newest":
            assert first == len(self.sent)
        elif start == "oldest":
            assert first <= self.kept()
        else:
            assert first == start
        follower = Following(reader, first)
        self.followers.append(follower)
        return follower

    def kept(self) -> int:
        """From which sequence on everything must be there."""
        at = self.bytes - SIZE + SLACK
        return next((n for n, end in enumerate([0, *self.ends]) if end >= at), len(self.sent))

    @rule(follower=readers, count=st.integers(0, 30))
    def read(self, follower: Following, count: int) -> None:
        reader, before = follower.reader, follower.reader.sequence
        missed = reader.missed
        told = None
        try:
            found = reader.read_many(count, timeout=0) if count else [reader.read(timeout=0)]
        except Empty:
            assert not self.closed
            assert reader.sequence >= len(self.sent)
        except ClosedError:
            assert self.closed
            assert reader.sequence >= len(self.sent)
        except Lagged as lag:
            told = lag.missed
        else:
            end = reader.sequence
            assert found == self.sent[end - len(found) : end]
            assert 1 <= len(found) <= max(count, 1)
            assert end - before == len(found) + reader.missed - missed
            follower.read += len(found)
            if before >= self.kept():
                assert reader.missed == missed
        if told is not None:
            assert not reader._skips
            assert told == reader.missed - missed == reader.sequence - before
        assert follower.read + reader.missed == reader.sequence - follower.first

    @rule(follower=consumes(readers))
    def stop(self, follower: Following) -> None:
        follower.reader.close()
        with pytest.raises(ClosedError):
            follower.reader.read()
        self.followers.remove(follower)


TestRings = Rings.TestCase
TestRings.settings = settings(max_examples=60, stateful_step_count=30)
