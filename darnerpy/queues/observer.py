"""Finds out when what happens to the items of one queue is true, for whoever wants to be told.

The queue notes each event with the batch that makes it true. Promises: each is told once, in the order in
which they were noted, none before its batch is written. What a failed batch should have made true is never
told, and of who was said to hold an item which the failure has returned it is told that it came back. Knows
nothing of who is told.
"""

from collections.abc import Callable, Iterable

from .batches import Batch, Dependent
from .consumer import Consumer
from .events import KINDS, OPEN, RETURN, TAKE, Events
from .items import Item

__all__ = ["Observer"]


class _Page:
    """The events that are true when one batch is written. batch: None if they are true at once.

    rows: their sorts (kind, consumer and target), numbered. of, ids, sizes: as `Events` has them. consumer,
    known: of whom the last one was, and its rows without a target by kind, as far as they were needed.
    """

    __slots__ = ("batch", "consumer", "ids", "known", "of", "rows", "sizes")

    def __init__(self, batch: Batch | None) -> None:
        self.batch = batch
        self.rows: dict[tuple[int, Consumer, bytes], int] = {}
        self.consumer: Consumer | None = None
        self.known: list[int] = []
        self.of: list[int] = []
        self.ids: list[int] = []
        self.sizes: list[int] = []

    def row(self, kind: int, consumer: Consumer, target: bytes) -> int:
        """Which of the sorts it is, which may be new."""
        sort = kind, consumer, target
        row = self.rows.get(sort, -1)
        if row < 0:
            row = self.rows[sort] = len(self.rows)
        if consumer is not self.consumer:
            self.consumer, self.known = consumer, [-1] * len(KINDS)
        if not target:
            self.known[kind] = row
        return row


class Observer(Dependent):
    """Observes a queue of that name.

    due: called with it when there is or soon will be something to collect. Then `collect` is to be called
    when the turn is over.
    """

    __slots__ = ("_due", "_is_due", "_page", "_pages", "_queue")

    def __init__(self, queue: bytes, due: Callable[["Observer"], None]) -> None:
        self._queue = queue
        self._due = due
        self._is_due = False
        self._pages: list[_Page] = []
        self._page: _Page | None = None

    def note(
        self,
        batch: Batch | None,
        kind: int,
        consumer: Consumer,
        number: int,
        size: int,
        target: bytes = b"",
    ) -> None:
        """Something has happened that is true when the batch is written, and all before it.

        number, size: as ids and sizes of `Events`.
        """
        page = self._page
        if page is None or page.batch is not batch:
            page = self._turn_to(batch)
        row = -1 if target or consumer is not page.consumer else page.known[kind]
        page.of.append(page.row(kind, consumer, target) if row < 0 else row)
        page.ids.append(number)
        page.sizes.append(size)

    def failed(self, let_go: Iterable[tuple[Consumer, Item]]) -> None:
        """No batch that is not written will be: what was noted since is not true. What of it is true all the
        same shows in who holds what. let_go: items that were held, and by whom; not any more.
        """
        pages, self._pages, self._page = self._pages, [], None
        while pages and (pages[0].batch is None or pages[0].batch.ended):
            self._pages.append(pages.pop(0))
        before: dict[tuple[Consumer, int], tuple[bool, int]] = {}
        for page in pages:
            sorts = list(page.rows)
            for row, item_id, size in zip(page.of, page.ids, page.sizes, strict=True):
                kind, consumer, _ = sorts[row]
                if TAKE <= kind <= RETURN:
                    before.setdefault((consumer, item_id), (kind > OPEN, size))
        for consumer, item in let_go:
            before.setdefault((consumer, item.id), (True, item.size))
        for (consumer, item_id), (was_held, size) in before.items():
            if was_held != (item_id in consumer.open):
                self.note(None, RETURN if was_held else OPEN, consumer, item_id, size)

    def release(self) -> None:
        """A batch has ended."""
        if not self._is_due:
            self._is_due = True
            self._due(self)

    def collect(self) -> list[Events]:
        """All that has become true since the last time."""
        self._is_due = False
        found: list[Events] = []
        pages = self._pages
        while pages:
            page = pages[0]
            batch = page.batch
            if batch is not None and not batch.ended:
                break
            del pages[0]
            if page is self._page:
                self._page = None
            if batch is None or batch.error is None:
                sorts = [(kind, consumer.name, target) for kind, consumer, target in page.rows]
                found.append(Events(self._queue, sorts, page.of, page.ids, page.sizes))
        return found

    def _turn_to(self, batch: Batch | None) -> _Page:
        page = self._page = _Page(batch)
        self._pages.append(page)
        if batch is not None:
            batch.dependents.append(self)
        self.release()
        return page
