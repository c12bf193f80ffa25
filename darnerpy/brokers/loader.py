"""Reading a queue's items back from its journal, before or when a consumer needs them.

Owns which consumers are being read for, and what is done about records that are damaged or missing:
they are reported, counted and passed over, never served and never the end of the queue.
"""

import logging
from functools import partial
from typing import Final, NamedTuple

from ..journals.contract import Damage, Journal, Piece, Recovery
from ..queues.consumer import Consumer
from ..queues.positions import Positions, Span
from ..queues.queue import Queue
from ..queues.windows import Windows
from .handle import JournalHandle

__all__ = ["NO_HARM", "Harm", "Loader"]

log = logging.getLogger("darnerpy.journal")

_STEP: Final = 64 * 1024
_AHEAD: Final = 1024 * 1024


class Harm(NamedTuple):
    """lost: items that cannot be served: damaged, or not there. kept: those that are whole, as far as is
    known, stay on disk, and are not served.
    """

    lost: int
    kept: int


NO_HARM: Final = Harm(0, 0)


class Loader:
    """recovered_to: ids below it were put before the last start or failure.
    clean_prefix: what lies behind a gap from before that is not served, for the gap may be all that
    tells of a power cut; with everything synced a gap is damage, and only itself passed over.
    """

    __slots__ = (
        "_halted",
        "_handle",
        "_harm",
        "_loading",
        "_lost",
        "_noting",
        "_queue",
        "_unnoted",
        "_windows",
        "clean_prefix",
        "recovered_to",
    )

    def __init__(
        self, queue: Queue, windows: Windows, handle: JournalHandle, clean_prefix: bool
    ) -> None:
        self.clean_prefix = clean_prefix
        self.recovered_to = 1
        self._lost: Positions | None = None  # most queues never lose anything
        self._harm: Harm | None = NO_HARM  # counted when asked for: it seldom changes
        self._queue = queue
        self._windows = windows
        self._handle = handle
        self._loading: list[Consumer] = []
        self._halted = False
        self._noting = False
        self._unnoted: list[tuple[Span, Damage]] | None = None

    def halt(self) -> None:
        """Nothing more is to be read, unless there is a `reset`."""
        self._halted = True

    def reset(self) -> None:
        """What was being read will not come: the journal failed."""
        self._loading.clear()
        self._noting = False
        self._unnoted = None
        self._halted = False

    def load(self, consumer: Consumer) -> None:
        """Read what a consumer needs next, unless it is being read or not yet written."""
        if consumer in self._loading:
            return
        missing = consumer.missing(self._queue.written)
        if missing is None or missing[0] >= self._queue.written:
            return
        journal = self._journal()
        if journal is not None:
            self._loading.append(consumer)
            work = partial(journal.read, *missing, _STEP)
            self._handle.run(work, partial(self._loaded, consumer, consumer.epoch, missing[0]))

    def load_for_waiters(self) -> None:
        """Read for every consumer that somebody waits for."""
        for consumer in self._queue.consumers.values():
            if consumer.awaited:
                self.load(consumer)

    def look_ahead(self, consumer: Consumer) -> None:
        """Read on before the window is empty, or because something has to be done with what is next."""
        head = consumer.head
        bare = head is not None and head.data is None and not head.large
        if (
            consumer.awaited
            or consumer.excess
            or bare
            or consumer.loaded < min(self._windows.share // 2, _AHEAD)
        ):
            self.load(consumer)

    def take_in(self, consumer: Consumer, piece: Piece, first: int) -> None:
        """Pass what was read of the ids from first on to the queue."""
        # What was held when it was asked for may have been confirmed since, and trimmed.
        lost = [each for each in piece.lost if not self._is_passed(each[0])]
        passed = self._pass_over(lost, kept=True)
        if passed > piece.stop:
            piece.stop = passed
        self._queue.loaded(consumer, piece.items, first, piece.stop)
        if lost:
            self._unnoted = lost if self._unnoted is None else self._unnoted + lost
            self._note()

    def _note(self) -> None:
        """Make it known for good what is lost, one part at a time: each adds to what is known before."""
        lost = self._unnoted
        journal = None if lost is None or self._noting else self._journal()
        if lost is not None and journal is not None:
            self._noting = True
            self._unnoted = None
            self._handle.run(partial(journal.note_lost, lost), self._noted)

    def _noted(self, result: object, error: BaseException | None) -> None:
        self._noting = False
        if error is not None:
            self._handle.fail(error)
        else:
            self._note()

    def recovered(self, found: Recovery, anew: bool) -> None:
        """The queue knows what the journal holds: report damage, and pass over what is known to be
        lost before anyone comes to it. anew: at a start, or after a failure.
        """
        if anew:
            self.recovered_to = self._queue.written
        self._harm = None
        for damage in found.damage:
            self._report(damage)
        for span, _ in found.lost:
            if self._is_passed(span):
                self._count(span)
        if (self._pass_over(found.lost, kept=False) or found.damage) and not anew:
            self._queue.want_full_mark()  # what tells where everyone stands may be lost, too

    @property
    def harm(self) -> Harm:
        harm = self._harm
        if harm is None:
            lost = self._lost or Positions(0)
            whole = (piece for span in self._queue.kept for piece in lost.unconfirmed(span))
            harm = self._harm = Harm(
                lost.count_above, sum(each.stop - each.first for each in whole)
            )
        return harm

    def _journal(self) -> Journal | None:
        return None if self._halted else self._handle.wanted()

    def _loaded(
        self,
        consumer: Consumer,
        epoch: int,
        first: int,
        piece: Piece | None,
        error: BaseException | None,
    ) -> None:
        if consumer in self._loading:
            self._loading.remove(consumer)
        if piece is None:
            self._handle.fail(error)
            return
        before = consumer.loaded_to
        if consumer.epoch == epoch:
            self.take_in(consumer, piece, first)
        # What a small memory has let go of again is not read before somebody wants it.
        if consumer.loaded_to > before or consumer.awaited or consumer.excess:
            self.look_ahead(consumer)

    def _pass_over(self, lost: list[tuple[Span, Damage]], kept: bool) -> int:
        """Have everyone pass these; returns up to where. kept: what there is of them stays on disk."""
        passed = 0
        for number, (known, damage) in enumerate(lost):
            # Of one that was kept back in part there is the rest.
            within = known.first < passed < known.stop
            span = Span(passed, known.stop, -1, known.end) if within else known
            if span.first < passed or self._is_passed(span):
                continue
            self._report(damage)
            self._count(span)
            self._queue.lose(span, keep=kept and not damage.missing)
            passed = span.stop
            if self.clean_prefix and damage.missing and passed < self.recovered_to:
                self._keep_back(span, [later for later, _ in lost[number + 1 :]])
                passed = self.recovered_to
        return passed

    def _keep_back(self, gap: Span, lost: list[Span]) -> None:
        """What lies between a gap and `recovered_to` is kept, and not served; lost: what is not there
        behind the gap. What was put later is nothing to do with it.
        """
        first, begin, limit = gap.stop, gap.end, self.recovered_to
        for span in [*lost, Span(limit, limit, -1, -1)]:
            if first < min(span.first, limit):
                end = span.begin if span.first <= limit else -1
                self._queue.lose(Span(first, min(span.first, limit), begin, end), keep=True)
            if span.first >= limit:
                return
            if span.stop > limit:
                span = Span(span.first, limit, span.begin, -1)
            if span.first < span.stop:
                self._queue.lose(span, keep=False)
                self._count(span)
            first, begin = span.stop, span.end

    def _report(self, damage: Damage) -> None:
        """Say in the log what is wrong with what is stored."""
        ids = f"items {damage.first} to {damage.stop - 1}" if damage.stop else "unknown"
        about = {"queue": self._queue.name, "path": self._handle.directory, "ids": ids}
        log.error("journal is damaged: %s", damage.what, extra=about)

    def _count(self, span: Span) -> None:
        self._harm = None
        if self._lost is None:
            self._lost = Positions(0)
        for piece in list(self._lost.unconfirmed(span)):
            self._lost.confirm(piece)

    def _is_passed(self, span: Span) -> bool:
        consumers = self._queue.consumers.values()
        return not any(any(each.positions.unconfirmed(span)) for each in consumers)
