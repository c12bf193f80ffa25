"""One measurement of one library, in a process of its own: worker.py PEER KIND DIRECTORY SECONDS

Owns how the clocks are read. Prints figures as JSON. What is taken out is compared with what was put in:
a figure of something that does not work is none.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

# Behind what the environment has: that is what is measured.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from bench.embedded.peers import OURS, PEERS, Peer

__all__ = ["KINDS"]

SIZE = 128
BATCH = 100
LARGE = 1 << 20


def _item(number: int) -> bytes:
    return b"%0*d" % (SIZE, number)


class Watch:
    """Wall and processor time of what is done in between; the processor's is the whole process's."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def time(self, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall
        return result

    def figures(self, number: int, name: str) -> dict[str, float]:
        return {
            f"{name}_per_s": number / self.wall,
            f"cpu_us_{name}": self.cpu / number * 1e6,
        }


def _each(call: Callable[[bytes], object], items: list[bytes]) -> None:
    for item in items:
        call(item)


def _repeat(call: Callable[[], bytes], number: int) -> list[bytes]:
    return [call() for _ in range(number)]


def _singly(make: Callable[[], Peer], seconds: float) -> dict[str, float]:
    peer, put, get, number = make(), Watch(), Watch(), 0
    peer.put(_item(0))
    assert peer.get() == _item(0)
    step = 10
    while put.wall < seconds and number < 400_000:
        items = [_item(number + each) for each in range(step)]
        put.time(partial(_each, peer.put, items))
        number += step
        step = min(2 * step, 10_000)
    left, step = number, 10
    while get.wall < seconds and left:
        step = min(2 * step, 10_000, left)
        found = get.time(partial(_repeat, peer.get, step))
        assert found == [_item(number - left + each) for each in range(step)]
        left -= step
    peer.close()
    return put.figures(number, "put") | get.figures(number - left, "get")


def _in_batches(make: Callable[[], Peer], seconds: float) -> dict[str, float]:
    peer, put, get, number = make(), Watch(), Watch(), 0
    put_many, get_many = peer.put_many, peer.get_many
    if put_many is None:
        return {}
    while put.wall < seconds and number < 2_000_000:
        items = [_item(number + each) for each in range(BATCH)]
        put.time(partial(put_many, items))
        number += BATCH
    done = put.figures(number, "put")
    left = number
    while get_many is not None and get.wall < seconds and left:
        found = get.time(partial(get_many, BATCH))
        assert list(found) == [_item(number - left + each) for each in range(BATCH)]
        left -= BATCH
    if left < number:
        done |= get.figures(number - left, "get")
    peer.close()
    return done


def _zero_copy(path: str) -> dict[str, float]:
    """Reads of 1 MiB items straight from the map, each verified."""
    ours = import_module("darnerpy").Queue
    number = 256
    data = bytes(range(256)) * (LARGE // 256)
    queue: Any = ours(path, engine="arena", sync="never")
    for _ in range(number):
        queue.put(data)
    queue.close()
    queue = ours(path, engine="arena", sync="never")
    watch = Watch()

    def read() -> None:
        for _ in range(number):
            with queue.reserve(zero_copy=True) as item:
                assert len(item.data) == LARGE

    watch.time(read)
    queue.close()
    return {
        "bytes_per_s": number * LARGE / watch.wall,
        "cpu_bytes_per_s": number * LARGE / watch.cpu,
    }


def _opening(path: str, number: int) -> dict[str, float]:
    """A queue with a backlog is opened, looked at, and drained; its disk."""
    ours = import_module("darnerpy").Queue
    queue: Any = ours(path, engine="arena", sync="never")
    for start in range(0, number, 10_000):
        queue.put_many([_item(start + each) for each in range(min(10_000, number - start))])
    queue.close()
    watch = Watch()
    queue = watch.time(lambda: ours(path, engine="arena", sync="never"))
    assert queue.peek().data == _item(0)
    first = watch.wall
    assert len(queue) == number
    used = _disk(path)
    taken = 0
    while taken < number:
        taken += len(queue.get_many(10_000))
    begin = time.perf_counter()
    while _disk(path) > 1 << 20 and time.perf_counter() - begin < 60:
        time.sleep(0.02)
    given_back = time.perf_counter() - begin
    left = _disk(path)
    queue.close()
    return {
        "open_ms": first * 1e3,
        "disk_bytes": float(used),
        "given_back_s": given_back,
        "left_bytes": float(left),
        "most_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,
    }


def _disk(path: str) -> int:
    total = 0
    for each in Path(path).rglob("*"):
        try:
            total += each.stat().st_blocks * 512 if each.is_file() else 0
        except FileNotFoundError:
            continue
    return total


KINDS = ("unsynced", "synced", "batches", "synced batches", "zero copy", "opening")


def main() -> int:
    name, kind, path, amount = sys.argv[1:5]
    library = (OURS | PEERS)[name]
    synced = kind.startswith("synced")
    figures: dict[str, float] = {}
    if kind == "zero copy":
        figures = _zero_copy(path)
    elif kind == "opening":
        figures = _opening(path, int(float(amount)))
    elif synced in library.policies:
        run = _in_batches if kind.endswith("batches") else _singly
        figures = run(partial(library.open, path, synced), float(amount))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
