"""Items and marks as records hold them. Pure.

A block is the same as in every journal (`records`), and so is a mark (`marks`). An item alone has its
numbers in the head of its record, and the payload is its data.
"""

from ...errors import DamageError
from ...queues.items import Item
from ..marks import MarkRecord, decode_body
from ..records import block_key, decode_block
from .format import BLOCK, Record

__all__ = ["items_of", "mark_of"]


def items_of(record: Record) -> tuple[list[Item], int, str]:
    """The good items of a record, the id after its last one, and what is wrong ("" if nothing).

    Raises `NewerFormatError` for what a later version wrote.
    """
    if record.kind == BLOCK:
        stop = record.id + max(1, record.value)
        try:
            items, last, wrong = decode_block(block_key(record.id), record.payload)
        except DamageError as error:
            return [], stop, str(error)
        return items, max(stop, last), wrong
    if record.wrong:
        return [], record.id + 1, f"item {record.id} has a wrong checksum"
    item = Item(
        record.id, record.length, record.payload, record.value, record.created, record.expiry,
        record.offset,
    )  # fmt: skip
    return [item], record.id + 1, ""


def mark_of(record: Record) -> MarkRecord:
    """Raises `DamageError`, or `NewerFormatError` for a later version's mark."""
    where = f"mark {record.batch} before item {record.id}"
    if record.wrong:
        raise DamageError(f"{where} has a wrong checksum")
    return decode_body(record.payload, where)
