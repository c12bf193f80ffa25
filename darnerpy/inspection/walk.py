"""One reading of a queue on disk, from its first entry to the last: what is whole, and what is wrong.

Looks at every checksum, id, offset and position. A cut of the last log, as a power cut makes it, is no
damage: what is there then is a clean beginning.
"""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ..journals.contract import Block, Recovery, Standing
from ..queues.items import Item
from ..queues.positions import Positions, Span, shared, without
from ..units import counted
from .findings import Finding, QueueCheck, shown
from .offline import OfflineQueue

__all__ = ["Progress", "Seen", "Walk"]

Progress = Callable[[int, int], None]
"""Told now and then how many ids were read, of how many."""

_TELL_EVERY = 200


class Seen(NamedTuple):
    """A whole item that somebody is to get. readers: these, b"" being the queue's own consumer.

    passed_over: all were made to pass it, because it lies behind damage; nothing tells who had had it.
    """

    item: Item
    readers: frozenset[bytes]
    passed_over: bool


class Walk:
    """check: filled on the way, complete when `items` has ended. synced: the server syncs every item
    before it answers, so that no gap can tell of a power cut, and what lies behind one is served.
    """

    def __init__(
        self, queue: OfflineQueue, check: QueueCheck, progress: Progress, synced: bool
    ) -> None:
        self._queue = queue
        self._check = check
        self._progress = progress
        self._found = found = queue.found
        self._places = list((found.positions or {b"": Positions()}).items())
        self._everyone = frozenset(name for name, _ in self._places)
        # What all consumers have confirmed may be deleted, wherever it is.
        self._gone = without(shared(at for _, at in self._places), found.kept)
        self._expected = self._gone.position
        self._offset: int | None = None
        self._after = 0
        self._known = Positions(0)
        for span, _ in found.lost:
            for piece in list(self._known.unconfirmed(span)):
                self._known.confirm(piece)
        self._unsure = ""
        self._cut = False
        self._synced = synced
        self._repeated = 0
        self._files: set[str] = set()

    def items(self) -> Iterator[Seen]:
        """Every item that is whole and somebody's, in order."""
        check, found = self._check, self._found
        check.waiting = dict.fromkeys(self._everyone, 0)
        self._check_positions()
        for span, damage in found.lost:
            self._find("not there any more" if damage.missing else "lost to damage", *span[:2])
            if damage.missing:
                check.missing += span.stop - span.first
            else:
                check.damaged += span.stop - span.first
        known = len(self._queue.damage)
        start = 0
        for number, entry in enumerate(self._queue.entries()):
            if isinstance(entry, Standing):
                self._stand(entry)
                continue
            start = start or entry.first
            yield from self._take(entry)
            if number % _TELL_EVERY == 0:
                self._progress(entry.first - start, found.next_id - start)
        self._expect(found.next_id)
        met = {finding.what for finding in check.findings}
        for number, damage in enumerate(self._queue.damage):
            # What recovery has found with its ids was met again on the way, in its place.
            if number >= known or not (damage.stop or damage.what in met):
                self._find(damage.what)
        self._look_for_leftovers()

    def _find(self, what: str, first: int = 0, stop: int = 0, file: str = "") -> None:
        self._check.find(Finding(file or self._queue.engine.name, what, first, stop))

    # -- items -------------------------------------------------------------------------------------

    def _take(self, block: Block) -> Iterator[Seen]:
        self._expect(block.first)
        if block.first != self._after:
            self._offset = None
        at, self._after = block.first, block.stop
        for item in block.items:
            self._lose(at, item.id, block.wrong)
            at = item.id + 1
            if item.large:
                self._files.add(self._queue.large.path_of(item).name)
            if item.id < self._expected:
                self._repeated += not self._gone.is_confirmed(item.id)
                continue
            seen = self._look_at(item)
            if seen is not None:
                yield seen
        self._lose(at, block.stop, block.wrong)
        self._unsure = "" if block.sure else block.wrong
        self._expected = max(self._expected, block.stop)

    def _expect(self, first: int) -> None:
        """The next id there is; those before it are missing, unless all have confirmed them."""
        if first <= self._expected:
            return
        start, self._expected = self._expected, first
        self._offset = None
        if self._unsure:
            self._lose(start, first, self._unsure)
            return
        for gap in self._wanted(start, first):
            if self._is_of_account(gap.first):
                self._find("missing", gap.first, gap.stop)
                self._check.missing += gap.stop - gap.first
                self._cut = True
        for span, damage in self._found.lost:
            cut = damage.missing and start <= span.first < first
            self._cut = self._cut or (cut and self._is_of_account(span.first))

    def _lose(self, first: int, stop: int, what: str) -> None:
        """Ids whose items are damaged; what happened to confirmed ones is of no account."""
        for span in self._wanted(first, stop) if first < stop else ():
            self._find(what, span.first, span.stop)
            self._check.damaged += span.stop - span.first
            self._offset = None

    def _wanted(self, first: int, stop: int) -> Iterator[Span]:
        """The ids from first up to stop that not all have confirmed, but those known to be lost."""
        for span in self._gone.unconfirmed(Span(first, stop, 0, 0)):
            yield from self._known.unconfirmed(span)

    def _look_at(self, item: Item) -> Seen | None:
        check = self._check
        if self._offset is not None and item.offset != self._offset:
            self._find(f"offset is {item.offset}, {self._offset} is expected", item.id, item.id + 1)
        self._offset = item.offset + item.size
        passed_over = self._is_passed_over(item.id)
        readers = self._everyone if passed_over else self._readers(item.id)
        if not readers:
            return None
        if item.large and not self._has_file(item):
            check.damaged += 1
            return None
        check.items += 1
        if passed_over or (self._cut and not self._synced):
            check.kept += 1
        else:
            for name in readers:
                check.waiting[name] += 1
        return Seen(item, readers, passed_over)

    def _readers(self, item_id: int) -> frozenset[bytes]:
        return frozenset(name for name, at in self._places if not at.is_confirmed(item_id))

    def _is_of_account(self, item_id: int) -> bool:
        """Whether a gap may hold back what lies behind it: no server has come to it yet."""
        return bool(self._readers(item_id)) and not self._is_passed_over(item_id)

    def _is_passed_over(self, item_id: int) -> bool:
        return any(span.first <= item_id < span.stop for span in self._found.kept)

    def _has_file(self, item: Item) -> bool:
        path = self._queue.large.path_of(item)
        file = f"large/{path.name}"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            self._find("the file is not there", item.id, item.id + 1, file)
            return False
        if size != item.size:
            what = f"the file is {size} bytes, {item.size} are expected"
            self._find(what, item.id, item.id + 1, file)
            return False
        return True

    def _look_for_leftovers(self) -> None:
        """Files that nothing refers to: the next server removes them."""
        large = self._queue.directory / "large"
        names = os.listdir(large) if large.exists() else []
        uploads = [name for name in names if name.endswith(".part")]
        if uploads:
            self._check.notes.append(f"half uploads in large/: {', '.join(sorted(uploads))}")
        if self._repeated:
            self._check.notes.append(f"there twice, served once: {counted(self._repeated, 'item')}")
        others = sorted(set(names) - self._files - set(uploads))
        if others:
            self._check.notes.append(f"files of no item in large/: {', '.join(others)}")

    # -- positions ---------------------------------------------------------------------------------

    def _stand(self, mark: Standing) -> None:
        record = mark.record
        if record is None:
            self._find(mark.wrong)
            return
        where = f"the mark before item {mark.next_id}"
        offset = self._offset if mark.next_id == self._expected else None
        if offset is not None and record.next_offset != offset:
            self._find(f"{where} has offset {record.next_offset}, {offset} is expected")
        for each in record.marks:
            at = Positions(each.position, each.offset, each.spans if each.whole else ())
            if problem := _unlikely(at, mark.next_id, record.next_offset):
                self._find(f"{where}, consumer {shown(each.consumer)!r}: {problem}")

    def _check_positions(self) -> None:
        found = self._found
        for name, at in found.positions.items():
            problem = _unlikely(at, found.next_id, found.next_offset)
            problem = problem or _unlikely_ids(found, name, at)
            if problem:
                self._find(f"consumer {shown(name)!r}: {problem}")


def _unlikely(at: Positions, next_id: int, next_offset: int) -> str:
    """Why a consumer cannot stand there; "" if it can."""
    if not 1 <= at.position <= next_id:
        return f"position {at.position} is not within 1 to {next_id}"
    if at.offset > next_offset:
        return f"offset {at.offset} is beyond {next_offset}"
    begin = Span(at.position, at.position, at.offset, at.offset)
    for before, span in pairwise([begin, *at.spans]):
        if not before.stop < span.first < span.stop <= next_id:
            return f"confirmed ids {span.first} to {span.stop - 1} do not follow {before.stop - 1}"
        if not before.end <= span.begin <= span.end <= next_offset:
            return f"confirmed ids {span.first} to {span.stop - 1} have offsets out of order"
    return ""


def _unlikely_ids(found: Recovery, name: bytes, at: Positions) -> str:
    """Why what is known of single items cannot be; "" if it can."""
    told = [("returned", each.id) for each in found.returns.get(name, [])]
    told += [("leased", each.id) for each in found.leases.get(name, [])]
    for what, item_id in told:
        if not at.position <= item_id < found.next_id:
            return f"{what} item {item_id} is not within {at.position} to {found.next_id - 1}"
    return ""
