"""A processor may show what another wrote late and in any order. Here it does.

The writer has memory of its own. What it writes comes into the reader's word by word, in an order by
chance, also in the midst of a read. Only what is written twice to one place is seen in the order in which it
was written, as on any processor.
"""

import mmap
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from darnerpy.errors import ClosedError, Lagged
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, mapped, reader
from tests.ring.others import message, number_of

WORD = 8


class Memory:
    """What the writer has written and the reader does not see yet."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.hidden: list[tuple[int, bytes]] = []
        self.seen: mmap.mmap
        self.naps = 0

    def write(self, start: int, data: bytes) -> None:
        self.hidden += [(start + at, data[at : at + WORD]) for at in range(0, len(data), WORD)]

    def show(self, count: int) -> None:
        for _ in range(min(count, len(self.hidden))):
            which = self.chance.randrange(len(self.hidden))
            at, data = self.hidden[which]
            for earlier, (other, before) in enumerate(self.hidden[:which]):
                if at < other + len(before) and other < at + len(data):
                    which = earlier
                    break
            at, data = self.hidden.pop(which)
            self.seen[at : at + len(data)] = data

    # The time of whoever reads: all is shown long before any patience is at its end.

    def perf_counter(self) -> float:
        return self.naps * 1e-6

    def sleep(self, _: float) -> None:
        self.naps += 1
        self.show(1 + self.chance.randrange(3))


class WritersMap(mmap.mmap):
    memory: Memory

    def __setitem__(self, place: Any, data: Any) -> None:
        super().__setitem__(place, data)
        self.memory.write(place.start, data)


class ReadersMap(mmap.mmap):
    memory: Memory

    def __getitem__(self, place: Any) -> Any:
        self.memory.show(self.memory.chance.randrange(4))
        data = super().__getitem__(place)
        if self.memory.chance.random() < 0.3 and len(data) > 1:  # shown while it is copied
            cut = self.memory.chance.randrange(1, len(data))
            self.memory.show(self.memory.chance.randrange(20))
            data = data[:cut] + super().__getitem__(place)[cut:]
        return data


@pytest.mark.parametrize("seed", range(8))
def test_whatever_order_writes_become_visible_in_nothing_is_torn_or_lost_count_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    memory = Memory(chance)
    own = path.with_name("own")
    with Ring.create(own, 4096) as writer:
        shutil.copy(own, path)
        with Ring.open(path) as ring, path.open("r+b") as shown, own.open("r+b") as written:
            memory.seen = mmap.mmap(shown.fileno(), 0)
            for side, kind, file in ((writer, WritersMap, written), (ring, ReadersMap, shown)):
                side._ring.map.close()
                side._ring.map = kind(file.fileno(), 0)
                side._ring.map.memory = memory
            clock = SimpleNamespace(perf_counter=memory.perf_counter, sleep=memory.sleep)
            monkeypatch.setattr(reader, "time", clock)
            monkeypatch.setattr(mapped, "time", clock)

            read = lagged = 0
            closed = False
            longest = chance.choice([24, 60, 600])
            while not closed:
                for _ in range(chance.randrange(8)):
                    if writer.sequence < 1000:
                        several = chance.choice([0, 0, 0, 3, 20])
                        length = chance.randint(24, longest)
                        writer.publish(message(writer.sequence, length))
                        first = writer.sequence
                        writer.publish_many(message(first + n, length) for n in range(several))
                if writer.sequence >= 1000:
                    writer.close()
                memory.show(max(0, len(memory.hidden) - 300))
                for _ in range(chance.randrange(8)):
                    try:
                        messages = ring.read_many(chance.randint(1, 5), timeout=0)
                    except Lagged:
                        lagged += 1
                    except Empty:
                        pass
                    except ClosedError:
                        closed = True
                    else:
                        read += len(messages)
                        end = ring.sequence
                        expected = list(range(end - len(messages), end))
                        assert list(map(number_of, messages)) == expected
                    assert read + ring.missed == ring.sequence
            assert ring.sequence == writer.sequence
            assert read > 200
            assert lagged or longest < 600
            memory.seen.close()
