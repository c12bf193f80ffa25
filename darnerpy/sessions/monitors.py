"""Monitor: items opened one after another as they come, each answered at once.

Owns the one under way: its time, how many it has given, the wait for the next. It goes on in steps, as
a command that the session decides again and again, so that whatever holds back other commands (a client
that does not read, a queue that is not ready) holds it back as well.
"""

from ..brokers.stored import StoredQueue
from ..errors import JournalError, ServerError
from ..protocol.commands import Monitor
from ..protocol.item_commands import Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .contract import Obstacle
from .gathered import later
from .reads import Reads
from .slots import Reply, Tally, TallyEnd, TallyPart
from .state import State
from .waits import Wait

__all__ = ["Monitoring"]

_STEPS = 32
"""Items given in one go: then others have their turn."""


class Monitoring:
    """One monitor, from its command to its last word. over: that is said."""

    def __init__(self, session: State, reads: Reads, command: Monitor) -> None:
        host = session.host
        self.over = False
        self._session = session
        self._reads = reads
        self._host = host
        self._command = command
        self._tally = Tally(complete=True)
        self._given = 0
        self._closed = not command.close_all
        self._after: Batch | None = None
        self._wait: Wait | None = None
        self._deadline = host.clock.monotonic_ms() + command.wait_ms if command.wait_ms else None
        self._read = self._next_read(command.wait_ms)

    # -- what the session asks ---------------------------------------------------------------------

    def go_on(self) -> None:
        """Give what there is, then wait for more. Raises `NotReady`, or `ServerError` as the end."""
        try:
            self._go_on()
        except ServerError:
            self.stop()
            raise

    def end_wait(self) -> None:
        """Wait no longer for items to come, only give what there is."""
        if self._wait is not None:
            self._wait.give_up()

    def end(self) -> None:
        """Give no more, and say so."""
        if not self._given:
            self._host.counters.misses += 1
        self._say_last(TallyEnd(self._tally))

    def stop(self) -> None:
        """Give no more; nobody needs to be told."""
        self.over = True
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.withdraw()
            self._host.broker.forget(wait.stored)
            self._session.clear(Obstacle.WAIT)

    # -- step by step ------------------------------------------------------------------------------

    def _go_on(self) -> None:
        session, command = self._session, self._command
        stored = self._reads.find(self._read)
        if stored is None:
            self.end()
            return
        if not self._closed and command.consumer in stored.queue.consumers:
            self._after = session.held.close_oldest(stored.queue.consumers[command.consumer])
        self._closed = True
        failed = self._tally.failed or (self._after.error if self._after is not None else None)
        if failed is not None:
            raise failed
        if self._host.guard.no_reads is not None:
            self._say_last(session.replies.server_error(str(self._host.guard.no_reads)))
            return
        consumer = stored.queue.consumer(command.consumer)
        if command.consumer:
            # A new one is there from now on, also if there is nothing to give.
            self._after = later(self._after, stored.queue.founding(consumer))
        for _ in range(_STEPS):
            if self._is_enough(consumer):
                self.end()
                return
            held = self._open(stored, consumer)
            if held is None:
                return
            self._give(stored, consumer, held, self._handle(stored, held))
            if session.obstacles or session.slots.unsent > self._host.output_limit:
                break
        session.again(command)

    def _is_enough(self, consumer: Consumer) -> bool:
        most = self._command.max
        if most is not None and self._given >= most:
            return True
        if self._session.held.are(consumer, self._host.settings.max_open_reads):
            return True
        return self._deadline is not None and self._host.clock.monotonic_ms() >= self._deadline

    def _open(self, stored: StoredQueue, consumer: Consumer) -> OpenRead | None:
        """The next item; if there is none to be had now, it is waited for, or this was the end."""
        queue, replies = stored.queue, self._session.replies
        item = None if replies.says_all else queue.peek(consumer)
        answer = None if item is None else replies.unsayable(item.data)
        if answer is not None:
            self._say_last(answer)
            return None
        held = queue.open(consumer)
        if held is None:
            self._wait_or_end(stored, consumer)
        return held

    def _handle(self, stored: StoredQueue, held: OpenRead) -> int | None:
        """The file of a large item; if it cannot be had, the item goes back."""
        if held.item.data is not None:
            return None
        try:
            return stored.large.open(held.item)
        except JournalError:
            stored.queue.abort(held, counted=False)
            raise

    def _wait_or_end(self, stored: StoredQueue, consumer: Consumer) -> None:
        left = 0
        if self._deadline is not None and not self._session.input_ended:
            left = self._deadline - self._host.clock.monotonic_ms()
        if left > 0 or not stored.queue.is_empty(consumer):
            self._session.obstacles |= Obstacle.WAIT
            read = self._next_read(max(0, left))
            self._wait = Wait(self, self._session, stored, consumer, read, None)
        else:
            self.end()

    def _next_read(self, wait_ms: int) -> Read:
        key = self._command.key
        queue, consumer = self._command.queue, self._command.consumer
        return Read(key, key, queue, consumer, open=True, wait_ms=wait_ms)

    # -- how a wait ends ---------------------------------------------------------------------------

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None:
        wait, self._wait = self._wait, None
        if wait is None or held is None:
            return
        self._give(wait.stored, wait.consumer, held, handle)
        self._session.again(self._command)
        self._session.clear(Obstacle.WAIT)

    def waited_in_vain(self, error: ServerError | None) -> None:
        if self._wait is not None:
            self._tally.failed = self._tally.failed or error
            self.end()

    def turned_down(self, answer: bytes) -> None:
        if self._wait is not None:
            self._say_last(answer)

    # -- answering ---------------------------------------------------------------------------------

    def _give(
        self, stored: StoredQueue, consumer: Consumer, held: OpenRead, handle: int | None
    ) -> None:
        commit = held.commit = later(held.commit, self._after)
        self._session.held.add(stored.queue, consumer, held)
        self._given += 1
        self._host.counters.hits += 1
        reply = self._reads.said(self._read, held.item, handle, None, last=True)
        self._session.slots.add(commit, TallyPart(self._tally, reply))

    def _say_last(self, reply: Reply) -> None:
        """This is the end, also of the wait."""
        waits = self._wait is not None
        self._session.slots.add(self._after, reply)
        self.stop()
        if waits:
            self._session.slots.release()
