"""When a batch carries everyone's whole position: a full mark, behind which recovery need not look.

Owns how far they are apart: near enough for a quick start, the further the more there is to write in one.
"""

__all__ = ["FullMarks"]

_IDS = 10_000
_BATCHES = 1_000
_BYTES = 8 * 1024 * 1024
_SPAN_BYTES = 32


class FullMarks:
    """wanted: the next batch has to be full whatever it is; else the first that reaches one of at_id,
    at_batch and at_offset.
    """

    __slots__ = ("at_batch", "at_id", "at_offset", "wanted")

    def __init__(self) -> None:
        self.wanted = True
        self.at_id = self.at_batch = self.at_offset = 0

    def written(self, batch: int, next_id: int, next_offset: int, spans: int) -> int:
        """A batch is full, with so many spans in its mark; returns the bytes of them."""
        size = spans * _SPAN_BYTES
        self.wanted = False
        self.at_id = next_id + _IDS + spans
        self.at_batch = batch + _BATCHES + spans // 4
        self.at_offset = next_offset + _BYTES + 8 * size
        return size
