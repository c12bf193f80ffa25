"""A real server with one promise broken on purpose: `python -m tests.testing.broken BREAK serve …`.

Owns the mutations of `darnerpy.queues`; whatever else the server does is as it should be.
`tests.histories` must find every one of them out.
"""

import asyncio
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darnerpy.brokers.committer import Committer
from darnerpy.cli.main import main
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.items import Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.positions import Positions, Span
from darnerpy.queues.queue import Queue
from darnerpy.testing.server import RunningServer

__all__ = ["BREAKS", "BrokenServer"]

_RARELY = 0.05
_chance = random.Random(1)


def _rarely() -> bool:
    return _chance.random() < _RARELY


def _replace(owner: type, broken: Callable[..., Any], name: str) -> None:
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more"
    setattr(owner, name, broken)


def _forget_to_confirm() -> None:
    """A close is answered, but nothing is confirmed: after a restart the item is there again."""
    close = Queue.close

    def broken(self: Queue, held: OpenRead) -> Batch | None:
        if held.gone or not _rarely():
            return close(self, held)
        self.consumers[held.consumer].release(held)
        return None

    _replace(Queue, broken, "close")


def _deliver_twice() -> None:
    """What is taken stays in line."""
    take = Queue.take

    def broken(self: Queue, consumer: Consumer) -> Item | None:
        item = take(self, consumer)
        if item is not None and item.data is not None and _rarely():
            consumer.put_back(item)
        return item

    _replace(Queue, broken, "take")


def _return_to_the_tail() -> None:
    """An aborted item comes after what is in the window."""

    def broken(self: Consumer, item: Item) -> None:
        self.loaded += item.size
        self.window.append(item)

    _replace(Consumer, broken, "put_back")


def _return_as_a_stack() -> None:
    """Of several returned items the last one comes first."""

    def broken(self: Consumer, item: Item) -> None:
        if item.id < self.loaded_to:
            self.loaded += item.size
            self.returned.insert(0, (item.id, item))

    _replace(Consumer, broken, "put_back")


def _say_end() -> None:
    """END although an item waits."""
    take, is_empty = Queue.take, Queue.is_empty
    lying = False

    def broken_take(self: Queue, consumer: Consumer) -> Item | None:
        nonlocal lying
        lying = _rarely()
        return None if lying else take(self, consumer)

    def broken_is_empty(self: Queue, consumer: Consumer) -> bool:
        nonlocal lying
        lied, lying = lying, False
        return lied or is_empty(self, consumer)

    _replace(Queue, broken_take, "take")
    _replace(Queue, broken_is_empty, "is_empty")


def _lose_what_is_returned() -> None:
    """An abort, or the end of a connection, confirms."""
    abort, close = Queue.abort, Queue.close

    def broken(self: Queue, held: OpenRead, *more: Any) -> None:
        if _rarely():
            close(self, held)
        else:
            abort(self, held, *more)

    _replace(Queue, broken, "abort")


def _lose_on_restart() -> None:
    """The first item that is not confirmed is passed over."""
    restore = Consumer.restore

    def broken(self: Consumer, positions: Positions) -> None:
        if positions.position > 1:
            positions = positions.copy()
            first, offset = positions.position, positions.offset
            positions.confirm(Span(first, first + 1, offset, offset))
        restore(self, positions)

    _replace(Consumer, broken, "restore")


def _acknowledge_unwritten() -> None:
    """STORED is said as if there were nothing to wait for, and the batch is written much later."""
    put, commit = Queue.put, Committer.commit

    def broken_put(self: Queue, *arguments: Any, **more: Any) -> Batch:
        put(self, *arguments, **more)
        ended = Batch(number=0, created=0)
        ended.ended = True
        return ended

    def broken_commit(self: Committer) -> None:
        asyncio.get_running_loop().call_later(0.02, commit, self)

    _replace(Queue, broken_put, "put")
    _replace(Committer, broken_commit, "commit")


def _leave_one_when_flushed() -> None:
    """Flush spares an item."""
    flush = Queue.flush

    def broken(self: Queue, *arguments: Any) -> Batch:
        item = self.own.window[0] if self.own.window else None
        batch = flush(self, *arguments)
        if item is not None:
            self.own.put_back(item)
        return batch

    _replace(Queue, broken, "flush")


def _deliver_expired() -> None:
    """Items do not expire."""
    put = Queue.put

    def broken(
        self: Queue, data: Any, size: int, flags: int, expiry: int, *more: Any, **named: Any
    ) -> Batch:
        return put(self, data, size, flags, 0, *more, **named)

    _replace(Queue, broken, "put")


BREAKS: dict[str, Callable[[], None]] = {
    breaking.__name__.strip("_"): breaking
    for breaking in (
        _forget_to_confirm,
        _deliver_twice,
        _return_to_the_tail,
        _return_as_a_stack,
        _say_end,
        _lose_what_is_returned,
        _lose_on_restart,
        _acknowledge_unwritten,
        _leave_one_when_flushed,
        _deliver_expired,
    )
}


class BrokenServer(RunningServer):
    """A server that breaks one of `BREAKS`."""

    def __init__(self, breaking: str, home: Path, **settings: object) -> None:
        super().__init__(home / "data", **settings)
        self._breaking = breaking

    def _program(self) -> tuple[str, ...]:
        return sys.executable, "-m", "tests.testing.broken", self._breaking


if __name__ == "__main__":
    BREAKS[sys.argv.pop(1)]()
    sys.exit(main())
