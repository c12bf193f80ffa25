"""A queue in an arena whose power is cut again and again, and whether all that was promised is there.

Each life puts, takes, holds and trims; then the process is gone in the middle of something, with the power
or without it, and what it left is opened again and held against the books.
"""

import random
from collections import Counter
from pathlib import Path

from darnerpy.config import QueueSettings
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.large import LargeFiles
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from darnerpy.testing.simulation.pages import Fuse, PageDisk
from tests.journals.kept import StillClock

__all__ = ["History"]

NOWHERE = Path("/nonexistent/darnerpy")


class History:
    """wrong: what was promised and is not so. counts: of what has happened.

    synced: every put is, before it is acknowledged.
    """

    def __init__(self, seed: int, synced: bool) -> None:
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.disk = PageDisk(self.chance)
        self._synced = synced
        self._settings = QueueSettings(arena_size=self.chance.choice((4096, 8192, 65536)))
        self._engine = ArenaEngine(self.disk.folder)
        # By id: what was put, in which batch, whether that was acknowledged, and synced, and may have been
        # taken.
        self.put: dict[int, bytes] = {}
        self.batch_of: dict[int, tuple[int, ...]] = {}
        self.acked: set[int] = set()
        self.sure: set[int] = set()
        self.taken: set[int] = set()
        self.lost: set[int] = set()

    def run(self, lives: int) -> None:
        for _ in range(lives):
            try:
                self._live()
            except Fuse:
                self.counts["torn"] += 1
            self.disk.fuse = 0
            if self.chance.random() < 0.6:
                self.disk.cut_power()
                self.counts["cuts"] += 1
                self._after(power=True)
            else:
                self.counts["kills"] += 1
                self._after(power=False)
            if self.wrong:
                return

    def _open(self) -> None:
        self.journal = self._engine.open(
            NOWHERE, b"work", LargeFiles(NOWHERE / "large"), 0, self._settings
        )
        self.found = found = self.journal.recover()
        self.queue = Queue(b"work", StillClock(), Windows(1 << 30), lambda: None)
        self.queue.recover(
            found.next_id, found.next_offset, found.batch, found.positions, found.kept
        )

    def _live(self) -> None:
        self._open()
        queue, chance = self.queue, self.chance
        self.taken |= {i for i in self.put if queue.own.positions.is_confirmed(i)}
        if chance.random() < 0.7:
            self.disk.fuse = chance.randint(1, 120)
        held: list[OpenRead] = []
        for _ in range(chance.randint(1, 30)):
            action = chance.choice(("put", "put", "put", "take", "open", "close", "trim", "back"))
            if action == "put":
                self._put()
            elif action == "back":
                self.disk.write_back()
            elif action == "trim":
                self._commit()
                self._trim()
            else:
                self._load()
                if action == "close" and held:
                    closed = held.pop(chance.randrange(len(held)))
                    self.taken.add(closed.item.id)
                    queue.close(closed)
                for _ in range(chance.randint(1, 4) if action != "close" else 0):
                    if action == "open" and (read := queue.open(queue.own)) is not None:
                        held.append(read)
                    elif action == "take" and (item := queue.take(queue.own)) is not None:
                        self.taken.add(item.id)
                self._commit()
        if chance.random() < 0.3:
            self.journal.sync()
            self.journal.close()

    def _put(self) -> None:
        queue, chance = self.queue, self.chance
        ids = []
        for _ in range(chance.choice((1, 1, 2, 5, 9))):
            size = chance.choice((0, 8, 60, 300, 1500, 5000))
            # Not all of it noise: what looks like a page that was never written must not mislead.
            data = chance.choice((chance.randbytes(size), bytes(size), b"%d" % size))
            ids.append(queue.next_id)
            self.put[queue.next_id] = data
            self.acked.discard(queue.next_id)
            self.sure.discard(queue.next_id)
            self.taken.discard(queue.next_id)
            self.lost.discard(queue.next_id)
            queue.put(data, len(data), 7, 0)
        for each in ids:
            self.batch_of[each] = tuple(ids)
        sync = self._synced or chance.random() < 0.1
        self._commit(sync)
        self.acked |= set(ids)
        if sync:  # and with it what was written before
            self.sure |= self.acked
        self.counts["puts"] += len(ids)

    def _commit(self, sync: bool = False) -> None:
        batch = self.queue.seal()
        if batch is not None:
            self.journal.write(batch, sync)
            self.queue.wrote(batch)

    def _load(self) -> None:
        queue, own = self.queue, self.queue.own
        while (missing := own.missing(queue.written)) is not None:
            piece = self.journal.read(*missing, self.chance.choice((1, 300, 1 << 16)))
            for span, damage in piece.lost:
                for each in range(span.first, span.stop):
                    if each not in self.lost:
                        self.wrong.append(f"item {each} is lost while it runs: {damage.what}")
                queue.lose(span, keep=False)
            queue.loaded(own, piece.items, missing[0], piece.stop)

    def _trim(self) -> None:
        self.queue.want_full_mark()
        older = self.queue.batch
        assert older is not None
        self._commit()
        self.queue.want_full_mark()
        self._commit()
        self.journal.trim(older, thorough=self.chance.random() < 0.7)
        self.counts["trims"] += 1

    def _after(self, power: bool) -> None:
        """Open what is left, and hold it against the books."""
        self._open()
        found, at = self.found, self.queue.own.positions
        there: set[int] = set()
        first = at.next_unconfirmed(1)
        while first < found.next_id:
            stop = at.next_span_after(first) or found.next_id
            piece = self.journal.read(first, stop, self.chance.choice((1, 5000, 1 << 20)))
            for item in piece.items:
                there.add(item.id)
                if self.put.get(item.id) != item.data or item.flags != 7:
                    self.wrong.append(f"item {item.id} is another")
            for span, damage in piece.lost:
                if not damage.missing and not (self._synced and power):
                    self.wrong.append(f"a cut is taken for damage: {span} {damage}")
            first = at.next_unconfirmed(piece.stop)
        confirmed = {each for each in self.put if at.is_confirmed(each)}
        if wrong := sorted(confirmed - self.taken - self.lost):
            self.wrong.append(f"confirmed by nobody: {wrong}")
        must = self.sure if power else self.acked
        if missing := sorted(must - there - confirmed - self.lost):
            self.wrong.append(f"acknowledged and missing: {missing}; {found.damage}")
        for damage in found.damage:
            # What an earlier cut has taken is told again.
            if not power and not set(range(damage.first, damage.stop)) & self.lost:
                self.wrong.append(f"damage without a power cut: {damage}")
        for each in there:
            for other in self.batch_of[each]:
                if other not in there and other not in confirmed and other not in self.lost:
                    self.wrong.append(f"half a batch: {each} without {other}")
        # What is not there stays so; its ids may be given again.
        for each in list(self.put):
            if each >= found.next_id:
                del self.put[each]
                self.acked.discard(each)
                self.taken.discard(each)
                self.lost.discard(each)
            elif each not in there and each not in confirmed:
                self.lost.add(each)
        self.acked = {each for each in self.put if each in there}
        self.sure &= self.acked
        self.counts["served"] += len(there)
