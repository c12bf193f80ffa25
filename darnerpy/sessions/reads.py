"""What a session reads: gets in all their kinds.

Owns the wait under way, and what each option means: plain takes and confirms, /open takes and holds,
/close confirms the oldest held or the one of an id, /abort returns it, /peek only looks. Several keys
of one get are read one after another, some at a time. What is held is kept in `Held`.
"""

from typing import TYPE_CHECKING

from ..brokers.stored import StoredQueue
from ..errors import ClientError, JournalError, ServerError
from ..protocol.commands import Confirm, Get, GetMany, Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer, OpenRead
from ..queues.items import Item
from ..queues.queue import Queue
from .contract import Obstacle
from .gathered import later
from .keys import Keys
from .looks import Look
from .several import Several
from .slots import FileReply, Tally, TallyEnd, TallyPart
from .waits import Wait

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Reads"]

_STEPS, _STEPS_OF_NAMED = 100, 10
"""Keys of one get read in one go: then others have their turn. A key of a named consumer counts as many
steps: that it is new may have to be written to a journal of its own.
"""


class Reads:
    def __init__(self, session: "Session") -> None:
        host = session.host
        self._session = session
        self._broker = host.broker
        self._queues = host.broker.queues
        self._counters = host.counters
        self._guard = host.guard
        self._words = session.words
        self._template = session.words.template
        self._says_all = session.words.says_all
        self._max_open = host.settings.max_open_reads
        self._slots = session.slots
        self._outlet = session.outlet
        self._held = session.held
        self._wait: Wait | Look | None = None
        self._several: Several | None = None
        self._tally: Tally | None = None
        self._cas = False

    # -- what the session asks ---------------------------------------------------------------------

    def get(self, command: Get) -> None:
        """Raises `ClientError`, `ServerError` or `NotReady`, before anything was done."""
        reads = command.reads
        self._cas = command.cas
        if len(reads) == 1:
            self._read(reads[0])
            return
        self.go_through(command)

    def go_through(self, command: Get | GetMany) -> None:
        """Read some of several keys; the session decides the command again until all are read.

        Raises `ClientError`, `ServerError` or `NotReady`, of these the first two before anything
        was done: all of the queues are usable before the first one is read.
        """
        several = self._several
        if several is None:
            several = self._several = Several(command, Keys(self._held, self._max_open))
            self._cas = command.cas
            self._outlet.keep(several.kept)
        try:
            self._go_on(several)
        except (ClientError, ServerError):
            self._forget_several()
            raise

    def confirm(self, command: Confirm) -> None:
        """Close the oldest, so many or none."""
        stored = self._session.existing(command.queue)
        consumer = None if stored is None else stored.queue.consumers.get(command.consumer)
        if consumer is None or not self._held.are(consumer, command.count):
            self._slots.add(None, self._words.too_few_open)
            return
        commit = self._held.close_oldest(consumer, command.count)
        self._slots.add(commit, self._words.confirmed(command.count))

    def end_wait(self) -> None:
        """Wait no longer for items to come; the answer is that there is nothing, if so it is."""
        if self._wait is not None:
            self._wait.give_up()

    def break_off(self) -> None:
        """The server stops: what was said of several keys is closed, or no client would take it."""
        if self._several is not None and self._several.said:
            self._slots.add(None, TallyEnd(self._several.tally))

    def withdraw(self) -> None:
        """Nobody is interested in the answer any more."""
        wait, self._wait = self._wait, None
        self._forget_several()
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

    def _read(self, read: Read) -> None:
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
        held: OpenRead | None = None
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
        else:
            consumer = queue.own
        if read.plain:
            if self._held.reads and self._held.are(consumer, 1):
                raise ClientError("close current item first")
            item = queue.take(consumer)
            if item is not None:
                commit = queue.batch
        else:
            item_id = read.close_id or read.abort_id
            if item_id and not self._held.has(consumer, item_id):
                self._missed(read, commit)
                return
            if read.close:
                commit = self._held.close(consumer) or commit
            elif read.close_all or read.close_id:
                commit = self._close(read, consumer) or commit
            if read.open:
                if self._held.reads and self._held.are(consumer, self._max_open):
                    raise ClientError("close current item first")
                if not (self._says_all or self._can_say(queue, consumer, commit)):
                    return
                held = queue.open(consumer)
                item = None if held is None else held.item
                if held is not None:
                    # If the close fails, the answer is an error, and nobody holds what was opened.
                    if commit is None:
                        commit = held.commit
                    elif held.commit is None:
                        held.commit = commit
                    else:
                        commit = held.commit = later(commit, held.commit)
            elif read.offset:
                self._session.obstacles |= Obstacle.WAIT
                host = self._session.host
                self._wait = Look(self, host, stored, consumer, read, commit)
                return
            elif read.peek:
                if not (self._says_all or self._can_say(queue, consumer, commit)):
                    return
                item = queue.peek(consumer)
                if item is not None:
                    commit = later(commit, queue.pending(item))
            else:
                if read.abort or read.abort_id:
                    commit = self._held.abort(consumer, read.abort_id) or commit
                self._missed(read, commit)
                return
        if item is None:
            self._wait_or_miss(read, stored, consumer, commit)
            return
        handle = (
            None if item.data is not None else self._open_file(stored, consumer, item, held, read)
        )
        if held is not None:
            self._held.add(held)
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
        elif self._tally is None:
            self._slots.add(commit, self._words.server_error(str(refusal)))
        else:
            self._tally.failed = refusal
            self._slots.add(commit, TallyPart(self._tally, b""))

    def _close(self, read: Read, consumer: Consumer) -> Batch | None:
        if read.close_all:
            return self._held.close_oldest(consumer)
        return self._held.close(consumer, read.close_id)

    def _can_say(self, queue: Queue, consumer: Consumer, commit: Batch | None) -> bool:
        """Whether the next item, if any, can be said; if not, that was the answer."""
        item = queue.peek(consumer)
        answer = None if item is None else self._words.unsayable(item.data)
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
            self._held.add(held)
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
            self._slots.add(None, self._words.server_error(str(error)))
        self._broker.forget(wait.stored)
        self._waited()

    def turned_down(self, answer: bytes) -> None:
        wait, self._wait = self._wait, None
        if wait is not None:
            self._slots.add(wait.after, answer)
            self._waited()

    def _waited(self) -> None:
        self._slots.release()
        if self._several is not None:
            # Not at once: the queue that was waited for is in the middle of serving its line.
            self._session.again(self._several.command)
        self._session.clear(Obstacle.WAIT)

    # -- several keys ------------------------------------------------------------------------------

    def _go_on(self, several: Several) -> None:
        """Up to a key that has to wait, or to where others have their turn."""
        session, slots = self._session, self._slots
        steps = _STEPS
        while steps > 0:
            read = several.next()
            steps -= _STEPS_OF_NAMED if read is not None and read.consumer else 1
            if read is None and several.checked:
                self._forget_several()
                slots.add(None, TallyEnd(several.tally))
                return
            if read is None:
                several.checked = True
                several.begin()
                self._tally = several.tally
            elif several.checked:
                self._read_one_of(several, read)
            else:
                stored = self.find(read)
                if stored is not None and self._guard.no_reads is None:
                    several.keys.check(read, stored)
            several.passed()
            if self._wait is not None:
                return
            if session.obstacles or slots.unsent > session.host.output_limit:
                break
        session.again(several.command)

    def _read_one_of(self, several: Several, read: Read) -> None:
        """Raises `NotReady`."""
        try:
            self._read(read)
        except ServerError as error:
            several.tally.failed = error
        except ClientError as error:
            several.tally.failed = ServerError(str(error))

    def _forget_several(self) -> None:
        several, self._several = self._several, None
        self._tally = None
        if several is not None:
            self._outlet.keep(-several.kept)

    # -- answering ---------------------------------------------------------------------------------

    def _serve(self, read: Read, item: Item, handle: int | None, commit: Batch | None) -> None:
        self._counters.hits += 1
        if read.peek:
            self._counters.peeks += 1
        data, tally, template = item.data, self._tally, self._template
        if template is not None and data is not None and not (self._cas or tally is not None):
            self._slots.add(commit, template % (read.key, item.flags, item.size, data))
            return
        cas = item.id if self._cas else None
        reply = self.said(read, item, handle, cas, last=tally is None)
        if tally is not None and self._several is not None:
            self._several.said = True
        self._slots.add(commit, reply if tally is None else TallyPart(tally, reply))

    def said(
        self, read: Read, item: Item, handle: int | None, cas: int | None, last: bool
    ) -> bytes | FileReply:
        """An item as the answer to a read. handle: the open file of a large one."""
        if item.data is not None:
            return self._words.value(read, item.flags, item.data, cas, last)
        assert handle is not None
        header, trailer = self._words.large_value(read, item.flags, item.size, cas, last)
        self._session.hold_for_output()
        return FileReply(header, handle, item.size, trailer)

    def _missed(self, read: Read, commit: Batch | None) -> None:
        if read.plain or read.open or read.peek:
            self._counters.misses += 1
            self._counters.peeks += read.peek
        if self._tally is None:
            self._slots.add(commit, self._words.miss)
        elif commit is not None:
            self._slots.add(commit, TallyPart(self._tally, b""))


def consumer_of(read: Read, queue: Queue) -> Consumer | None:
    """The consumer to read as: made by the first fetch, not by returning what it cannot hold."""
    if _fetches(read):
        return queue.consumer(read.consumer)
    return queue.consumers.get(read.consumer)


def _fetches(read: Read) -> bool:
    return read.plain or read.open or read.peek
