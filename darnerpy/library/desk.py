"""Where a front stands: a queue or a consumer in a directory, and how to wait there.

Owns what the blocking and the asyncio front have in common. What takes more than a moment is written as
steps: a generator that yields what has to be waited for, and whoever drives it waits in its own way. An
interruption is raised into it and undoes what was begun. Owns as well what a closed front is, and
where an error happened.
"""

from _thread import start_new_thread
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar, cast

from ..brokers.stored import StoredQueue
from ..brokers.turn import Taken, Unready, tell, untake
from ..errors import ClosedError, CutOffError, DarnerError, QueueFullError
from ..journals.contract import Journal
from ..queue_errors import Full
from ..queues.batches import Batch, Completion
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .arguments import text_of_queue
from .directory import Directory, cut_off
from .places import Place
from .sleepers import Sleeper
from .waits import ItemWait, RoomWait

__all__ = ["Blocking", "Desk", "Need", "Pause", "Steps"]

T = TypeVar("T")


class Pause(NamedTuple):
    """Sleep until woken, or a time (monotonic milliseconds)."""

    sleeper: Sleeper
    until: float | None = None


class Blocking(NamedTuple):
    """Do what may take a while; its result is what the generator goes on with."""

    work: Callable[[], Any]


Steps = Generator[Pause | Blocking, Any, T]

Need = Literal["ready", "known", "nothing"]
"""What a queue has to be, if it is not ready: one of which there is an error is known, too."""


def _meets(stored: StoredQueue, need: Need) -> bool:
    known = stored.known or stored.error is not None
    return need == "nothing" or (need == "known" and known)


class _Gone:
    """Where a desk had its directory, once it has none: whatever it is asked for, that is said."""

    __slots__ = ("_why",)

    def __init__(self, why: str) -> None:
        self._why = why

    def __getattr__(self, name: str) -> NoReturn:
        raise ClosedError(self._why)


class Desk:
    """consumer: b"" is the queue's own. make_sleeper: makes who waits, told whether it does other work
    meanwhile. waits: those under way. path, queue: for errors.
    """

    def __init__(
        self,
        directory: Directory,
        place: Place,
        consumer: bytes,
        make_sleeper: Callable[[bool], Sleeper],
    ) -> None:
        self.directory = directory
        self.place = place
        self.name = place.name
        self.consumer = consumer
        self.make_sleeper = make_sleeper
        self.lock = directory.lock
        self.waits: set[ItemWait | RoomWait] = set()
        self.path = str(directory.path)
        self.queue = text_of_queue(place.name + (b"+" + consumer if consumer else b""))
        place.desks.add(self)

    @property
    def closed(self) -> bool:
        return isinstance(self.directory, _Gone)

    # -- what was wrong ----------------------------------------------------------------------------

    def told(self, error: DarnerError) -> DarnerError:
        """An error as it is to be raised here."""
        if isinstance(error, QueueFullError):
            return Full(self.path, self.queue)
        if isinstance(error, ClosedError) or hasattr(error, "queue"):
            return error
        return self.located(error)

    def located(self, error: DarnerError) -> DarnerError:
        """The same, which says where."""
        located = type(error)(f"{self.path}: queue {self.queue!r}: {error}")
        located.queue = self.queue  # type: ignore[attr-defined]
        return located

    def interrupted(self) -> DarnerError:
        """A commit was cut off."""
        return self.located(cut_off())

    # -- turns -------------------------------------------------------------------------------------

    def with_queue(self, work: Callable[[StoredQueue, Consumer], T], need: Need = "ready") -> T:
        """Do something in a turn of its own, now. Raises `Unready` if that cannot be.

        need: something is to be decided, or what is known of it looked at, or whatever is there.
        """
        directory = self.directory

        def run() -> T:
            stored = directory.broker.queues.get(self.name)
            if stored is None and need != "ready":
                stored = directory.broker.create(self.name)
            if stored is None or not (stored.ready or _meets(stored, need)):
                raise Unready
            consumer = stored.queue.consumers.get(self.consumer)
            if consumer is None and not _meets(stored, "known"):
                consumer = stored.queue.own
            if consumer is None:
                raise ClosedError(f"{self.path}: the consumer {self.queue!r} was dropped")
            return work(stored, consumer)

        try:
            return directory.run(run)
        except DarnerError as error:
            raise self.told(error) from error.__cause__

    def when_ready(self, work: Callable[[StoredQueue, Consumer], T]) -> Steps[T]:
        """Do something in a turn of its own, as soon as that can be."""
        while True:
            try:
                result = self.with_queue(work)
            except Unready:
                yield from self.be_ready()
            else:
                return result

    def be_ready(self) -> Steps[None]:
        """Until the queue is open, and one that is new made."""
        directory = self.directory
        sleeper: Sleeper | None = None
        try:
            while True:
                try:
                    sleeper = directory.run(partial(self._ask_if_ready, directory))
                except Unready:
                    yield Blocking(directory.revive)
                    continue
                except DarnerError as error:
                    raise self.told(error) from error.__cause__
                if sleeper is None:
                    return
                yield Pause(sleeper)
                self.check_open()
        finally:
            if sleeper is not None:
                directory.scheduler.depart(sleeper.wake)

    def _ask_if_ready(self, directory: Directory) -> Sleeper | None:
        stored = directory.broker.create(self.name)
        if stored.ready:
            return None
        if stored.error is not None:
            raise stored.error
        sleeper = self.make_sleeper(True)
        stored.when_ready(sleeper.wake)
        directory.scheduler.attend(sleeper.wake)
        return sleeper

    def with_journal(self, work: Callable[[Journal], T]) -> Steps[T]:
        """Do something with the journal that may block. Raises `JournalError`."""
        scheduler = self.directory.scheduler
        outcome: list[tuple[T | None, BaseException | None]] = []
        sleeper = self.make_sleeper(True)

        def done(result: T | None, error: BaseException | None) -> None:
            outcome.append((result, error))
            sleeper.wake()

        def begin(stored: StoredQueue, consumer: Consumer) -> None:
            if stored.journal is None:
                stored.when_ready(sleeper.wake)
            else:
                stored.look(partial(work, stored.journal), done)
            scheduler.attend(sleeper.wake)

        try:
            while not outcome:
                yield from self.when_ready(begin)
                while not (sleeper.woken or scheduler.over):
                    yield Pause(sleeper)
                if scheduler.over:
                    raise self.interrupted()
                sleeper = self.make_sleeper(True)
        finally:
            scheduler.depart(sleeper.wake)
        result, error = outcome[0]
        if isinstance(error, DarnerError):
            raise self.told(error)
        if error is not None:
            raise error
        return cast(T, result)

    def committed(self, batch: Completion | None) -> Steps[None]:
        """Until what was decided is written, and on disk where it has to be."""
        if batch is None:
            return
        directory = self.directory
        scheduler = directory.scheduler
        sleeper = self.make_sleeper(True)
        with directory.lock:
            tell(batch, sleeper.wake)
            scheduler.attend(sleeper.wake)
        try:
            while not batch.ended:
                if scheduler.over:
                    raise self.interrupted()
                yield Pause(sleeper)
        finally:
            scheduler.depart(sleeper.wake)
        if batch.error is not None:
            raise self.told(batch.error)

    @property
    def is_cut_off(self) -> bool:
        """Whether a turn was, so that nothing in memory is to be believed. Called with the lock held."""
        return not self.closed and self.directory.turn.busy

    def is_gone(self, item: Item) -> bool:
        """Whether everybody has confirmed it."""
        try:
            return self.with_queue(
                lambda stored, consumer: all(
                    each.positions.is_confirmed(item.id) for each in stored.queue.consumers.values()
                )
            )
        except Unready:
            return False

    def give_back(self, held: OpenRead, counted: bool = False) -> None:
        """Return to its place what is held; nothing happens if it is not any more. counted: it was
        delivered, and that is one attempt.
        """
        directory = self.directory

        def abort() -> None:
            stored = directory.broker.queues.get(self.name)
            if stored is not None and not held.gone:
                stored.queue.abort(held, counted)

        try:
            if not self.closed:
                directory.run(abort)
                directory.scheduler.leave()
        except (Unready, DarnerError):
            held.holder = None  # if it is read anew, nobody holds it
        except BaseException:
            held.holder = None
            start_new_thread(self.give_back, (held, counted))  # which nobody interrupts
            raise

    def untake(self, box: Taken, commit: Batch | None) -> None:
        """Give back what was taken and has not arrived, as soon as it is written that it was taken.

        commit: which it was confirmed by, None if it was written at once.
        """
        directory = self.directory
        number = 0 if commit is None else commit.number

        def undo(stored: StoredQueue) -> None:
            error = None if commit is None else commit.error
            if stored.works and (error is None or isinstance(error, CutOffError)):
                untake(stored, self.consumer, box, number)

        def begin() -> None:
            stored = directory.broker.queues.get(self.name)
            if stored is None:
                return
            if commit is not None and commit in stored.queue.unwritten:
                tell(commit, partial(undo, stored))
            elif stored.ready:
                undo(stored)
            else:  # it is being read anew
                stored.when_ready(partial(undo, stored))

        if self.closed or not box:
            return
        with directory.lock:
            if directory.turn.busy:
                directory.undelivered.append((self.name, self.consumer, box, number))
                return
        directory.run(begin)
        directory.scheduler.leave()

    # -- the end -----------------------------------------------------------------------------------

    def close(self, why: str) -> None:
        """Nothing more is done here: who waits is told, what is held goes back. Called with the lock held
        and in a turn.
        """
        directory = self.directory
        stored = directory.broker.queues.get(self.name)
        self.end_waits()
        handed = [wait.held for wait in self.waits if isinstance(wait, ItemWait)]
        consumer = None if stored is None else stored.queue.consumers.get(self.consumer)
        if stored is not None and consumer is not None:
            for held in list(consumer.open.values()):
                if held.holder is self or held in handed:
                    stored.queue.abort(held, counted=False)
        self.leave(why)

    def end_waits(self) -> None:
        """Tell who waits here that it is closed, or about to be."""
        for wait in self.waits:
            wait.closed = True
            if isinstance(wait, ItemWait):
                wait.leave()
            wait.sleeper.wake()

    def leave(self, why: str) -> None:
        """As `close`, where there is nothing to be told or returned."""
        self.place.desks.discard(self)
        self.directory = cast(Directory, _Gone(why))

    def check_open(self) -> None:
        """Raises `ClosedError` if it was closed."""
        self.directory.path  # noqa: B018

    def was_closed(self) -> ClosedError:
        """For who waited meanwhile."""
        return ClosedError(f"{self.path}: queue {self.queue!r} was closed")
