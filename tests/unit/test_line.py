"""The line of those who wait."""

from darnerpy.errors import ServerError
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import Item
from darnerpy.queues.line import Line
from darnerpy.queues.open_reads import OpenRead


class Waiter:
    open = peek = False

    def __init__(self, blocking: bool) -> None:
        self.blocking = blocking

    def reachable(self) -> bool:
        return True

    def accept(self, item: Item) -> bool:
        return True

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None: ...

    def end(self, error: ServerError | None) -> None: ...


def joined(*patience: bool) -> tuple[Line, list[Waiter]]:
    line, waiters = Line(), [Waiter(blocking) for blocking in patience]
    for waiter in waiters:
        line.join(waiter)
    return line, waiters


def test_first_come_first_served() -> None:
    line, (first, second, third) = joined(True, False, True)
    assert line.snapshot() == [first, second, third]
    assert line.nonblocking == 1
    assert [line.next(), line.next()] == [first, second]
    assert line.nonblocking == 0
    assert line.snapshot() == [third]


def test_who_leaves_is_gone_and_may_leave_again() -> None:
    line, (first, second) = joined(False, False)
    line.leave(first)
    line.leave(first)
    assert line.snapshot() == [second]
    assert line.nonblocking == 1


def test_who_tires_keeps_its_place() -> None:
    line, (first, second) = joined(True, True)
    line.stop_blocking(first)
    line.stop_blocking(first)
    assert not first.blocking
    assert line.nonblocking == 1
    assert line.snapshot() == [first, second]


def test_who_is_not_in_line_cannot_tire_in_it() -> None:
    line, (waiter,) = joined(True)
    line.leave(waiter)
    line.stop_blocking(waiter)
    assert waiter.blocking
    assert line.nonblocking == 0
