"""Moving what is left of segments into one of their own, so that they can go.

The new segment is written whole, and on disk, before it takes the place of the others by being renamed to
the first of them: its head tells which ones it replaces, so that a crash leaves them or it. Items keep
their ids and sequences, and thereby their order.
"""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Final

from ...queues.items import Item
from .appending import Part, parts_of
from .files import File
from .format import (
    FOOT_BYTES,
    HEAD_BYTES,
    LAST,
    MARK,
    MOVED,
    NOTE_AT,
    RECORD_BYTES,
    Head,
    Note,
    encode_head,
    encode_note,
    encode_record,
    extent,
)
from .items import items_of
from .segments import Segment
from .state import State
from .walk import Walker

__all__ = ["move", "size_for"]

_PAGE: Final = 4096
_STEP: Final = 256 * 1024
_REST_S: Final = 0.001
"""Rest after so many bytes, so that others get to work."""


class Damaged(Exception):
    """What is to be moved cannot all be read: it stays where it is."""


def move(state: State, run: Sequence[Segment], name: bytes) -> bool:
    """Move what is not gone of adjacent segments; False if they stay, since something in them is damaged.

    Raises `OSError`; then they stay as well.
    """
    first = run[0]
    part = f"{first.name}.part"
    try:
        size = size_for(sum(_size(part) for _, _, part in _survivors(state, run)))
        file = state.files.make(part, size)
        try:
            segment = _write(state, run, file, name, size)
        finally:
            file.close()
    except Damaged:
        state.files.remove(part)
        return False
    except BaseException:
        state.files.remove(part)
        raise
    state.replace(run, segment, part)
    state.files.sync_names()
    for each in run[1:]:
        state.files.remove(each.name)
    return True


def _write(state: State, run: Sequence[Segment], file: File, name: bytes, size: int) -> Segment:
    first = run[0]
    identity = os.urandom(8)
    segment = Segment(
        first.number, identity, size, first.first_id, first.first_sequence, first.first_offset
    )
    at, told = HEAD_BYTES, 0
    for sequence, batch, part in _survivors(state, run):
        head, foot = encode_record(
            at, part.kind, LAST | MOVED, 0, identity, sequence, batch, part.id, 0, part.offset,
            part.created, part.expiry, part.value, part.payload,
        )  # fmt: skip
        padding = bytes(_size(part) - RECORD_BYTES - len(part.payload) - FOOT_BYTES)
        file.write(at, b"".join((head, part.payload, padding, foot)))
        at += _size(part)
        if at - told >= _STEP:
            told = at
            time.sleep(_REST_S)
    segment.end = at
    segment.last_sequence = run[-1].last_sequence
    segment.note = Note(0, at, HEAD_BYTES, at, True)
    head = encode_head(
        Head(
            segment.number, identity, size, segment.first_sequence, segment.first_id,
            segment.first_offset, 0, 0, run[-1].number, name,
        )
    )  # fmt: skip
    file.write(0, head)
    file.write(NOTE_AT, encode_note(segment.note))
    file.sync()
    return segment


def _survivors(state: State, run: Sequence[Segment]) -> Iterator[tuple[int, int, Part]]:
    """What is left, record by record, each with its sequence and batch."""
    for segment in run:
        with state.reading(segment) as file:
            if file is None:
                raise Damaged
            walker = Walker(file, segment, HEAD_BYTES, segment.end)
            while (record := walker.next()) is not None:
                if walker.wrong or record.wrong:
                    break
                if record.kind == MARK:
                    continue
                items, _, wrong = items_of(record)
                if wrong:
                    walker.wrong = wrong
                    break
                for rest in _runs(state, items):
                    for part in parts_of(rest):
                        yield record.sequence, record.batch, part
            if walker.wrong:
                segment.damaged = True
                raise Damaged


def _runs(state: State, items: list[Item]) -> Iterator[list[Item]]:
    """Those that are not gone, as lists whose ids follow each other."""
    run: list[Item] = []
    for item in items:
        if not state.gone.is_confirmed(item.id):
            if run and run[-1].id + 1 != item.id:
                yield run
                run = []
            run.append(item)
    if run:
        yield run


def _size(part: Part) -> int:
    return extent(len(part.payload))


def size_for(live: int) -> int:
    """Bytes of a segment for so many of records."""
    return -(-(HEAD_BYTES + live) // _PAGE) * _PAGE
