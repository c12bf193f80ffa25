"""What tests of a queue say in one word, and a client that waits in line."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from darnerpy.config import QueueSettings
from darnerpy.errors import QueueFullError, ServerError
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.items import Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from tests.unit.keeper import Disk, Keeper, ManualClock, SettingsBook

__all__ = [
    "AMPLE",
    "Client",
    "again",
    "drain",
    "hold",
    "is_full",
    "join",
    "keep",
    "put",
    "take",
    "take_all",
]

AMPLE = 1 << 20


@dataclass(eq=False)
class Client:
    """Waits in line and writes down what it is told."""

    blocking: bool = True
    open: bool = False
    peek: bool = False
    present: bool = True
    in_reach: bool = True
    got: list[bytes | None] = field(default_factory=list)
    held: OpenRead | None = None
    errors: list[ServerError | None] = field(default_factory=list)

    def reachable(self) -> bool:
        return self.in_reach

    def accept(self, item: Item) -> bool:
        return self.present

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self.got.append(item.data)
        self.held = held

    def end(self, error: ServerError | None) -> None:
        self.errors.append(error)


def keep(
    own: QueueSettings | None = None,
    *,
    memory: int = AMPLE,
    find: Callable[[bytes], Keeper] | None = None,
    name: bytes = b"work",
    **named: Any,
) -> Keeper:
    """A keeper of an empty queue. named: settings of its consumers, beside those of the queue."""
    own = own or QueueSettings()
    book = SettingsBook({b"": own})
    book |= {each.encode(): replace(own, **options) for each, options in named.items()}
    return Keeper(Disk(), ManualClock(), Windows(memory), settings=book, name=name, find=find)


def again(keeper: Keeper) -> Keeper:
    """A keeper of what is on disk, as after a crash."""
    return Keeper(
        keeper.disk,
        keeper.clock,
        Windows(AMPLE),
        settings=keeper.settings,
        name=keeper.queue.name,
        find=keeper.find,
    )


def put(queue: Queue, *items: bytes, expiry: int = 0, only: Consumer | None = None) -> None:
    for data in items:
        queue.put(data, len(data), 0, expiry, only=only)


def is_full(queue: Queue, data: bytes, only: Consumer | None = None) -> bool:
    """Whether an item is refused; if not, it is put."""
    try:
        put(queue, data, only=only)
    except QueueFullError:
        return True
    return False


def take(queue: Queue, consumer: Consumer | None = None) -> bytes | None:
    item = queue.take(consumer or queue.own)
    return None if item is None else item.data


def take_all(queue: Queue, consumer: Consumer | None = None) -> list[bytes | None]:
    return list(iter(lambda: take(queue, consumer), None))


def drain(keeper: Keeper, consumer: Consumer | None = None) -> list[bytes | None]:
    """All there is, also what must be read for it."""
    consumer = consumer or keeper.queue.own
    got: list[bytes | None] = []
    while not keeper.queue.is_empty(consumer):
        data = take(keeper.queue, consumer)
        if data is None:
            keeper.start_read(9, consumer)
            keeper.finish_read(consumer)
        else:
            got.append(data)
    return got


def hold(queue: Queue, consumer: Consumer | None = None) -> OpenRead:
    held = queue.open(consumer or queue.own)
    assert held is not None
    return held


def join(queue: Queue, *clients: Client, consumer: Consumer | None = None) -> None:
    for client in clients:
        (consumer or queue.own).line.join(client)
