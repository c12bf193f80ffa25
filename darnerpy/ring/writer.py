"""The one that publishes.

Owns who may publish and what: threads may share a writer, a forked process cannot use it; several small
messages go into one frame. A message is published once its frame is written. Never waits for a reader.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from ..arguments import Data, bytes_of, check_several
from ..errors import ClosedError, ForkedError, MessageTooLargeError, RingError
from ..locks import Lock
from .frames import Frames
from .layout import WRITER, pack_table
from .mapped import Mapped

__all__ = ["RingWriter"]

_FRAME: Final = 8 << 10
"""Bytes of many small messages that have one head. They are lost together, so they must not be too many."""

_open_writers: "WeakSet[RingWriter]" = WeakSet()


class RingWriter:
    """Publishes messages in a ring; made by `darnerpy.Ring.create`.

    It is a context manager, which closes it. Threads may share it.

    path: the file.
    size: bytes of messages that it keeps, counting 22 more for each call.
    """

    path: str
    size: int

    def __init__(self, ring: Mapped) -> None:
        """Take over a ring that is locked, whatever became of its writer."""
        self.path = ring.path
        self.size = ring.size
        self._ring = ring
        self._most = ring.size // 2
        self._lock = Lock()
        self._gone: type[ClosedError] | type[ForkedError] | None = ClosedError
        ring.map[WRITER] = os.getpid().to_bytes(8, "big")
        self._frames = Frames(ring)
        self._gone = None
        _open_writers.add(self)

    @property
    def sequence(self) -> int:
        """The sequence of the message that is published next."""
        return self._frames.next[0]

    @property
    def closed(self) -> bool:
        """Whether it can publish nothing more: it was closed, or is the copy in a forked process."""
        return self._gone is not None

    def publish(self, message: Data) -> int:
        """Have all readers find this message next; its sequence.

        Raises `MessageTooLargeError`, and `ClosedError` or `ForkedError` if it can publish nothing more.
        """
        data = message if type(message) is bytes else bytes_of(message, "a message")
        if len(data) > self._most:
            raise self._too_large(len(data))
        with self._lock:
            if self._gone is not None:
                raise self._refusal()
            return self._frames.write(1, data)

    def publish_many(self, messages: Iterable[Data]) -> range:
        """The same for many, which costs much less; their sequences.

        If one of them is too large, none is published. They need not fit the ring together.
        """
        check_several(messages, "messages")
        batch = [each if type(each) is bytes else bytes_of(each, "a message") for each in messages]
        lengths = list(map(len, batch))
        longest = max(lengths, default=0)
        if longest > self._most:
            raise self._too_large(longest)
        with self._lock:
            if self._gone is not None:
                raise self._refusal()
            first, done = self._frames.next[0], 0
            for count in _counts(lengths, min(_FRAME, self.size // 4)):
                frame = batch[done : done + count]
                if count > 1:
                    frame.insert(0, pack_table(lengths[done : done + count]))
                self._frames.write(count, b"".join(frame))
                done += count
        return range(first, first + done)

    def check(self) -> None:
        """Raise `RingError` if somebody has cut off the file: publishing then ends the process (SIGBUS)."""
        if self._gone is not None:
            raise self._refusal()
        file = self._ring.map
        if file.size() != len(file):
            raise RingError(f"{self.path} was cut off: nothing can be published in it any more")

    def close(self) -> None:
        """Have readers know that nothing more comes. The ring stays, and can be created again.

        A second time it does nothing.
        """
        with self._lock:
            if self._gone is None:
                if self._ring.map.size() == len(self._ring.map):
                    self._frames.close()
                self._gone = ClosedError
            self._ring.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._gone is None:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, 1, source=self)
            self._gone = ClosedError
            self._ring.close()

    def __repr__(self) -> str:
        return f"<RingWriter {self.path!r}{' closed' if self.closed else ''}>"

    def _forked(self) -> None:
        """In the child: give back our share of the lock, so that it is the parent's alone."""
        self._lock = Lock()  # a thread that is not here may have had the other
        if self._gone is None:
            self._gone = ForkedError
            self._ring.close()

    def _refusal(self) -> Exception:
        if self._gone is ForkedError:
            return ForkedError(
                f"{self.path}: the writer belongs to the process that forked this one"
            )
        return ClosedError(f"{self.path} is closed")

    def _too_large(self, length: int) -> Exception:
        return MessageTooLargeError(
            f"{self.path} takes messages of {self._most} bytes, half the ring; this one has {length}"
        )


def _counts(lengths: list[int], most: int) -> Iterator[int]:
    """How many messages go into each frame, so that it has so many bytes at most if it has several."""
    count = size = 0
    for length in lengths:
        size += length + 4
        if size > most and count:
            yield count
            count, size = 0, length + 4
        count += 1
    if count:
        yield count


def _forget_in_child() -> None:
    for writer in list(_open_writers):
        writer._forked()


os.register_at_fork(after_in_child=_forget_in_child)
