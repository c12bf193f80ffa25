"""What a LevelDB holds of a journal: which entries, compressed or not, of which format."""

from pathlib import Path
from zlib import crc32

import pytest

from darnerpy.errors import NewerFormatError
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.records import block_key, mark_key
from tests.journals.kept import Kept


def test_a_long_drain_does_not_leave_its_marks_behind(durable: Kept) -> None:
    durable.put(*(b"%d" % number for number in range(500)))
    for _ in range(500):
        durable.take(1)
    durable.trim()
    keys = [key for key, _ in durable.journal._db.iterator()]  # type: ignore[attr-defined]
    assert len(keys) <= 4


@pytest.mark.parametrize("before", [False, True])
def test_what_was_written_compressed_or_not_is_read_either_way(
    durable: Kept, before: bool, tmp_path: Path
) -> None:
    items = [b"one of many, " * 20 + b"%d" % n for n in range(3000)]
    for compress, part in ((before, items[:2000]), (not before, items[2000:])):
        durable.settings = {"compression": "snappy" if compress else "off"}
        durable.reopen()
        for at in range(0, len(part), 5):
            durable.put(*part[at : at + 5])
    durable.trim()  # which writes some of it anew
    assert durable.reopen().damage == []
    assert durable.waiting == items
    copy = tmp_path / "copy"
    durable.journal.copy(copy)
    copied = Kept(copy, LevelDbEngine())
    assert copied.waiting == items
    copied.close()


@pytest.mark.parametrize("key", [block_key(2), mark_key(3, 9)], ids=["block", "mark"])
def test_a_later_format_is_refused_and_left_alone(durable: Kept, key: bytes) -> None:
    durable.put(b"1")
    body = b"\x03 who knows what a later version writes here"
    value = body + crc32(body, crc32(key)).to_bytes(4, "little")
    durable.journal._db.put(key, value)  # type: ignore[attr-defined]
    for _ in range(2):  # the second time because the first has changed nothing
        with pytest.raises(NewerFormatError, match="format 3"):
            durable.reopen()
