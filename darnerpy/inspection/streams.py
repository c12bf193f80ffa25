"""Files with a checksum at the end of them, written and read once from the first byte to the last."""

from typing import BinaryIO

from ..checksums import crc32

__all__ = ["Reader", "Writer"]


class Writer:
    """sum: of all that was written."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.sum = 0

    def write(self, *parts: bytes) -> None:
        for part in parts:
            self.sum = crc32(part, self.sum)
            self._target.write(part)


class Reader:
    """at: the number of the next byte. sum: of those before it. piece_sum: of those since it was set
    to 0. line: the number of the last line."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.at = self.sum = self.piece_sum = self.line = 0

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer where the file ends."""
        parts: list[bytes] = []
        while size and (data := self._source.read(size)):
            parts.append(data)
            size -= len(data)
        return self._took(b"".join(parts))

    def read_line(self, most: int) -> bytes:
        """A line with its end, or what there is of it up to so many bytes."""
        self.line += 1
        return self.read_more(most)

    def read_more(self, most: int) -> bytes:
        """More of a line of which so much was not all."""
        return self._took(self._source.readline(most))

    def _took(self, data: bytes) -> bytes:
        self.sum = crc32(data, self.sum)
        self.piece_sum = crc32(data, self.piece_sum)
        self.at += len(data)
        return data
