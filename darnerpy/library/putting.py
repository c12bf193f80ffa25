"""Putting items, where it takes more than a moment: there is no room, or they are large.

Owns the turn of those who wait for room, and that several items are let in together or not at all. A
large item is in a file of its own before it is let in; if it is not, the file goes again.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..brokers.stored import StoredQueue
from ..brokers.turn import BATCH_LIMIT, Turn, Unready
from ..errors import DarnerError, JournalError, QueueFullError
from ..journals.large import Upload
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from .desk import Blocking, Desk, Pause, Steps
from .waits import RoomWait

__all__ = ["LARGE", "Envelope", "put", "put_many"]

LARGE = 256 * 1024
"""Items of more bytes are large."""


class Envelope(NamedTuple):
    """What is the same for all items of a call. expiry, due: milliseconds since the epoch, 0 is none.

    block, until: whether to wait for room, and how long (monotonic milliseconds).
    """

    flags: int = 0
    expiry: int = 0
    due: int = 0
    block: bool = True
    until: float | None = None


def put(desk: Desk, data: bytes, how: Envelope) -> Steps[int]:
    """Put one item; its id. Raises `Full`, `ItemTooLargeError` and `JournalError`."""
    size = len(data)
    if size > LARGE:
        return (yield from _put_files(desk, [data], how))

    def attempt(turn: Turn) -> int:
        return turn.put(desk.name, data, size, how.flags, how.expiry, how.due, 0)

    return (yield from _let_in(desk, attempt, size, 1, how))


def put_many(desk: Desk, datas: list[bytes], how: Envelope) -> Steps[int]:
    """Put items, all or none; the id of the first."""
    if not datas:
        queue = yield from desk.when_ready(lambda stored, consumer: stored.queue)
        return queue.next_id
    size, largest = sum(map(len, datas)), max(map(len, datas))
    small = size if largest <= LARGE else sum(len(data) for data in datas if len(data) <= LARGE)
    if small > BATCH_LIMIT:
        raise ValueError(
            f"{small} bytes are too many for one call, at most {BATCH_LIMIT} beside large items"
        )
    if largest > LARGE:
        return (yield from _put_files(desk, datas, how))

    def attempt(turn: Turn) -> int:
        return turn.put_many(desk.name, datas, [], size, largest, how.flags, how.expiry, how.due)

    return (yield from _let_in(desk, attempt, size, len(datas), how))


# -- room ------------------------------------------------------------------------------------------


def _let_in(
    desk: Desk, attempt: Callable[[Turn], int], size: int, items: int, how: Envelope
) -> Steps[int]:
    """Put so many items of so many bytes as soon as there is room, and nobody stands before us."""
    wait: RoomWait | None = None
    try:
        while True:
            try:
                found, batch = _attempt(desk, attempt, wait)
            except Unready:
                yield from desk.be_ready()
                continue
            except QueueFullError as error:
                if not how.block or (how.until is not None and _now(desk) >= how.until):
                    raise desk.told(error) from None
            except DarnerError as error:
                raise desk.told(error) from error.__cause__
            else:
                break
            wait = _stand_in_line(desk, wait, size, items)
            yield Pause(wait.sleeper, how.until)
            if wait.closed:
                raise desk.was_closed()
    finally:
        if wait is not None:
            _leave_line(desk, wait)
    yield from desk.committed(batch)
    return found


def _attempt(
    desk: Desk, attempt: Callable[[Turn], int], wait: RoomWait | None
) -> tuple[int, Batch | None]:
    directory = desk.directory
    with directory.lock:
        turn, line = directory.turn, desk.place.line
        if line and line[0] is not wait:
            raise QueueFullError("others wait for room already")
        try:
            found = attempt(turn)
            batch = turn.unfinished
            directory.scheduler.settle()
        except BaseException:
            directory.scheduler.cut_off()
            raise
    return found, batch


def _stand_in_line(desk: Desk, wait: RoomWait | None, size: int, items: int) -> RoomWait:
    directory, place = desk.directory, desk.place
    with directory.lock:
        if wait is None:
            wait = RoomWait(desk.make_sleeper(False), size, items)
            place.line.append(wait)
            desk.waits.add(wait)
        else:
            directory.scheduler.depart(wait.sleeper.wake)
            wait.sleeper = desk.make_sleeper(False)
        directory.scheduler.attend(wait.sleeper.wake)
        # There may be room since it was asked for: it is looked at before the lock is let go.
        directory.watch(place)
        if not directory.turn.busy:
            directory.scheduler.settle()
    return wait


def _leave_line(desk: Desk, wait: RoomWait) -> None:
    """Whoever is next is looked at when the lock is let go."""
    place = desk.place
    with desk.lock:
        desk.waits.discard(wait)
        if wait in place.line:
            place.line.remove(wait)
        if not desk.closed:
            scheduler = desk.directory.scheduler
            scheduler.depart(wait.sleeper.wake)
            if place.line and not desk.directory.turn.busy:
                scheduler.settle()


def _now(desk: Desk) -> int:
    return desk.directory.clock.monotonic_ms()


# -- large items -----------------------------------------------------------------------------------


def _put_files(desk: Desk, datas: list[bytes], how: Envelope) -> Steps[int]:
    """Put items of which some are large."""
    size, largest = sum(map(len, datas)), max(map(len, datas))
    yield from _check(desk, size, len(datas), largest, how)
    home, uploads = yield from desk.when_ready(partial(_begin_uploads, datas))
    let_in = False
    try:
        sync = home.syncs
        large = [data for data in datas if len(data) > LARGE]
        for upload, data in zip(uploads, large, strict=True):
            yield Blocking(partial(_write, upload, data, sync))
        numbers = iter(uploads)
        files = [next(numbers).number if len(data) > LARGE else 0 for data in datas]

        def attempt(turn: Turn) -> int:
            nonlocal let_in
            if desk.directory.broker.queues.get(desk.name) is not home:
                raise JournalError("the queue was deleted while a large item was written")
            first = turn.put_many(
                desk.name, datas, files, size, largest, how.flags, how.expiry, how.due
            )
            let_in = True
            return first

        return (yield from _let_in(desk, attempt, size, len(datas), how))
    except JournalError as error:
        raise desk.told(error) from error.__cause__
    finally:
        if not let_in:
            for upload in uploads:
                upload.discard()
        _end_uploads(desk, home, len(uploads))


def _check(desk: Desk, size: int, items: int, largest: int, how: Envelope) -> Steps[None]:
    """Before anything is written: whether it may be let in at all."""
    while True:
        try:
            with desk.directory.lock:
                desk.directory.turn.check_room(desk.name, size, items, largest)
            return
        except Unready:
            yield from desk.be_ready()
        except QueueFullError as error:
            if not how.block:
                raise desk.told(error) from None
            return
        except DarnerError as error:
            raise desk.told(error) from error.__cause__


def _begin_uploads(
    datas: list[bytes], stored: StoredQueue, consumer: Consumer
) -> tuple[StoredQueue, list[Upload]]:
    return stored, [stored.begin_upload() for data in datas if len(data) > LARGE]


def _write(upload: Upload, data: bytes, sync: bool) -> None:
    upload.write([data])
    upload.finish(sync)


def _end_uploads(desk: Desk, home: StoredQueue, number: int) -> None:
    def end() -> None:
        for _ in range(number):
            home.end_upload()

    try:
        desk.directory.run(end)
    except (Unready, DarnerError):
        pass  # everything is read anew, or was closed
