"""The bytes of a ring, mapped: its states, and its frames by where they are.

Owns the arithmetic: a position counts all bytes ever written, and is turned into a place here. Whatever
is read is a copy, and is proved before anyone sees it. Knows nothing of who may read or write.
"""

import mmap
import time
from io import FileIO

from ..errors import DamageError, RingError
from .layout import (
    DATA,
    HEAD,
    HEAD_SIZE,
    STATES,
    Place,
    Seeds,
    State,
    is_intact,
    latest,
)
from .lock import is_taken

__all__ = ["PATIENCE_S", "Mapped"]

PATIENCE_S = 0.01
"""After that long any processor shows what another wrote: what does not fit then never will."""


class Mapped:
    """A ring's bytes.

    path, size: the file; bytes that frames have room in.
    seeds: the ring's own, for all checks.
    map: all of the file. Whoever is fast reads and writes it without us.
    """

    def __init__(
        self, path: str, descriptor: int, size: int, seeds: Seeds, *, writable: bool
    ) -> None:
        self.path = path
        self.size = size
        self.seeds = seeds
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        try:
            self.map = mmap.mmap(descriptor, DATA + size, access=access)
        except OSError as error:
            raise RingError(f"cannot map {path}: {error.strerror}") from error
        self._file = FileIO(descriptor)

    def state(self) -> State:
        """How the ring stands now. Raises `DamageError` if that cannot be told."""
        until = time.perf_counter() + PATIENCE_S
        late = False
        while True:
            state = latest(self.map[STATES], self.seeds)
            if state is not None:
                return state
            if late:
                raise DamageError(f"{self.path}: both states of the ring are damaged")
            late = time.perf_counter() > until
            time.sleep(0)

    def read(self, position: int, length: int) -> bytes:
        """A copy of the bytes from there on, which may be anything."""
        start = DATA + position % self.size
        over = start + length - DATA - self.size
        if over <= 0:
            return self.map[start : start + length]
        return self.map[start:] + self.map[DATA : DATA + over]

    def write(self, position: int, data: bytes) -> None:
        start = DATA + position % self.size
        over = start + len(data) - DATA - self.size
        if over <= 0:
            self.map[start : start + len(data)] = data
        else:
            self.map[start:] = data[:-over]
            self.map[DATA : DATA + over] = data[-over:]

    def frame(self, sequence: int, position: int, most: int) -> tuple[int, bytes] | None:
        """How many messages the frame there has, and its bytes; None if it is not the one of that sequence.

        most: with its head it cannot be longer.
        """
        if most < HEAD_SIZE:
            return None
        found, count, length, crc, adler = HEAD.unpack(self.read(position, HEAD_SIZE))
        if found != sequence or length > most - HEAD_SIZE:
            return None
        data = self.read(position + HEAD_SIZE, length)
        return (count, data) if is_intact(sequence, count, data, self.seeds, crc, adler) else None

    def last(self, place: Place) -> Place:
        """Behind the last frame that is there, from that place on."""
        sequence, position = place
        while (found := self.frame(sequence, position, self.size)) is not None:
            sequence, position = sequence + found[0], position + HEAD_SIZE + len(found[1])
        return sequence, position

    def has_writer(self) -> bool:
        """Whether a process holds the lock."""
        return is_taken(self._file.fileno())

    def close(self) -> None:
        """Let go of the map and of the lock. A second time it does nothing."""
        self.map.close()  # which has a descriptor of its own, and so a share of the lock
        self._file.close()
