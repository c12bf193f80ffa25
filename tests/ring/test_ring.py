"""What a writer and a reader promise each other."""

import gc
import math
import pickle
import queue
import threading
import warnings
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from darnerpy.errors import ClosedError, Lagged, MessageTooLargeError
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingReader, RingWriter


def everything(reader: RingReader) -> list[bytes]:
    """All that can be read without waiting."""
    found = []
    while True:
        try:
            found.append(reader.read(timeout=0))
        except (Empty, ClosedError):
            return found


def test_messages_come_in_order_and_as_they_were(writer: RingWriter, reader: RingReader) -> None:
    sent = [b"hello", b"", b"\0" * 100, bytes(range(256))]
    assert [writer.publish(each) for each in sent] == [0, 1, 2, 3]
    assert [reader.read() for _ in sent] == sent
    assert (writer.sequence, reader.sequence, reader.missed) == (4, 4, 0)


def test_what_is_published_together_is_read_one_by_one_or_together(
    writer: RingWriter, reader: RingReader
) -> None:
    sent = [b"%d" % number * (number % 7) for number in range(50)]
    assert writer.publish_many(sent) == range(50)
    assert writer.publish_many([]) == range(50, 50)
    assert [reader.read() for _ in range(20)] == sent[:20]
    assert reader.sequence == 20
    assert reader.read_many(7) == sent[20:27]
    assert reader.sequence == 27
    writer.publish(b"alone")
    assert reader.read_many(1000) == [*sent[27:], b"alone"]
    assert reader.sequence == 51


def test_anything_that_is_bytes_can_be_published(writer: RingWriter, reader: RingReader) -> None:
    several: list[bytearray | memoryview] = [bytearray(b"1"), memoryview(b"a-b-c-")[::2]]
    writer.publish(bytearray(b"array"))
    writer.publish_many(iter([*several, b"22"]))
    writer.publish(memoryview(b"wide...."[:8]).cast("I"))
    assert reader.read_many(10) == [b"array", b"1", b"abc", b"22", b"wide...."]


@pytest.mark.parametrize("wrong", ["text", 5, None, [b"a"]])
def test_what_is_not_bytes_is_refused(writer: RingWriter, wrong: Any) -> None:
    with pytest.raises(TypeError, match="a message is bytes, not"):
        writer.publish(wrong)
    with pytest.raises(TypeError, match="a message is bytes, not"):
        writer.publish_many([b"fine", wrong])
    with pytest.raises(TypeError, match="several messages are expected, not bytes"):
        writer.publish_many(b"these are bytes")  # type: ignore[arg-type]
    assert writer.sequence == 0


def test_a_message_has_half_the_ring_and_not_a_byte_more(path: Path) -> None:
    with Ring.create(path, 5001) as writer, Ring.open(path) as reader:
        half, over = b"x" * 2500, b"x" * 2501
        for number in range(9):  # wherever it begins
            assert writer.publish(half) == 2 * number
            assert reader.read(timeout=0) == half
            writer.publish(b"y" * (number * 100))
            reader.read(timeout=0)
        with pytest.raises(MessageTooLargeError, match=r"ring takes .* 2500 bytes.* has 2501"):
            writer.publish(over)
        with pytest.raises(MessageTooLargeError):
            writer.publish_many([b"fine", over, b"fine"])
        assert writer.sequence == 18
        assert everything(reader) == []


def test_a_ring_goes_round_and_round_with_messages_of_every_length(path: Path) -> None:
    with Ring.create(path, 4099) as writer, Ring.open(path) as reader:
        for length in range(2050):
            sent = bytes([length % 251]) * length
            assert writer.publish(sent) == length
            assert reader.read(timeout=0) == sent
        assert reader.missed == 0


def test_batches_go_round_too_and_may_be_longer_than_the_ring(path: Path) -> None:
    with Ring.create(path, 8192) as writer, Ring.open(path, on_lag="skip") as reader:
        sent = [b"%d" % number * (number % 30) for number in range(3000)]
        done = 0
        while done < len(sent):
            count = min(done % 41 + 1, len(sent) - done)
            writer.publish_many(sent[done : done + count])
            assert reader.read_many(count) == sent[done : done + count]
            done += count
        assert writer.publish_many(sent) == range(done, done + 3000)
        rest = everything(reader)
        assert rest == sent[-len(rest) :]
        assert len(rest) + reader.missed == 3000
        assert sum(map(len, rest)) > 4096


def test_readers_have_each_their_own_place(writer: RingWriter) -> None:
    with Ring.open(writer.path) as first, Ring.open(writer.path) as second:
        writer.publish_many([b"a", b"b", b"c"])
        assert first.read_many(2) == [b"a", b"b"]
        with Ring.open(writer.path, start="oldest") as third:
            assert second.read() == b"a"
            assert third.read_many(9) == [b"a", b"b", b"c"]
            assert first.read() == b"c"


def test_newest_is_the_next_to_be_published(writer: RingWriter) -> None:
    writer.publish(b"before")
    with Ring.open(writer.path) as reader:
        assert reader.sequence == 1
        writer.publish(b"after")
        assert reader.read() == b"after"


def test_oldest_is_all_that_the_ring_still_has(writer: RingWriter) -> None:
    for number in range(1000):
        writer.publish(b"%07d" % number)
    with Ring.open(writer.path, "oldest") as reader:
        first = reader.sequence
        found = everything(reader)
        assert found == [b"%07d" % number for number in range(first, 1000)]
        assert reader.missed == 0
    # It has room for 141, of which three sixteenths may be given up before they are overwritten.
    assert 114 <= len(found) <= 141


def test_a_reader_goes_on_at_a_sequence(writer: RingWriter) -> None:
    writer.publish_many([b"%d" % number for number in range(10)])
    for number in range(10, 20):
        writer.publish(b"%d" % number)
    for start in range(20):
        with Ring.open(writer.path, start) as reader:
            assert reader.sequence == start
            assert everything(reader) == [b"%d" % number for number in range(start, 20)]
            assert reader.missed == 0


def test_a_sequence_to_come_is_waited_for(writer: RingWriter) -> None:
    writer.publish(b"0")
    with Ring.open(writer.path, 5) as reader:
        writer.publish(b"1")
        with pytest.raises(Empty):
            reader.read(timeout=0)
        writer.publish_many([b"2", b"3", b"4", b"5", b"6"])
        assert reader.sequence == 5
        assert reader.read() == b"5"
        assert reader.read() == b"6"
        assert (reader.sequence, reader.missed) == (7, 0)


def test_a_sequence_that_is_gone_was_missed(writer: RingWriter) -> None:
    for number in range(1000):
        writer.publish(b"%07d" % number)
    with Ring.open(writer.path, 300) as reader:
        with pytest.raises(Lagged) as caught:
            reader.read()
        assert caught.value.missed == reader.missed == reader.sequence - 300
        assert everything(reader)[-1] == b"0000999"


def test_what_comes_before_a_sequence_that_was_asked_for_is_not_missed(writer: RingWriter) -> None:
    writer.publish(b"0")
    with Ring.open(writer.path, 1000) as reader:
        for number in range(1, 990):
            writer.publish(b"%07d" % number)  # several laps
        with pytest.raises(Empty):
            reader.read(timeout=0)
        for number in range(990, 1001):
            writer.publish(b"%07d" % number)
        assert reader.read() == b"0001000"
        assert reader.missed == 0


def test_a_reader_that_was_lapped_knows_how_many_it_missed(
    writer: RingWriter, reader: RingReader
) -> None:
    for number in range(500):
        writer.publish(b"%07d" % number)
    with pytest.raises(Lagged) as caught:
        reader.read()
    missed = caught.value.missed
    assert (reader.missed, reader.sequence) == (missed, missed)
    assert str(caught.value) == f"{writer.path}: missed {missed}, overwritten before they were read"
    assert everything(reader) == [b"%07d" % number for number in range(missed, 500)]
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.path, copied.missed) == (writer.path, missed)


def test_a_reader_that_does_not_care_is_not_told(writer: RingWriter) -> None:
    with Ring.open(writer.path, on_lag="skip") as reader:
        for number in range(500):
            writer.publish(b"%07d" % number)
        first = reader.read()
        assert first == b"%07d" % reader.missed
        assert 1 + len(everything(reader)) + reader.missed == 500


def test_what_was_read_before_the_lap_is_handed_out_before_it_is_told(
    writer: RingWriter, reader: RingReader
) -> None:
    writer.publish_many([b"a", b"b", b"c"])
    assert reader.read() == b"a"
    for _ in range(500):
        writer.publish(b"lap")
    assert reader.read_many(2) == [b"b", b"c"]
    with pytest.raises(Lagged):
        reader.read_many(2)


def test_nothing_to_read_is_empty(writer: RingWriter, reader: RingReader) -> None:
    for timeout in (0, 0.01):
        with pytest.raises(queue.Empty, match=f"nothing to read in {writer.path}"):
            reader.read(timeout)
        with pytest.raises(Empty):
            reader.read_many(5, timeout)
    assert reader.sequence == 0


@pytest.mark.parametrize("spin", [0, 0.0001, 60])
def test_a_reader_waits_for_what_comes(writer: RingWriter, spin: float) -> None:
    with Ring.open(writer.path, spin=spin) as reader:
        timers = [threading.Timer(0.05 * turn, writer.publish, [b"late"]) for turn in (1, 2, 3)]
        for timer in timers:
            timer.start()
        assert [reader.read(), reader.read(timeout=30), *reader.read_many(5)] == [b"late"] * 3
        for timer in timers:
            timer.join()


def test_a_loop_ends_when_the_ring_is_closed(writer: RingWriter, reader: RingReader) -> None:
    writer.publish_many([b"a", b"b"])
    writer.close()
    assert list(reader) == [b"a", b"b"]
    assert list(reader) == []


def test_a_loop_can_be_gone_on_with(writer: RingWriter, reader: RingReader) -> None:
    writer.publish_many([b"a", b"b", b"c"])
    assert list(islice(reader, 2)) == [b"a", b"b"]
    for _ in range(500):
        writer.publish(b"lap")
    writer.close()
    assert next(reader) == b"c"
    with pytest.raises(Lagged):
        next(reader)
    assert len(list(reader)) == 500 - reader.missed


def test_closing_is_seen_by_every_reader_wherever_it_stands(writer: RingWriter) -> None:
    writer.publish_many([b"%d" % number for number in range(10)])
    readers = [Ring.open(writer.path, start) for start in (0, 3, 9, 10, 11, 1000)]
    lapped = Ring.open(writer.path, 0, on_lag="skip")
    writer.publish_many([b"%d" % number for number in range(10, 20)])
    writer.close()
    for reader in readers:
        first = reader.sequence
        assert everything(reader) == [b"%d" % number for number in range(first, 20)]
        with pytest.raises(ClosedError, match=f"{writer.path} is closed$"):
            reader.read()
        with pytest.raises(ClosedError):
            reader.read_many(3, timeout=0)
    with Ring.create(writer.path, 4096) as again:
        for _ in range(500):
            again.publish(b"lap")
    for reader in [*readers, lapped]:
        with suppress(Lagged, ClosedError):
            reader.read(timeout=0)
        everything(reader)
        with pytest.raises(ClosedError):
            reader.read()
        reader.close()


def test_a_reader_that_comes_late_reads_what_is_left(writer: RingWriter) -> None:
    writer.publish(b"left")
    writer.close()
    with Ring.open(writer.path, "oldest") as reader:
        assert list(reader) == [b"left"]
        assert not reader.writer_alive
    with Ring.open(writer.path) as reader, pytest.raises(ClosedError):
        reader.read(timeout=0)


def test_a_waiting_reader_sees_the_close(writer: RingWriter, reader: RingReader) -> None:
    timer = threading.Timer(0.05, writer.close)
    timer.start()
    with pytest.raises(ClosedError):
        reader.read()
    timer.join()


def test_a_closed_ring_is_gone_on_with(writer: RingWriter, reader: RingReader) -> None:
    writer.publish_many([b"a", b"b"])
    writer.close()
    assert list(reader) == [b"a", b"b"]
    with Ring.create(writer.path, 4096) as again:
        with pytest.raises(Empty):  # and no longer closed
            reader.read(timeout=0)
        assert again.publish(b"c") == 2
        assert reader.read() == b"c"
        with Ring.open(writer.path, "oldest") as late:
            assert everything(late) == [b"a", b"b", b"c"]


def test_closing_twice_is_harmless_and_closed_is_closed(
    writer: RingWriter, reader: RingReader
) -> None:
    writer.publish_many([b"a", b"b"])
    assert reader.read() == b"a"
    for ring in (reader, writer):
        assert not ring.closed
        ring.close()
        ring.close()
        assert ring.closed
        assert repr(ring).endswith("closed>")
    for call in (lambda: writer.publish(b""), lambda: writer.publish_many([b""])):
        with pytest.raises(ClosedError, match=f"{writer.path} is closed"):
            call()
    for ask in (reader.read, lambda: reader.read_many(2), lambda: reader.writer_alive):
        with pytest.raises(ClosedError, match=f"{writer.path} is closed in this process"):
            ask()
    assert list(reader) == []


def test_a_reader_is_closed_by_another_thread_while_it_waits(reader: RingReader) -> None:
    timer = threading.Timer(0.05, reader.close)
    timer.start()
    with pytest.raises(ClosedError, match="in this process"):
        reader.read()
    timer.join()


def test_leaving_by_an_error_closes(path: Path) -> None:
    with pytest.raises(KeyError), Ring.create(path, 4096) as writer, Ring.open(path) as reader:
        raise KeyError
    assert writer.closed
    assert reader.closed


def test_dropping_without_a_close_warns_and_lets_go(path: Path) -> None:
    writer = Ring.create(path, 4096)
    reader = Ring.open(path)
    writer.publish(b"kept")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del writer
        gc.collect()
        assert not reader.writer_alive
        del reader
        gc.collect()
    said = [str(each.message) for each in told if each.category is ResourceWarning]
    assert said == [
        f"<RingWriter '{path}'> was not closed",
        f"<RingReader '{path}' at 0> was not closed",
    ]
    with Ring.open(path, "oldest") as late:
        assert everything(late) == [b"kept"]
        with pytest.raises(Empty):  # it is not closed: the writer might as well have died
            late.read(timeout=0)


def test_a_writer_is_no_reader_and_a_reader_no_writer(
    writer: RingWriter, reader: RingReader
) -> None:
    assert not hasattr(writer, "read")
    assert not hasattr(reader, "publish")
    assert reader.path == writer.path
    assert (writer.size, reader.size) == (4096, 4096)
    assert repr(reader) == f"<RingReader {writer.path!r} at 0>"


def test_threads_share_a_writer(path: Path) -> None:
    with Ring.create(path, "4MiB") as writer, Ring.open(path) as reader:

        def publish(name: int) -> None:
            for number in range(500):
                writer.publish(b"%d %d" % (name, number))
                writer.publish_many([b"%d %d" % (name + 10, number)] * 2)

        threads = [threading.Thread(target=publish, args=[name]) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = everything(reader)
        assert len(found) == 4 * 500 * 3
        for name in range(4):
            own = [int(each.split()[1]) for each in found if each.split()[0] == b"%d" % name]
            assert own == list(range(500))


@pytest.mark.parametrize("size", [-1, 0, 4095, "4095", (4 << 30) + 1, "64 MiB", "much"])
def test_a_size_that_cannot_be_is_refused(path: Path, size: Any) -> None:
    with pytest.raises(ValueError, match=r"size is 4096 to '4GiB', not"):
        Ring.create(path, size)
    assert not path.exists()


@pytest.mark.parametrize("size", [4096, "4KiB", "4096", 5003, "1MiB"])
def test_a_size_is_a_number_or_words(path: Path, size: int | str) -> None:
    with Ring.create(str(path), size=size) as writer:
        assert path.stat().st_size == 4096 + writer.size


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"start": "head"}, "'newest', 'oldest' or a sequence, not 'head'"),
        ({"start": -1}, "a sequence, not -1"),
        ({"on_lag": "ignore"}, "on_lag is 'raise' or 'skip', not 'ignore'"),
        ({"spin": -0.1}, "spin is 0 or more seconds, not -0.1"),
    ],
)
def test_a_reader_is_asked_for_in_known_words(
    writer: RingWriter, arguments: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        Ring.open(writer.path, **arguments)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda ring, path: ring(), r"Ring.create gives, and read by what Ring.open gives"),
        (
            lambda ring, path: ring.create(path, None),
            "size is bytes or a text such as '64MiB', not None",
        ),
        (lambda ring, path: ring.create(path, 4096.0), "size is bytes or a text .*, not float"),
        (lambda ring, path: ring.create(path, 4096, mode="0644"), "such as 0o640, not str"),
        (lambda ring, path: ring.open(path, None), "or a sequence, not NoneType"),
        (lambda ring, path: ring.open(path, 1.5), "or a sequence, not float"),
        (lambda ring, path: ring.open(None), "the path of a ring is text or a Path, not NoneType"),
        (
            lambda ring, path: ring.create(b"bytes", 4096),
            "the path of a ring is text .*, not bytes",
        ),
    ],
)
def test_what_is_of_no_right_kind_is_told(path: Path, call: Any, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        call(Ring, path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_no_file_can_be_called(name: str) -> None:
    for call in (Ring.open, lambda name: Ring.create(name, 4096)):
        with pytest.raises(ValueError, match="the path of a ring was expected, not"):
            call(name)


def test_times_and_counts_are_numbers_and_not_negative(
    writer: RingWriter, reader: RingReader
) -> None:
    for timeout in (-1, math.nan):
        with pytest.raises(ValueError, match=f"timeout is 0 or more seconds, not {timeout}"):
            reader.read(timeout=timeout)
    with pytest.raises(TypeError, match="timeout is seconds, not str"):
        reader.read(timeout="1s")  # type: ignore[arg-type]
    for n in (0, -5):
        with pytest.raises(ValueError, match=f"n is 1 or more, not {n}"):
            reader.read_many(n)


def test_the_public_names_are_these(path: Path) -> None:
    assert (darnerpy.Ring, darnerpy.Lagged, darnerpy.Empty) == (Ring, Lagged, Empty)
    with darnerpy.Ring.create(path, "64KiB") as ring:
        assert isinstance(ring, darnerpy.RingWriter)
        with darnerpy.Ring.open(path) as reader:
            assert isinstance(reader, darnerpy.RingReader)
