"""`darnerpy.Ring`: the two ways to have one, for its one writer and for any number of readers.

Owns what they are called with, and the errors of that.
"""

import operator
import os
from typing import Literal

from ..arguments import kind_of, seconds_of, text_of_path
from ..units import parse_size
from .layout import LEAST_SIZE, MOST_SIZE
from .opening import create_file, open_file
from .reader import RingReader
from .writer import RingWriter

__all__ = ["Ring"]

_SPIN_S = 0.0001


class Ring:
    """Messages from one process to any number of others on the same machine, through a file that all map.

    The writer never waits: it overwrites what is oldest. Each reader has a place of its own, and knows how
    many messages it missed. docs/ring.md is the manual.

    >>> writer = Ring.create("ticks", size="64KiB")
    >>> reader = Ring.open("ticks")
    >>> writer.publish(b"hello")
    0
    >>> reader.read()
    b'hello'
    >>> writer.close()
    >>> list(reader)
    []
    >>> reader.close()
    """

    def __init__(self, *args: object, **keywords: object) -> None:
        raise TypeError(
            "a ring is written by what Ring.create gives, and read by what Ring.open gives"
        )

    @staticmethod
    def create(path: str | os.PathLike[str], size: int | str, *, mode: int = 0o600) -> RingWriter:
        """Make a ring, or go on with one that was closed or whose writer is dead.

        path: best in /dev/shm, which is memory. The file stays when the ring is closed.
        size: bytes, or a text such as "64MiB": 4 KiB to 4 GiB. The file is 4 KiB larger.
        mode: who may open the file, if it is made; less what the umask takes away.

        Raises `RingInUseError` if the ring has a writer, and `RingError` if the file is something else, a
        ring of another size, or cannot be made.
        """
        where = text_of_path(path, "a ring")
        if isinstance(size, bool) or not isinstance(size, int | str):
            raise TypeError(f"size is bytes or a text such as '64MiB', not {kind_of(size)}")
        if isinstance(mode, bool) or not isinstance(mode, int):
            raise TypeError(f"mode is a number such as 0o640, not {kind_of(mode)}")
        try:
            number = parse_size(size)
        except ValueError:
            number = -1
        if not LEAST_SIZE <= number <= MOST_SIZE:
            raise ValueError(f"size is 4096 to '4GiB', not {size!r}")
        ring = create_file(where, number, mode)
        try:
            return RingWriter(ring)
        except BaseException:
            ring.close()
            raise

    @staticmethod
    def open(
        path: str | os.PathLike[str],
        start: Literal["newest", "oldest"] | int = "newest",
        *,
        on_lag: Literal["raise", "skip"] = "raise",
        spin: float = _SPIN_S,
    ) -> RingReader:
        """Read a ring.

        start: "newest" for what is published from now on, "oldest" for all that is there, or the sequence
            of the first message to read, which may be one to come.
        on_lag: "raise" has `Lagged` raised when messages were overwritten before they were read;
            "skip" only counts them, in `missed`.
        spin: seconds to look for a message without a pause, before pausing for up to a millisecond each time.

        Raises `NoRingError` if there is none, and `RingError` if the file is something else.
        """
        where = text_of_path(path, "a ring")
        if not isinstance(start, str):
            try:
                start = operator.index(start)
            except TypeError:
                told = f"start is 'newest', 'oldest' or a sequence, not {kind_of(start)}"
                raise TypeError(told) from None
        if start not in ("newest", "oldest") if isinstance(start, str) else start < 0:
            raise ValueError(f"start is 'newest', 'oldest' or a sequence, not {start!r}")
        if on_lag not in ("raise", "skip"):
            raise ValueError(f"on_lag is 'raise' or 'skip', not {on_lag!r}")
        seconds_of(spin, "spin")
        ring = open_file(where)
        try:
            return RingReader(ring, start, on_lag, spin)
        except BaseException:
            ring.close()
            raise
