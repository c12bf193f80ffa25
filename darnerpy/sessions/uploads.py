"""A large item as it arrives: from chunks on the loop to a file, written in a thread.

Owns the chunks between the two. At most one write is under way; `waiting` tells how much is behind
it, so that reading can be paused. Nothing of a half upload stays: on any end but a good one the file
is removed (and after a kill, when the queue is next opened).
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ..brokers.stored import StoredQueue
from ..errors import JournalError, ServerError
from ..journals.large import Upload
from ..journals.workers import Done

__all__ = ["Copies", "Incoming"]

log = logging.getLogger("darnerpy.journal")


class Incoming:
    """waiting: bytes that are not written yet. upload, number, path: the file. sync: also if its queue does
    not ask for it.

    moved: called when waiting has become less. finished: called once after `end`, with why the file
    is not whole or None.
    """

    def __init__(
        self,
        stored: StoredQueue,
        sync: bool,
        moved: Callable[[], None],
        finished: Callable[["Incoming", ServerError | None], None],
    ) -> None:
        self.stored = stored
        self.waiting = 0
        self.upload = stored.begin_upload()
        self.number = self.upload.number
        self.path = self.upload.path
        self._sync = sync
        self._chunks: list[bytes] = []
        self._writing = False
        self._ending = False
        self._discarded = False
        self._whole = False
        self._failed: ServerError | None = None
        self._moved = moved
        self._finished = finished

    @property
    def failed(self) -> bool:
        """Nothing more of it is written; why, `finished` tells when it has ended."""
        return self._failed is not None

    @property
    def crc(self) -> int:
        """The checksum of what was written."""
        return self.upload.crc

    def add(self, chunk: bytes) -> None:
        if self._failed is None:
            self._chunks.append(chunk)
            self.waiting += len(chunk)
            self._go_on()

    def end(self) -> None:
        """All chunks were added."""
        self._ending = True
        self._go_on()

    def discard(self) -> None:
        """The item will not be; nothing is reported any more."""
        if self._whole:
            self.remove()
            return
        self._discarded = True
        self._chunks.clear()
        self._go_on()

    def remove(self) -> None:
        """The file is whole but not wanted."""
        self.stored.in_thread(self.upload.discard, lambda *_: None)

    def _go_on(self) -> None:
        if self._writing:
            return
        if self._discarded or (self._failed is not None and self._ending):
            self._run(self.upload.discard, self._removed)
        elif self._chunks and self._failed is None:
            chunks, self._chunks = self._chunks, []
            self._run(partial(self.upload.write, chunks), self._written)
        elif self._ending:
            self._run(partial(self.upload.finish, self._sync or self.stored.syncs), self._completed)

    def _run(self, work: Callable[[], Any], done: Done) -> None:
        self._writing = True
        self.stored.in_thread(work, done)

    def _removed(self, result: None, error: BaseException | None) -> None:
        self.stored.end_upload()
        if not self._discarded:
            self._finished(self, self._failed)

    def _written(self, result: None, error: BaseException | None) -> None:
        self._writing = False
        self._note(error)
        self.waiting = sum(map(len, self._chunks))
        if not self._discarded:
            self._moved()
        self._go_on()

    def _completed(self, result: None, error: BaseException | None) -> None:
        self._writing = False
        self._note(error)
        if self._discarded or self._failed is not None:
            self._go_on()
            return
        self._whole = True
        self.stored.end_upload()
        self._finished(self, None)

    def _note(self, error: BaseException | None) -> None:
        if error is not None:
            self._failed = error if isinstance(error, ServerError) else JournalError(str(error))
            if self.stored.deletion is None:  # else it had to
                log.error("a large item failed: %s", error, extra={"queue": self.stored.name})
            self._chunks.clear()


class Copies:
    """The file of an item that has arrived, in other queues as well: links to it, made in threads.

    done: called once, with the links in the order of the queues and why one of them failed, if so.
    """

    def __init__(
        self,
        original: Incoming,
        queues: list[StoredQueue],
        done: Callable[[list[Upload], ServerError | None], None],
    ) -> None:
        self._done = done
        self._left = len(queues)
        self._error: ServerError | None = None
        self._links = [stored.begin_upload() for stored in queues]
        for stored, link in zip(queues, self._links, strict=True):
            work = partial(link.link, original.path, original.crc)
            stored.in_thread(work, partial(self._linked, stored))

    def _linked(self, stored: StoredQueue, result: None, error: BaseException | None) -> None:
        stored.end_upload()
        if error is not None:
            self._error = error if isinstance(error, ServerError) else JournalError(str(error))
        self._left -= 1
        if not self._left:
            self._done(self._links, self._error)
