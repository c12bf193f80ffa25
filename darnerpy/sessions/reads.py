"""What a session reads: one key of a get, in all its kinds.

Owns the wait under way, and what each option means: plain takes and confirms, /open takes and holds,
/close confirms the oldest held or the one of an id, /abort returns it, /peek only looks. What is held is
kept in `Held`.
"""

from ..brokers.stored import StoredQueue
from ..errors import ClientError, JournalError, ServerError
from ..protocol import values
from ..protocol.commands import Command, Confirm, GetMany
from ..protocol.item_commands import Get, Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from ..queues.queue import Queue
from .contract import Obstacle
from .gathered import later
from .looks import Look
from .slots import FileReply, Tally, TallyPart
from .state import State
from .waits import Wait

__all__ = ["Reads"]


class Reads:
    """tally: of the several keys of which the one that is read is one, None if it is alone."""

    __slots__ = (
        "_broker",
        "_cas",
        "_command",
        "_counters",
        "_guard",
        "_held",
        "_max_open",
        "_plain_values",
        "_queues",
        "_replies",
        "_says_all",
        "_session",
        "_slots",
        "_wait",
        "tally",
    )

    def __init__(self, session: State) -> None:
        host = session.host
        self.tally: Tally | None = None
        self._session = session
        self._broker = host.broker
        self._queues = host.broker.queues
        self._counters = host.counters
        self._guard = host.guard
        self._replies = session.replies
        self._plain_values = session.replies.plain_values
        self._says_all = session.replies.says_all
        self._max_open = host.settings.max_open_reads
        self._slots = session.slots
        self._held = session.held
        self._wait: Wait | Look | None = None
        self._command: Command | None = None
        self._cas = False

    # -- what the session asks ---------------------------------------------------------------------

    def get(self, command: Get) -> None:
        """Read the only key of a get. Raises what `read` does."""
        self._cas = command.cas
        self.read(command.reads[0])

    def begin_several(self, command: Get | GetMany, tally: Tally) -> None:
        """What is read from now on are keys of one command, which is decided again after a wait."""
        self.tally = tally
        self._cas = command.cas
        self._command = command

    def end_several(self) -> None:
        self.tally = self._command = None

    def confirm(self, command: Confirm) -> None:
        """Close the oldest, so many or none."""
        stored = self._session.existing(command.queue)
        consumer = None if stored is None else stored.queue.consumers.get(command.consumer)
        if consumer is None or not self._held.are(consumer, command.count):
            self._slots.add(None, self._replies.too_few_open)
            return
        commit = self._held.close_oldest(consumer, command.count)
        self._slots.add(commit, self._replies.confirmed(command.count))

    @property
    def waits(self) -> bool:
        return self._wait is not None

    def end_wait(self) -> None:
        """Wait no longer for items to come; the answer is that there is nothing, if so it is."""
        if self._wait is not None:
            self._wait.give_up()

    def withdraw(self) -> None:
        """Nobody is interested in the answer any more."""
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.withdraw()
            self._broker.forget(wait.stored)

    def find(self, read: Read) -> StoredQueue | None:
        """The queue to read; None if there is none and nobody needs there to be one.

        Raises `ServerError` or `NotReady`.
        """
        stored = self._queues.get(read.queue)
        if stored is None:
            if read.queue in self._broker.aliases:
                return None
            # A wait needs a queue to wait at, and whoever reads as a named consumer founds it.
            waits = read.wait_ms and not self._session.input_ended
            if not (_fetches(read) and (waits or read.consumer)):
                return None
        return self._session.usable(read.queue)

    # -- one key -----------------------------------------------------------------------------------

    def read(self, read: Read) -> None:
        """Raises `ClientError`, `ServerError` or `NotReady`, before anything was done."""
        if self._guard.no_reads is not None:
            self._read_quiescent(read, self._guard.no_reads)
            return
        stored = self._queues.get(read.queue)
        if stored is None or not stored.ready:
            stored = self.find(read)
            if stored is None:
                self._missed(read, None)
                return
        queue = stored.queue
        consumer = queue.own
        commit: Batch | None = None
        if read.consumer:
            named = consumer_of(read, queue)
            if named is None:
                self._missed(read, None)
                return
            consumer = named
            if queue.unwritten:
                # Whatever is said of a new consumer says that it is there from now on.
                commit = queue.founding(consumer)
        if not read.plain:
            self._read_with_options(read, stored, consumer, commit)
            return
        if self._held.table and self._held.are(consumer, 1):
            raise ClientError("close current item first")
        item = queue.take(consumer)
        if item is None:
            self._wait_or_miss(read, stored, consumer, commit)
            return
        handle = None
        if item.data is None:
            handle = self._open_file(stored, consumer, item, None, read)
        self._serve(read, item, handle, queue.batch)

    def _read_with_options(
        self, read: Read, stored: StoredQueue, consumer: Consumer, commit: Batch | None
    ) -> None:
        """commit: what an answer depends on whatever it is."""
        item_id = read.close_id or read.abort_id
        if item_id and not self._held.has(consumer, item_id):
            self._missed(read, commit)
            return
        if read.close:
            commit = self._held.close(consumer) or commit
        elif read.close_all or read.close_id:
            commit = self._close(read, consumer) or commit
        elif read.abort or read.abort_id:
            commit = self._held.abort(consumer, read.abort_id) or commit
        if read.open:
            self._open(read, stored, consumer, commit)
        elif read.offset and not consumer.paused:
            self._session.obstacles |= Obstacle.WAIT
            self._wait = Look(self, self._session.host, stored, consumer, read, commit)
        elif read.peek:
            self._peek(read, stored, consumer, commit)
        else:
            self._missed(read, commit)

    def _open(
        self, read: Read, stored: StoredQueue, consumer: Consumer, commit: Batch | None
    ) -> None:
        queue = stored.queue
        if self._held.table and self._held.are(consumer, self._max_open):
            raise ClientError("close current item first")
        if not (self._says_all or self._can_say(queue, consumer, commit)):
            return
        held = queue.open(consumer)
        if held is None:
            self._wait_or_miss(read, stored, consumer, commit)
            return
        # If the close fails, the answer is an error, and nobody holds what was opened.
        if commit is None:
            commit = held.commit
        elif held.commit is None:
            held.commit = commit
        else:
            commit = held.commit = later(commit, held.commit)
        item = held.item
        handle = None
        if item.data is None:
            handle = self._open_file(stored, consumer, item, held, read)
        self._held.add(queue, consumer, held)
        self._serve(read, item, handle, commit)

    def _peek(
        self, read: Read, stored: StoredQueue, consumer: Consumer, commit: Batch | None
    ) -> None:
        queue = stored.queue
        if not (self._says_all or self._can_say(queue, consumer, commit)):
            return
        item = queue.peek(consumer)
        if item is None:
            self._wait_or_miss(read, stored, consumer, commit)
            return
        handle = None
        if item.data is None:
            handle = self._open_file(stored, consumer, item, None, read)
        self._serve(read, item, handle, later(commit, queue.pending(item)))

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

    def _read_quiescent(self, read: Read, refusal: ServerError) -> None:
        """Nothing is handed out, but what is held may be confirmed or returned."""
        stored = self._session.existing(read.queue)
        consumer = None if stored is None else stored.queue.consumers.get(read.consumer)
        named = read.close_id or read.abort_id
        commit: Batch | None = None
        if consumer is not None and (not named or self._held.has(consumer, named)):
            if read.close or read.close_all or read.close_id:
                commit = self._close(read, consumer)
            if read.abort or read.abort_id:
                commit = self._held.abort(consumer, read.abort_id)
        if not _fetches(read):
            self._missed(read, commit)
        elif commit is None:
            raise refusal
        elif self.tally is None:
            self._slots.add(commit, self._replies.server_error(str(refusal)))
        else:
            self.tally.failed = refusal
            self._slots.add(commit, TallyPart(self.tally, b""))

    def _close(self, read: Read, consumer: Consumer) -> Batch | None:
        if read.close_all:
            return self._held.close_oldest(consumer)
        return self._held.close(consumer, read.close_id)

    def _can_say(self, queue: Queue, consumer: Consumer, commit: Batch | None) -> bool:
        """Whether the next item, if any, can be said; if not, that was the answer."""
        item = queue.peek(consumer)
        answer = None if item is None else self._replies.unsayable(item.data)
        if answer is not None:
            self._slots.add(commit, answer)
        return answer is None

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

    # -- how a wait ends ---------------------------------------------------------------------------

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        commit = later(commit, wait.after)
        if held is not None:
            held.commit = commit
            assert isinstance(wait, Wait)
            self._held.add(wait.stored.queue, wait.consumer, held)
        self._serve(wait.read, item, handle, commit)
        self._waited()

    def waited_in_vain(self, error: ServerError | None) -> None:
        wait, self._wait = self._wait, None
        if wait is None:
            return
        if error is None:
            self._missed(wait.read, wait.after)
        elif self.tally is not None:
            self.tally.failed = error
        else:
            self._slots.add(None, self._replies.server_error(str(error)))
        self._broker.forget(wait.stored)
        self._waited()

    def turned_down(self, answer: bytes) -> None:
        wait, self._wait = self._wait, None
        if wait is not None:
            self._slots.add(wait.after, answer)
            self._waited()

    def _waited(self) -> None:
        self._slots.release()
        if self._command is not None:
            # Not at once: the queue that was waited for is in the middle of serving its line.
            self._session.again(self._command)
        self._session.clear(Obstacle.WAIT)

    # -- answering ---------------------------------------------------------------------------------

    def _serve(self, read: Read, item: Item, handle: int | None, commit: Batch | None) -> None:
        self._counters.hits += 1
        if read.peek:
            self._counters.peeks += 1
        data, tally = item.data, self.tally
        if self._plain_values and data is not None and not (self._cas or tally is not None):
            self._slots.add(commit, values.answer(read.key, item.flags, data))
            return
        cas = item.id if self._cas else None
        reply = self.said(read, item, handle, cas, last=tally is None)
        if tally is not None:
            tally.said = True
        self._slots.add(commit, reply if tally is None else TallyPart(tally, reply))

    def said(
        self, read: Read, item: Item, handle: int | None, cas: int | None, last: bool
    ) -> bytes | FileReply:
        """An item as the answer to a read. handle: the open file of a large one."""
        if item.data is not None:
            return self._replies.value(read, item.flags, item.data, cas, last)
        assert handle is not None
        header, trailer = self._replies.large_value(read, item.flags, item.size, cas, last)
        self._session.hold_for_output()
        return FileReply(header, handle, item.size, trailer)

    def _missed(self, read: Read, commit: Batch | None) -> None:
        if read.plain or read.open or read.peek:
            self._counters.misses += 1
            self._counters.peeks += read.peek
        if self.tally is None:
            self._slots.add(commit, self._replies.miss)
        elif commit is not None:
            self._slots.add(commit, TallyPart(self.tally, b""))


def consumer_of(read: Read, queue: Queue) -> Consumer | None:
    """The consumer to read as: made by the first fetch, not by returning what it cannot hold."""
    if _fetches(read):
        return queue.consumer(read.consumer)
    return queue.consumers.get(read.consumer)


def _fetches(read: Read) -> bool:
    return read.plain or read.open or read.peek
