"""Which files are rings, and what becomes of those that are not."""

import os
import resource
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.errors import ClosedError, DamageError, NoRingError, RingError, RingInUseError
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingWriter, opening
from darnerpy.ring.layout import DATA, FORMAT, STATES, pack_beginning
from darnerpy.ring.lock import take


def made(path: Path, size: int = 4096) -> bytes:
    """A ring of one message, closed; its bytes."""
    with Ring.create(path, size) as writer:
        writer.publish(b"kept")
    return path.read_bytes()


def test_a_new_file_is_as_large_as_it_will_ever_be_and_on_disk(path: Path) -> None:
    with Ring.create(path, "1MiB"):
        assert path.stat().st_size == DATA + (1 << 20)
        assert path.stat().st_blocks * 512 >= DATA + (1 << 20)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_others_may_read_it_if_that_is_asked_for(path: Path) -> None:
    Ring.create(path, 4096, mode=0o640).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_is_not_there_is_no_ring(path: Path) -> None:
    with pytest.raises(NoRingError, match=f"there is no ring {path}"):
        Ring.open(path)
    assert not path.exists()
    with pytest.raises(RingError, match=r"cannot make .*no-such-folder/ring: there is no such dir"):
        Ring.create(path.parent / "no-such-folder" / "ring", 4096)


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 8192, 3 << 20])
def test_a_zeroed_file_is_no_message_and_becomes_a_ring(path: Path, length: int) -> None:
    path.write_bytes(b"\0" * length)
    with pytest.raises(NoRingError, match="no ring yet"):
        Ring.open(path)
    with Ring.create(path, 8192) as writer:
        assert path.stat().st_size == DATA + 8192
        with Ring.open(path, "oldest") as reader:
            with pytest.raises(Empty):
                reader.read(timeout=0)
            writer.publish(b"first")
            assert reader.read() == b"first"


def test_holes_are_zeros_and_not_read(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)
    with Ring.create(path, 4096):
        assert path.stat().st_size == DATA + 4096


@pytest.mark.parametrize(
    "contents",
    [
        b"x",
        b"SQLite format 3\0" + b"\0" * 9000,
        b"\0" * 9000 + b"x",
        b"\0" * (2 << 20) + b"x" + b"\0" * 99,
        b"DARNRING" + b"\0" * 9000,
        pack_beginning(4096, (7, 7))[:40],
    ],
)
def test_a_file_that_is_something_else_is_left_as_it_is(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    with pytest.raises(RingError, match=str(path)):
        Ring.create(path, 4096)
    with pytest.raises(RingError, match=str(path)):
        Ring.open(path)
    assert path.read_bytes() == contents


def other_format(contents: bytes) -> bytes:
    """The same in a format to come: its title is as ours."""
    from zlib import adler32, crc32

    title = contents[:8] + struct.pack(">I", FORMAT + 1) + contents[12:32]
    return title + struct.pack(">II", crc32(title), adler32(title)) + contents[40:]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda data: data[:-1],
            f"has {DATA + 4095} bytes, where a ring of 4096 has {DATA + 4096}",
        ),
        (lambda data: data[:100], "has 100 bytes, where"),
        (lambda data: data + b"more", f"has {DATA + 4100} bytes, where"),
        (other_format, f"of format {FORMAT + 1}; this darnerpy knows {FORMAT}"),
        (lambda data: data[:20] + b"\xff" + data[21:], "is no ring: it begins with b'DARNRING'"),
        (lambda data: data[:5] + b"?" + data[6:], r"is no ring: it begins with b'DARNR\?NG'"),
    ],
)
def test_a_ring_that_cannot_be_trusted_is_refused(
    path: Path, change: Callable[[bytes], bytes], what: str
) -> None:
    contents = change(made(path))
    path.write_bytes(contents)
    with pytest.raises(RingError, match=what):
        Ring.create(path, 4096)
    with pytest.raises(RingError, match=what):
        Ring.open(path)
    assert path.read_bytes() == contents


def test_another_size_is_refused_and_both_are_named(path: Path) -> None:
    contents = made(path)
    with pytest.raises(RingError, match=f"{path} is a ring of 4096 bytes, not of 8192"):
        Ring.create(path, "8KiB")
    assert path.read_bytes() == contents


def test_a_ring_whose_states_are_damaged_is_refused(path: Path) -> None:
    contents = bytearray(made(path))
    contents[STATES] = os.urandom(STATES.stop - STATES.start)
    path.write_bytes(contents)
    for call in (lambda: Ring.create(path, 4096), lambda: Ring.open(path)):
        with pytest.raises(DamageError, match=f"{path}: both states of the ring are damaged"):
            call()
    assert path.read_bytes()[DATA:] == contents[DATA:]


def test_what_is_no_file_is_refused(path: Path) -> None:
    path.mkdir()
    pipe = path / "pipe"
    os.mkfifo(pipe)
    for place in (path, pipe):
        with pytest.raises(RingError, match=str(place)):
            Ring.create(place, 4096)
        with pytest.raises(RingError, match=str(place)):
            Ring.open(place)


def test_a_file_without_room_is_an_error_and_never_a_crash(path: Path) -> None:
    path.write_bytes(b"\0" * 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RingError, match="no room for a ring of 1048576 bytes"):
            Ring.create(path, "1MiB")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == 100
    with Ring.create(path, "1MiB") as writer:
        writer.publish(b"now")


def test_no_descriptor_is_left_behind(path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    with pytest.raises(NoRingError):
        Ring.open(path)
    contents = made(path)
    with Ring.create(path, 4096), Ring.open(path), pytest.raises(RingInUseError):
        Ring.create(path, 4096)
    with pytest.raises(RingError):
        Ring.create(path, 8192)
    path.write_bytes(contents[:-1])
    for call in (lambda: Ring.create(path, 4096), lambda: Ring.open(path)):
        with pytest.raises(RingError):
            call()
    assert descriptors() == before


def test_a_file_that_is_replaced_while_it_is_locked_is_not_the_ring(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    taken: list[int] = []

    def late(descriptor: int) -> bool:
        if not taken:
            path.unlink()
        taken.append(descriptor)
        return take(descriptor)

    monkeypatch.setattr(opening, "take", late)
    with Ring.create(path, 8192) as writer, Ring.open(path) as reader:
        writer.publish(b"to where it is now")
        assert reader.read() == b"to where it is now"
    assert len(taken) == 2


def test_a_file_that_was_removed_is_made_anew_beside_the_old_one(
    path: Path, writer: RingWriter
) -> None:
    with Ring.open(path) as old:
        path.unlink()
        with Ring.create(path, 4096) as second, Ring.open(path) as new:
            writer.publish(b"to the old")
            second.publish(b"to the new")
            assert (old.read(), new.read()) == (b"to the old", b"to the new")
            writer.close()
            with pytest.raises(ClosedError):
                old.read()
            assert new.writer_alive
