"""What a session reads: gets in all their kinds, and the open-read table.

Owns, per consumer, the open reads in the order they were opened, and the wait under way. What each
option means is decided here: plain takes and confirms, /open takes and holds, /close confirms the
oldest held, /abort returns it, /peek only looks. Several keys of one get are read one after another.
"""

from collections import deque
from typing import TYPE_CHECKING

from ..brokers.stored import StoredQueue
from ..errors import ClientError, JournalError, ServerError
from ..protocol import replies
from ..protocol.commands import Get, Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer, OpenRead
from ..queues.items import Item
from .contract import NotReady, Obstacle
from .slots import FileReply, Tally, TallyEnd, TallyPart
from .waits import Wait

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Reads"]


class Reads:
    def __init__(self, session: "Session") -> None:
        host = session.host
        self._session = session
        self._broker = host.broker
        self._queues = host.broker.queues
        self._counters = host.counters
        self._kestrel = host.settings.dialect == "kestrel"
        self._max_open = host.settings.max_open_reads
        self._slots = session.slots
        self._held: dict[Consumer, deque[OpenRead]] = {}
        self._wait: Wait | None = None
        self._todo: deque[Read] = deque()
        self._tally: Tally | None = None
        self._cas = False

    # -- what the session asks ---------------------------------------------------------------------

    @property
    def any_held(self) -> bool:
        return any(not held.gone for reads in self._held.values() for held in reads)

    def get(self, command: Get) -> None:
        """Raises `ClientError`, `ServerError` or `NotReady`, before anything was done."""
        reads = command.reads
        self._cas = command.cas
        if len(reads) > 1:
            for read in reads:
                self._find(read)  # all of them are usable before the first one runs
            self._tally = Tally()
            self._todo.extend(reads)
            self._session.obstacles |= Obstacle.WAIT
            self._read_on()
            return
        read = reads[0]
        stored = self._queues.get(read.queue)
        if read.plain and stored is not None and stored.ready and not self._held:
            queue = stored.queue
            item = queue.take(queue.own)
            if item is not None and item.data is not None:
                self._counters.gets += 1
                self._counters.hits += 1
                if self._kestrel or self._cas:
                    reply = replies.value(self._echo(read), item.flags, item.data, self._id(item))
                    self._slots.add(queue.batch, reply + replies.END)
                else:
                    self._slots.add(queue.batch, replies.VALUE % (read.key, item.flags, item.size, item.data))
                return
            if item is not None:
                queue.give_back(queue.own, item)
        self._read(read)

    def end_wait(self) -> None:
        """Wait no longer; the answer is END."""
        wait = self._wait
        if wait is not None:
            wait.withdraw()
            self.waited_in_vain(None)

    def withdraw(self) -> None:
        """Nobody is interested in the answer any more."""
        wait, self._wait = self._wait, None
        self._todo.clear()
        if wait is not None:
            wait.withdraw()
            self._broker.forget(wait.stored)

    def return_all(self) -> None:
        """Everything held goes back to its place."""
        held, self._held = self._held, {}
        for reads in held.values():
            for read in reads:
                read.queue.abort(read)

    # -- one key -----------------------------------------------------------------------------------

    def _find(self, read: Read) -> StoredQueue | None:
        """The queue to read; None if there is none and nobody needs there to be one."""
        stored = self._queues.get(read.queue)
        waits = read.wait_ms and not self._session.input_ended
        if (stored is None and waits) or read.consumer:
            return self._session.usable(read.queue, read.consumer)
        if stored is not None and not stored.ready:
            return self._session.usable(read.queue, read.consumer)
        return stored

    def _read(self, read: Read) -> None:
        counters = self._counters
        if read.peek:
            counters.peeks += 1
        elif not read.abort and (read.open or not read.close):
            counters.gets += 1
        stored = self._find(read)
        if stored is None:
            self._missed(None, counted=not (read.abort or (read.close and not read.open)))
            return
        queue, consumer = stored.queue, stored.queue.own
        if read.abort:
            held = self._oldest(consumer)
            if held is not None:
                queue.abort(held)
            self._missed(None, counted=False)
            return
        commit: Batch | None = None
        if read.close:
            held = self._oldest(consumer)
            if held is not None:
                commit = queue.close(held)
            if not read.open:
                self._missed(commit, counted=False)
                return
        if not read.peek:
            self._check_limit(consumer, read)
        self._take(read, stored, consumer, commit)

    def _take(
        self, read: Read, stored: StoredQueue, consumer: Consumer, after: Batch | None
    ) -> None:
        """after: what an earlier part of the same command waits for."""
        queue = stored.queue
        held: OpenRead | None = None
        if read.peek:
            item = queue.peek(consumer)
        elif read.open:
            held = queue.open(consumer)
            item = None if held is None else held.item
        else:
            item = queue.take(consumer)
        if item is None:
            waits = read.wait_ms and not self._session.input_ended
            if waits or not queue.is_empty(consumer):
                self._session.obstacles |= Obstacle.WAIT
                self._wait = Wait(self, self._session, stored, consumer, read, after)
            else:
                self._missed(after)
            return
        handle = None
        if item.large:
            try:
                handle = stored.large.open(item)
            except JournalError:
                if held is not None:
                    queue.abort(held)
                elif not read.peek:
                    queue.give_back(consumer, item)
                raise
        if read.peek:
            commit = queue.pending(item)
        elif held is not None:
            self._hold(held)
            commit = held.commit
        else:
            commit = queue.batch
        self._serve(read, item, handle, commit or after)

    def _check_limit(self, consumer: Consumer, read: Read) -> None:
        reads = self._held.get(consumer)
        if not reads:
            return
        live = sum(not held.gone for held in reads)
        if live and (not read.open or live >= self._max_open):
            raise ClientError("close current item first")

    def _hold(self, held: OpenRead) -> None:
        if held.consumer not in self._held:
            # Open reads that are gone (their queue was deleted) are swept when the table grows.
            self._held = {c: r for c, r in self._held.items() if any(not h.gone for h in r)}
            self._held[held.consumer] = deque()
        self._held[held.consumer].append(held)

    def _oldest(self, consumer: Consumer) -> OpenRead | None:
        """The oldest open read on a consumer; it leaves the table."""
        reads = self._held.get(consumer)
        held = None
        while reads and held is None:
            oldest = reads.popleft()
            held = None if oldest.gone else oldest
        if reads is not None and not reads:
            del self._held[consumer]
        return held

    # -- how a wait ends ---------------------------------------------------------------------------

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        if held is not None:
            self._hold(held)
        self._serve(wait.read, item, handle, commit or wait.after)
        self._waited()

    def waited_in_vain(self, error: ServerError | None) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        if error is None:
            self._missed(wait.after)
        elif self._tally is not None:
            self._tally.failed = error
        else:
            self._slots.add(None, replies.server_error(str(error)))
        self._broker.forget(wait.stored)
        self._waited()

    def _waited(self) -> None:
        self._slots.release()
        if self._tally is not None:
            # Not at once: the queue that was waited for is in the middle of serving its line.
            self._session.host.scheduler.call_soon(self._read_on)
        else:
            self._session.clear(Obstacle.WAIT)

    # -- several keys ------------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Read the keys that are left, up to one that has to wait."""
        tally = self._tally
        while self._todo and tally is not None:
            read = self._todo.popleft()
            try:
                self._read(read)
            except NotReady as obstacle:
                self._todo.appendleft(read)
                obstacle.stored.when_ready(self._read_on)
                return
            except ServerError as error:
                tally.failed = error
            except ClientError as error:
                tally.failed = ServerError(str(error))
            if self._wait is not None:
                return
        if tally is not None:
            self._tally = None
            self._slots.add(None, TallyEnd(tally))
            self._slots.release()
            self._session.clear(Obstacle.WAIT)

    # -- answering ---------------------------------------------------------------------------------

    def _serve(self, read: Read, item: Item, handle: int | None, commit: Batch | None) -> None:
        self._counters.hits += 1
        closing = b"" if self._tally is not None else replies.END
        key, cas = self._echo(read), self._id(item)
        reply: bytes | FileReply
        if handle is not None:
            header = replies.value_header(key, item.flags, item.size, cas)
            reply = FileReply(header, handle, item.size, b"\r\n" + closing)
        else:
            assert item.data is not None  # noqa: S101 - what is not large is delivered with its data
            reply = replies.value(key, item.flags, item.data, cas) + closing
        if self._tally is not None:
            self._slots.add(commit, TallyPart(self._tally, reply))
        else:
            self._slots.add(commit, reply)

    def _missed(self, commit: Batch | None, counted: bool = True) -> None:
        self._counters.misses += counted
        if self._tally is None:
            self._slots.add(commit, replies.END)
        elif commit is not None:
            self._slots.add(commit, TallyPart(self._tally, b""))

    def _echo(self, read: Read) -> bytes:
        return read.name if self._kestrel else read.key

    def _id(self, item: Item) -> int | None:
        return item.id if self._cas else None
