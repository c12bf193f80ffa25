"""Damage to the files of a LevelDB: to their bytes, or below their checksums, which are put right.

Of the second kind anything may come that the files then say; `SEALED` in a directory tells it apart.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from struct import pack as pack_struct

from darnerpy.errors import DamageError
from darnerpy.journals.leveldb import format as leveldb
from darnerpy.migration.source import Incoming, Source
from tests.fuzz.directories import laid_out, pack, pack_directory, unpack
from tests.fuzz.mutations import BITS, mutate
from tests.fuzz.sources import is_whole, read_all

__all__ = ["SEALED", "built", "check_databases", "mutate_databases"]

SEALED = "SEALED"
_MAGIC = bytes.fromhex("57fb808b247547db")
_BITS = (*BITS, b"\xff" * 20_000, b"\x01\x01\x01q", b"\x00" * 20)


def built(build: Callable[[Path], None]) -> bytes:
    """The directory that build fills, without what LevelDB tells people, or locks."""
    with tempfile.TemporaryDirectory() as temporary:
        build(Path(temporary))
        for path in Path(temporary).rglob("LO*"):
            path.unlink()
        return pack_directory(Path(temporary))


def check_databases(data: bytes, source: Callable[[Path], Source]) -> set[str]:
    sealed = SEALED in unpack(data)

    def judge(queue: bytes, item: Incoming, data: bytes) -> None:
        assert sealed or is_whole(data), "an item that was never put"

    with laid_out(data) as directory:
        return read_all(source(directory), judge)[0]


def mutate_databases(random: Random, data: bytes) -> bytes:
    files = unpack(data)
    if not files or random.random() < 0.5:
        mutated = mutate(random, data)
        return pack({**unpack(mutated), SEALED: b""}) if SEALED in files else mutated
    name = random.choice(list(files))
    if ".ldb" in name or ".sst" in name:
        files[name] = seal_table(random, files[name])
    elif ".log" in name or "MANIFEST" in name:
        files[name] = seal_log(random, files[name])
    else:
        files[name] = mutate(random, files[name], _BITS)
    return pack({**files, SEALED: b""})


def seal_log(random: Random, log: bytes) -> bytes:
    """The records of a log or MANIFEST, changed, in a right one."""
    found = list(leveldb.read_log(log, lambda why: None))
    if found:
        at = random.randrange(len(found))
        match random.randint(0, 3):
            case 0:
                del found[at]
            case 1:
                found.insert(at, random.choice(found))
            case _:
                found[at] = mutate(random, found[at], _BITS)
    return b"".join(_fragment(record) for record in found if len(record) < 30_000)


def seal_table(random: Random, table: bytes) -> bytes:
    """The blocks of a table, one of them changed, or its index, or its end, in a right one."""
    blocks: list[tuple[bytes, bytes]] = []
    try:
        index = _stored(table, leveldb.index_handle(table[-leveldb.FOOTER_BYTES :]))
        for key, value in leveldb.decode_block(index):
            blocks.append((key, _stored(table, leveldb.read_handle(value))))
    except DamageError:
        return mutate(random, table)
    what = random.randint(0, 5)
    out, entries = b"", []
    for at, (key, block) in enumerate(blocks):
        if what < 3 and at == random.randrange(len(blocks)):
            block = mutate(random, block, _BITS)
        kind = random.choice([1, 2]) if what == 3 else 0
        entries.append((key, _number(len(out)) + _number(len(block))))
        out += _trailed(block, kind)
    filters = _number(len(out)) + _number(8)
    out += _trailed(_block([]))
    index = _block(entries)
    index = mutate(random, index, _BITS) if what == 4 else index
    footer = filters + _number(len(out)) + _number(len(index))
    footer = mutate(random, footer) if what == 5 else footer
    return out + _trailed(index) + footer[:40].ljust(40, b"\0") + _MAGIC


def _stored(table: bytes, handle: leveldb.Handle) -> bytes:
    stop = handle.offset + handle.size + leveldb.TRAILER_BYTES
    return leveldb.unpack_block(table[handle.offset : stop].ljust(leveldb.TRAILER_BYTES, b"\0"))


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        b"\0" + _number(len(key)) + _number(len(value)) + key + value for key, value in entries
    )
    return body + pack_struct("<II", 0, 1)


def _trailed(block: bytes, kind: int = 0) -> bytes:
    return block + bytes([kind]) + _checksum(block + bytes([kind]))


def _fragment(record: bytes) -> bytes:
    whole = b"\x01" + record
    return _checksum(whole) + pack_struct("<H", len(record)) + whole


def _checksum(data: bytes) -> bytes:
    crc = leveldb.crc32c(data)
    return pack_struct("<I", (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)


def _number(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
