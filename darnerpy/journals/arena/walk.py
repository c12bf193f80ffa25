"""Which batches of a segment exist, and what is wrong between them.

A batch that is not there as a whole does not exist: a power cut may have kept any part of it. But damage
costs only what it hits, so where some of a batch is missing, what lies there must tell which it was
(`may_be_cut`). What was on disk as a whole once, or was written by this process, can only be damaged.
"""

from typing import Final

from .files import File
from .format import LAST, MOVED, Record
from .scan import END, GAP, Scanner, may_be_cut
from .segments import Segment

__all__ = ["Walker"]

_JUDGED: Final = 64
"""So many batches of a segment are remembered."""


class Walker:
    """next: the next record that exists. wrong: what is wrong before it, "" if nothing is; missing: it may
    be what a power cut left. mended: how many wrong bits were put right so far.
    """

    __slots__ = (
        "_cut",
        "_exists_to",
        "_file",
        "_gap",
        "_scanner",
        "_segment",
        "mended",
        "missing",
        "wrong",
    )

    def __init__(self, file: File, segment: Segment, at: int, end: int) -> None:
        self._file = file
        self._segment = segment
        self._scanner = Scanner(file, segment.identity, at, end)
        self._exists_to = 0
        self._gap = self._cut = False
        self.wrong = ""
        self.missing = False
        self.mended = 0

    @property
    def at(self) -> int:
        """Where it goes on."""
        return self._scanner.at

    def next(self) -> Record | None:
        scanner = self._scanner
        while True:
            found = scanner.step()
            if found == END:
                return None
            if found == GAP:
                self._tell(scanner.gap_first, scanner.gap_stop, "")
                continue
            record = scanner.record
            assert record is not None
            if record.mended:
                self.mended += 1
            alone = (record.index == 0 and record.flags & LAST) or record.flags & MOVED
            if (
                not alone
                and record.start >= self._exists_to
                and not self._segment.is_sure(record.start)
            ):
                after_gap = self._gap and record.index > 0
                start = record.start if record.index == 0 or after_gap else record.link
                stop, exists = self._judge(start)
                if not exists or (after_gap and self._cut):
                    self._tell_missing()
                    scanner.seek(max(stop, record.stop))
                    continue
                self._exists_to = stop
            if record.wrong:
                cut = self._tell(record.start, record.stop, record.wrong)
                if alone and cut:
                    continue
            self._gap = self._cut = False
            return record

    def told(self) -> None:
        """What was wrong is known now."""
        self.wrong = ""
        self.missing = False

    def _tell(self, first: int, stop: int, wrong: str) -> bool:
        """What is wrong with some bytes; whether that may be what a power cut left."""
        self._gap = True
        if not self._segment.is_sure(first) and may_be_cut(self._file, first, stop):
            self._tell_missing()
            return True
        what = f"{self._segment.name} is damaged at byte {first}"
        self.wrong = self.wrong or (f"{what}: {wrong}" if wrong else what)
        return False

    def _tell_missing(self) -> None:
        self._gap = self._cut = True
        self.missing = True
        self.wrong = self.wrong or "items are missing"

    def _judge(self, start: int) -> tuple[int, bool]:
        """Where the batch ends of which a record begins here, and whether it exists."""
        known = self._segment.judged.get(start)
        if known is not None:
            return known
        result = self._look(start)
        judged = self._segment.judged
        if len(judged) >= _JUDGED:
            judged.clear()
        judged[start] = result
        return result

    def _look(self, start: int) -> tuple[int, bool]:
        scanner = Scanner(self._file, self._segment.identity, start, self._scanner.end)
        exists = True
        damaged = False
        first = True
        while True:
            found = scanner.step()
            record = scanner.record
            if found == END:
                return scanner.at, exists and damaged
            if found == GAP:
                damaged = True
                if may_be_cut(self._file, scanner.gap_first, scanner.gap_stop):
                    exists = False
                continue
            assert record is not None
            if not first and record.index == 0:
                return record.start, exists and damaged
            first = False
            if record.wrong:
                damaged = True
                if may_be_cut(self._file, record.start, record.stop):
                    exists = False
            if record.flags & LAST:
                return scanner.at, exists
