"""All that an arena holds, in order, every checksum looked at: what `check` and `export` go by."""

from collections.abc import Iterator

from ...errors import DamageError
from ..contract import Block, Entry, Standing
from .format import HEAD_BYTES, MARK, Record
from .items import items_of, mark_of
from .state import State
from .walk import Walker

__all__ = ["contents"]


def contents(state: State) -> Iterator[Entry]:
    """What is damaged between two records is told as a mark that is, and has no ids; what a power cut took
    shows as ids that are missing.

    Raises `OSError`, `NewerFormatError`.
    """
    for segment in state.segments:
        with state.reading(segment) as file:
            if file is None:
                yield Standing(0, None, f"{segment.name} is not there")
                continue
            walker = Walker(file, segment, HEAD_BYTES, segment.end)
            while True:
                record = walker.next()
                if walker.wrong and not walker.missing and not (record and record.wrong):
                    yield Standing(0, None, walker.wrong)
                walker.told()
                if record is None:
                    break
                yield _entry(record)
            if walker.mended:
                wrong = f"{segment.name} had {walker.mended} wrong bits, which do no harm"
                yield Standing(0, None, wrong)


def _entry(record: Record) -> Entry:
    if record.kind == MARK:
        try:
            return Standing(record.id, mark_of(record), record.wrong)
        except DamageError as error:
            return Standing(record.id, None, str(error))
    items, stop, wrong = items_of(record)
    return Block(items, record.id, stop, wrong, sure=True)
