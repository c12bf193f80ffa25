"""The server is killed while items go to dead letters and expiry queues: each is in one of the two."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.load import drain
from tests.servers import ServerProcess, Wire, wait_until

QUEUES = (b"work", b"brief")
TOML = """
[queues.work]
max_attempts = 1
dead_letter = "failed"
[queues.brief]
expire_to = "late"
"""


def produce(wire: Wire, stop: threading.Event, acked: list[bytes], chance: random.Random) -> None:
    try:
        while not stop.is_set():
            data = b"%d:" % len(acked) + b"x" * chance.choice((0, 100, 300_000))
            # Each life uses both, whenever it ends.
            queue = QUEUES[len(acked)] if len(acked) < len(QUEUES) else chance.choice(QUEUES)
            exptime = -1 if queue == b"brief" else 0
            line = b"set %b 0 %d %d\r\n%b\r\n" % (queue, exptime, len(data), data)
            if wire.ask(line) == b"STORED\r\n":
                acked.append(data)
            if chance.random() < 0.7 and wire.ask(b"get work/open\r\n").startswith(b"VALUE"):
                wire.ask(b"get work/abort\r\n")
    except (AssertionError, ConnectionError):
        pass  # the server is gone


@pytest.mark.parametrize("seed", range(4))
def test_what_moves_is_never_nowhere(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    sync = ("always", "never")[seed % 2]
    server = ServerProcess(tmp_path, toml=TOML, sync=sync)
    lists: list[list[bytes]] = []
    for _ in range(3):
        server.start()
        stop = threading.Event()
        acked: list[bytes] = []
        lists.append(acked)
        with server.connect() as wire:
            thread = threading.Thread(target=produce, args=(wire, stop, acked, chance))
            thread.start()
            wait_until(lambda acked=acked: len(acked) >= len(QUEUES))  # type: ignore[misc]
            time.sleep(chance.uniform(0.05, 0.4))
            server.kill()
            stop.set()
            thread.join()
    server.start()
    with server.connect() as wire:
        # What has expired leaves by itself, what is dead as well.
        wire.wait_until("brief", items=0)
    left = drain(server.address)
    assert not server.complaints()
    server.stop()
    found = Counter(data for queue in ("work", "failed", "late") for data in left.get(queue, []))
    expected = Counter(data for acked in lists for data in acked)
    assert not expected - found
