"""Reading, where it takes more than a moment: nothing is there yet, or what is there is on disk.

Owns the wait in line. An item that was waited for is held while it is handed over, and confirmed when it
has arrived: who is interrupted meanwhile gives it back, as if it had never been away.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar, cast

from ..brokers.browse import Browse
from ..brokers.stored import StoredQueue
from ..brokers.turn import Taken, Unready, put_in
from ..errors import CutOffError, DarnerError, JournalError, ServerError
from ..queue_errors import Empty
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .desk import Blocking, Desk, Pause, Steps
from .scheduler import Scheduler
from .waits import ItemWait, LookWait

__all__ = ["Found", "OnTheWay", "arrive", "get", "get_many", "hold", "peek"]

T = TypeVar("T")


class Found(NamedTuple):
    """An item as it was read. data: None until it is there. held: None if it was only looked at. attempts,
    expires: see `standing`.
    """

    item: Item
    data: bytes | memoryview | None
    held: OpenRead | None
    attempts: int
    expires: int


class Part:
    """What one turn took. box: see `Taken`. commit: what it was confirmed by, None if it was written at
    once.
    """

    def __init__(self) -> None:
        self.box: Taken = []
        self.commit: Batch | None = None


class OnTheWay:
    """What was taken and has not arrived, in parts: if it is interrupted, it goes back to its place."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts: list[Part] = []

    def part(self) -> Part:
        part = Part()
        self._parts.append(part)
        return part

    def failed(self, error: BaseException) -> None:
        """An error that is ours says that the last part is in its place; but if its commit was cut off,
        it has to be put there, and if we were interrupted, all of them.
        """
        if isinstance(error, DarnerError | Unready) and not isinstance(error, CutOffError):
            del self._parts[-1:]
            return
        parts = self._parts[-1:] if isinstance(error, CutOffError) else self._parts[:]
        while parts:
            part = parts.pop()
            self._parts.remove(part)
            self._desk.untake(part.box, part.commit)


# -- taking ----------------------------------------------------------------------------------------


def get(desk: Desk, block: bool, until: float | None, way: OnTheWay) -> Steps[bytes]:
    """Take and confirm the next item. Raises `Empty`."""
    while True:
        found = yield from hold(desk, block, until, lambda found: found)
        held, part = found.held, way.part()
        assert held is not None
        try:
            yield from desk.when_ready(partial(_close, part, found.item, held))
            yield from desk.committed(part.commit)
        except BaseException as error:
            desk.give_back(held)
            way.failed(error)
            if not isinstance(error, CutOffError):
                raise
            continue  # it is in its place again
        if part.commit is not None:  # else its time was up before it arrived
            return cast(bytes, found.data)


def _close(part: Part, item: Item, held: OpenRead, stored: StoredQueue, consumer: Consumer) -> None:
    part.commit = stored.queue.close(held)
    if part.commit is not None:
        consumer.counters.opens -= 1  # nobody asked for it to be held
        put_in(part.box, consumer, item)


def get_many(
    desk: Desk, most: int, block: bool, until: float | None, way: OnTheWay
) -> Steps[list[bytes]]:
    """Take and confirm what there is, at most so many; waits only for the first."""
    taken: list[bytes] = []
    while len(taken) < most:
        part = way.part()
        try:
            empty = _take_many(desk, most - len(taken), part)
            yield from desk.committed(part.commit)
        except Unready as error:
            way.failed(error)
            yield from desk.be_ready()
            continue
        except BaseException as error:
            way.failed(error)
            if isinstance(error, CutOffError):
                continue
            if isinstance(error, DarnerError) and taken:
                break  # what was taken before is confirmed, and nobody else knows of it
            raise
        taken += [cast(bytes, each.data) for each in part.box if isinstance(each, Item)]
        if len(taken) == most or (empty and taken):
            break
        try:
            taken.append((yield from get(desk, block and not taken, until, way)))
        except DarnerError:
            if not taken:
                raise
            break
    return taken


def _take_many(desk: Desk, most: int, part: Part) -> bool:
    """What is in memory; whether there is no more."""
    directory = desk.directory
    with directory.lock:
        turn = directory.turn
        try:
            turn.take_many(desk.name, desk.consumer, most, part.box)
            empty, part.commit = turn.empty, turn.unfinished
            directory.scheduler.settle()
        except BaseException:
            directory.scheduler.cut_off()
            raise
    return empty


# -- holding ---------------------------------------------------------------------------------------


def hold(
    desk: Desk,
    block: bool,
    until: float | None,
    make: Callable[[Found], T],
    zero_copy: bool = False,
) -> Steps[T]:
    """Take the next item and hold it, with its data; what was made of it. Raises `Empty`."""
    while True:
        wait: ItemWait | None = None
        try:
            while wait is None or wait.item is None:
                wait = ItemWait(desk.make_sleeper(not block), block)
                yield from _wait(desk, wait, partial(_open, desk, wait), until)
            found = Found(wait.item, wait.item.data, wait.held, wait.attempts, wait.expires)
            return (yield from arrive(desk, found, None, make, zero_copy))
        except BaseException as error:
            if wait is not None and wait.held is not None:
                desk.give_back(wait.held)
            if not isinstance(error, CutOffError):
                raise


def arrive(
    desk: Desk,
    found: Found,
    commit: Batch | None,
    make: Callable[[Found], T],
    zero_copy: bool = False,
) -> Steps[T]:
    """What is made of an item that is held, once that is written, and its data there."""
    try:
        yield from desk.committed(commit)
        if found.data is None:
            found = found._replace(data=(yield from _read_file(desk, found.item, zero_copy)))
        return make(found)
    except BaseException:
        if found.held is not None:
            desk.give_back(found.held)
        raise


def _open(desk: Desk, wait: ItemWait, stored: StoredQueue, consumer: Consumer) -> None:
    """The next item, or a place in line."""
    wait.consumer = consumer
    held = stored.queue.open(consumer)
    if held is not None:
        wait.deliver(held.item, held.commit, held)
    else:
        _join(desk, wait, stored, consumer)


def _join(desk: Desk, wait: ItemWait, stored: StoredQueue, consumer: Consumer) -> None:
    if not wait.blocking and stored.queue.is_empty(consumer):
        wait.end(None)
        return
    desk.waits.add(wait)
    wait.join(consumer)
    stored.load(consumer)


# -- looking ---------------------------------------------------------------------------------------


def peek(desk: Desk, offset: int, zero_copy: bool) -> Steps[Found | None]:
    """The next item, or one behind it, left where it is; None if there is none."""
    while True:
        wait = LookWait(desk.make_sleeper(True))
        begin = partial(_look_behind, desk, wait, offset) if offset else partial(_look, desk, wait)
        try:
            yield from _wait(desk, wait, begin, None)
        except Empty:
            return None
        item = wait.item
        if item is None:
            continue
        data: bytes | memoryview | None = item.data
        if data is None:
            try:
                data = yield from _read_file(desk, item, zero_copy)
            except JournalError:
                if not item.large or not desk.is_gone(item):
                    raise
                continue  # somebody has taken it meanwhile
        return Found(item, data, None, wait.attempts, wait.expires)


def _look(desk: Desk, wait: LookWait, stored: StoredQueue, consumer: Consumer) -> None:
    wait.consumer = consumer
    item = stored.queue.peek(consumer)
    if item is None:
        _join(desk, wait, stored, consumer)
    else:
        wait.deliver(item, stored.queue.pending(item), None)


def _look_behind(
    desk: Desk, wait: LookWait, offset: int, stored: StoredQueue, consumer: Consumer
) -> None:
    def found(items: list[Item], error: ServerError | None) -> None:
        if items:
            wait.deliver(items[0], stored.queue.pending(items[0]), None)
        else:
            wait.end(error)

    wait.consumer = consumer
    desk.waits.add(wait)
    wait.browse = Browse(stored, consumer, offset, desk.directory.clock.now_ms(), found)
    wait.browse.go_on()


# -- waiting ---------------------------------------------------------------------------------------


def _wait(
    desk: Desk,
    wait: ItemWait,
    begin: Callable[[StoredQueue, Consumer], None],
    until: float | None,
) -> Steps[None]:
    """Until the item is there; it is None if it has to be asked for anew. Raises `Empty`, or what was
    wrong.
    """
    directory = desk.directory

    def attend(stored: StoredQueue, consumer: Consumer) -> Scheduler:
        begin(stored, consumer)
        directory.scheduler.attend(wait.sleeper.wake)
        return directory.scheduler

    try:
        scheduler = yield from desk.when_ready(attend)
        while not (wait.sleeper.woken or scheduler.over):
            if until is not None and directory.clock.monotonic_ms() >= until:
                desk.with_queue(partial(_give_up, wait))
                until = None
                continue
            yield Pause(wait.sleeper, until)
        _conclude(desk, wait)
    except BaseException:
        _withdraw(desk, wait)
        raise
    finally:
        desk.waits.discard(wait)
        directory.scheduler.depart(wait.sleeper.wake)


def _conclude(desk: Desk, wait: ItemWait) -> None:
    if wait.closed:
        raise desk.was_closed()
    if wait.error is not None:
        raise desk.told(wait.error)
    if wait.ended:
        raise Empty(desk.path, desk.queue)
    with desk.lock:
        # A turn may have been cut off, or the commit failed: then nothing was handed over.
        held, commit = wait.held, wait.commit
        failed = commit is not None and (commit.error is not None or not commit.ended)
        if failed or (held is not None and held.gone) or desk.is_cut_off:
            wait.item = wait.held = None
        elif held is not None:
            held.holder = desk


def _give_up(wait: ItemWait, stored: StoredQueue, consumer: Consumer) -> None:
    """Wait no longer for items to come, only for one that is on its way."""
    wait.sleeper.helps = True
    if wait.item is not None:
        return
    if stored.queue.is_empty(consumer):
        wait.leave()
        wait.end(None)
    else:
        consumer.line.stop_blocking(wait)


def _withdraw(desk: Desk, wait: ItemWait) -> None:
    with desk.lock:
        if not desk.is_cut_off:
            wait.leave()
    if wait.held is not None:
        desk.give_back(wait.held)


def _read_file(desk: Desk, item: Item, zero_copy: bool) -> Steps[bytes | memoryview]:
    """A large item; zero_copy: as its journal shows it."""
    if zero_copy:
        return (yield from desk.with_journal(lambda journal: journal.view(item)))
    large = yield from desk.when_ready(lambda stored, consumer: stored.large)
    try:
        data: bytes = yield Blocking(partial(_read, large.open, item))
    except JournalError as error:
        raise desk.told(error) from error.__cause__
    return data


def _read(open_file: Callable[[Item], int], item: Item) -> bytes:
    handle = open_file(item)
    try:
        with open(handle, "rb") as file:
            return file.read()
    except OSError as error:
        raise JournalError(f"cannot read large item {item.id}: {error.strerror}") from error
