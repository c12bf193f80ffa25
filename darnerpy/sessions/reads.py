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
from ..queues.queue import Queue
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
        self._guard = host.guard
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
        if len(reads) == 1:
            self._read(reads[0])
            return
        for read in reads:
            self._find(read)  # all of them are usable before the first one runs
        self._tally = Tally()
        self._todo.extend(reads)
        self._session.obstacles |= Obstacle.WAIT
        self._read_on()

    def end_wait(self) -> None:
        """Wait no longer; the answer is END."""
        wait = self._wait
        if wait is not None:
            wait.withdraw()
            self.waited_in_vain(None)

    def withdraw(self) -> None:
        """Nobody is interested in the answer any more."""
        wait, self._wait = self._wait, None
        self._tally = None
        self._todo.clear()
        if wait is not None:
            wait.withdraw()
            self._broker.forget(wait.stored)

    def return_all(self, counted: bool) -> None:
        """Everything held goes back to its place; counted: as an attempt that did not succeed."""
        held, self._held = self._held, {}
        for reads in held.values():
            for read in reads:
                read.queue.abort(read, counted)

    # -- one key -----------------------------------------------------------------------------------

    def _find(self, read: Read) -> StoredQueue | None:
        """The queue to read; None if there is none and nobody needs there to be one."""
        stored = self._queues.get(read.queue)
        if stored is None:
            if read.queue in self._broker.aliases:
                return None
            # A wait needs a queue to wait at, and whoever reads as a named consumer founds it.
            waits = read.wait_ms and not self._session.input_ended
            gets = not (read.abort or read.close) or read.open
            if not (gets and (waits or read.consumer)):
                return None
        return self._session.usable(read.queue)

    def _consumer(self, read: Read, queue: Queue) -> Consumer | None:
        """The consumer to read as: made by the first read, not by returning what it cannot hold."""
        if not read.consumer:
            return queue.own
        if read.open or not (read.abort or read.close):
            return queue.consumer(read.consumer)
        return queue.consumers.get(read.consumer)

    def _read(self, read: Read) -> None:
        stored = self._queues.get(read.queue)
        if stored is None or not stored.ready:
            stored = self._find(read)
            if stored is None:
                self._missed(read, None)
                return
        queue = stored.queue
        consumer = self._consumer(read, queue) if read.consumer else queue.own
        if consumer is None:
            self._missed(read, None)
            return
        if self._guard.no_reads is not None:
            self._read_quiescent(read, queue, consumer)
            return
        held: OpenRead | None = None
        commit: Batch | None = None
        if read.plain:
            if self._held and self._live(consumer):
                raise ClientError("close current item first")
            item = queue.take(consumer)
            if item is not None:
                commit = queue.batch
        elif read.open:
            if read.close:
                commit = self._close_oldest(queue, consumer)
            if self._held and self._live(consumer) >= self._max_open:
                raise ClientError("close current item first")
            held = queue.open(consumer)
            item = None if held is None else held.item
            if held is not None:
                # If the close fails, the answer is an error, and nobody holds what was opened.
                commit = held.commit = commit or held.commit
        elif read.peek:
            item = queue.peek(consumer)
            if item is not None:
                commit = queue.pending(item)
        else:
            if read.close:
                commit = self._close_oldest(queue, consumer)
            else:
                self._abort_oldest(queue, consumer)
            self._missed(read, commit)
            return
        if item is None:
            self._wait_or_miss(read, stored, consumer, commit)
            return
        handle = (
            None if item.data is not None else self._open_file(stored, consumer, item, held, read)
        )
        if held is not None:
            self._hold(held)
        self._serve(read, item, handle, commit)

    def _wait_or_miss(
        self, read: Read, stored: StoredQueue, consumer: Consumer, after: Batch | None
    ) -> None:
        """after: what an earlier part of the same command waits for."""
        waits = read.wait_ms and not self._session.input_ended
        if waits or not stored.queue.is_empty(consumer):
            self._session.obstacles |= Obstacle.WAIT
            self._wait = Wait(self, self._session, stored, consumer, read, after)
        else:
            self._missed(read, after)

    def _read_quiescent(self, read: Read, queue: Queue, consumer: Consumer) -> None:
        """Nothing is handed out, but what is held may be confirmed or returned."""
        refusal = self._guard.no_reads
        commit = self._close_oldest(queue, consumer) if read.close else None
        if read.abort:
            self._abort_oldest(queue, consumer)
        if refusal is None or read.abort or (read.close and not read.open):
            self._missed(read, commit)
        else:
            raise refusal

    def _open_file(
        self,
        stored: StoredQueue,
        consumer: Consumer,
        item: Item,
        held: OpenRead | None,
        read: Read,
    ) -> int:
        """The file of a large item; if it cannot be had, the item goes back."""
        try:
            return stored.large.open(item)
        except JournalError:
            if held is not None:
                stored.queue.abort(held, counted=False)
            elif not read.peek:
                stored.queue.give_back(consumer, item)
            raise

    # -- the open-read table -----------------------------------------------------------------------

    def _live(self, consumer: Consumer) -> int:
        """How many open reads there are on a consumer."""
        reads = self._held.get(consumer)
        return sum(not held.gone for held in reads) if reads else 0

    def _hold(self, held: OpenRead) -> None:
        reads = self._held.get(held.consumer)
        if reads is None:
            # What is gone (its queue was deleted) is swept out when the table grows.
            self._held = {c: r for c, r in self._held.items() if any(not h.gone for h in r)}
            reads = self._held[held.consumer] = deque()
        reads.append(held)

    def _oldest(self, consumer: Consumer) -> OpenRead | None:
        """The oldest open read on a consumer; it leaves the table."""
        reads = self._held.get(consumer)
        while reads:
            held = reads.popleft()
            if not held.gone:
                return held
        return None

    def _close_oldest(self, queue: Queue, consumer: Consumer) -> Batch | None:
        held = self._oldest(consumer)
        return None if held is None else queue.close(held)

    def _abort_oldest(self, queue: Queue, consumer: Consumer) -> None:
        held = self._oldest(consumer)
        if held is not None:
            queue.abort(held)

    # -- how a wait ends ---------------------------------------------------------------------------

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        commit = commit or wait.after
        if held is not None:
            held.commit = commit
            self._hold(held)
        self._serve(wait.read, item, handle, commit)
        self._waited()

    def waited_in_vain(self, error: ServerError | None) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        if error is None:
            self._missed(wait.read, wait.after)
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
        if read.peek:
            self._counters.peeks += 1
        data, tally = item.data, self._tally
        if data is not None and not (self._kestrel or self._cas or tally is not None):
            self._slots.add(commit, replies.VALUE % (read.key, item.flags, item.size, data))
            return
        key, cas = self._echo(read), self._id(item)
        closing = replies.END if tally is None else b""
        reply: bytes | FileReply
        if data is not None:
            reply = replies.value(key, item.flags, data, cas) + closing
        elif handle is not None:
            header = replies.value_header(key, item.flags, item.size, cas)
            reply = FileReply(header, handle, item.size, b"\r\n" + closing)
            self._session.hold_for_output()
        self._slots.add(commit, reply if tally is None else TallyPart(tally, reply))

    def _missed(self, read: Read, commit: Batch | None) -> None:
        if read.plain or read.open or read.peek:
            self._counters.misses += 1
            self._counters.peeks += read.peek
        if self._tally is None:
            self._slots.add(commit, replies.END)
        elif commit is not None:
            self._slots.add(commit, TallyPart(self._tally, b""))

    def _echo(self, read: Read) -> bytes:
        return read.name if self._kestrel else read.key

    def _id(self, item: Item) -> int | None:
        return item.id if self._cas else None
