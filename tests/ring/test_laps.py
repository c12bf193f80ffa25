"""Two and more processes over many laps: no message is torn, out of order or uncounted."""

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from darnerpy.errors import ClosedError, Lagged
from darnerpy.ring import Ring
from tests.ring.others import Process, message, number_of

READS = """
import json, sys, time
from darnerpy import ClosedError, Empty, Lagged, Ring
from tests.ring.others import number_of
path, start, many, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
with Ring.open(path, start) as ring:
    print("ready", flush=True)
    read = lagged = told = 0
    while True:
        try:
            messages = ring.read_many(many) if many else [ring.read()]
        except Lagged as lag:
            lagged += 1
            told += lag.missed
            assert lag.missed > 0 and told == ring.missed
            continue
        except ClosedError:
            break
        read += len(messages)
        end = ring.sequence
        assert list(map(number_of, messages)) == list(range(end - len(messages), end))
        assert read + ring.missed == end - start
        if pause:
            time.sleep(pause)
print(json.dumps([read, ring.missed, lagged, ring.sequence]))
"""

PUBLISHES = """
import random, sys, time
from darnerpy import Ring
from tests.ring.others import message
path, size, count, least, most = sys.argv[1], *map(int, sys.argv[2:])
chance = random.Random(count)
with Ring.create(path, size) as ring:
    print("ready", flush=True)
    sys.stdin.readline()
    number = 0
    while number < count:
        many = min(chance.choice([1, 1, 1, 2, 10, 100]), count - number)
        messages = [message(number + each, chance.randint(least, most)) for each in range(many)]
        if many == 1:
            assert ring.publish(messages[0]) == number
        else:
            assert ring.publish_many(messages) == range(number, number + many)
        number += many
print(ring.sequence)
"""


def start_readers(
    processes: ExitStack, path: Path, kinds: list[tuple[int, int, float]]
) -> list[Process]:
    """Each with a start, how many it reads at once, and how long it pauses after that."""
    readers = [processes.enter_context(Process(READS, path, *kind)) for kind in kinds]
    for reader in readers:
        assert reader.line() == "ready"
    return readers


@pytest.mark.parametrize(
    ("size", "count", "least", "most"),
    [
        (4096, 30_000, 24, 64),
        (4099, 20_000, 24, 2049),
        (65536, 30_000, 64, 64),
        (1 << 20, 400, 24, 1 << 19),
    ],
)
def test_messages_over_many_laps_are_whole_in_order_and_counted(
    path: Path, size: int, count: int, least: int, most: int
) -> None:
    """A fast reader, one by one and in batches, and a slow one, which is lapped all the time."""
    with ExitStack() as processes:
        publisher = processes.enter_context(Process(PUBLISHES, path, size, count, least, most))
        publisher.line()
        readers = start_readers(processes, path, [(0, 0, 0), (0, 1000, 0), (0, 50, 0.0005)])
        publisher.tell("go")
        results = [json.loads(reader.result()) for reader in readers]
        assert publisher.result() == str(count)
    for read, missed, _, sequence in results:
        assert read + missed == sequence == count
        assert read
    _, missed, lagged, _ = results[2]
    assert missed
    assert lagged


def test_a_reader_that_was_stopped_for_laps_goes_on_with_what_is_there(path: Path) -> None:
    with Ring.create(path, "64KiB") as writer, Process(READS, path, 0, 100, 0) as reader:
        assert reader.line() == "ready"
        number = 0
        for _ in range(10):
            for _ in range(20):
                writer.publish_many(message(number + each, 50) for each in range(20))
                number += 20
            reader.signal(signal.SIGSTOP)
            for _ in range(2000):
                writer.publish(message(number, 50))
                number += 1
            reader.signal(signal.SIGCONT)
        writer.close()
        read, missed, lagged, sequence = json.loads(reader.result())
    assert read + missed == sequence == number
    assert missed
    assert lagged


def test_close_is_seen_by_processes_wherever_they_stand(path: Path) -> None:
    starts = (0, 500, 990, 999, 1000)
    with Ring.create(path, 8192) as writer, ExitStack() as processes:
        for number in range(1000):
            writer.publish(message(number, 30))
        readers = start_readers(processes, path, [(start, 10, 0) for start in starts])
        writer.close()
        for start, reader in zip(starts, readers, strict=True):
            read, missed, _, sequence = json.loads(reader.result())
            assert sequence == 1000
            assert read + missed == 1000 - start


def test_a_reader_that_waits_sleeps(path: Path) -> None:
    with Ring.create(path, 4096) as writer, Process(READS, path, 0, 0, 0) as reader:
        assert reader.line() == "ready"
        writer.publish(message(0, 24))
        before = slept(reader.pid)
        while slept(reader.pid) < before + 100:  # one that looks without a pause never does
            time.sleep(0.01)
        writer.close()
        assert json.loads(reader.result()) == [1, 0, 0, 1]


def slept(pid: int) -> int:
    """How often a process has given up its processor by itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_a_message_is_read_by_every_reader_of_many(path: Path) -> None:
    with Ring.create(path, "1MiB") as writer, ExitStack() as processes:
        readers = start_readers(processes, path, [(0, 0, 0)] * 5)
        for number in range(0, 2000, 20):
            writer.publish_many(message(number + each, 40) for each in range(20))
        writer.close()
        for reader in readers:
            assert json.loads(reader.result()) == [2000, 0, 0, 2000]


def test_sums_hold_while_the_reader_is_lapped_in_this_process_too(path: Path) -> None:
    """No process in between: every lap comes at a place that is known."""
    with Ring.create(path, 4096) as writer:
        for step in range(1, 400, 13):
            with Ring.open(path) as reader:
                first = reader.sequence
                for read in range(1, 21):
                    for _ in range(step):
                        writer.publish(message(writer.sequence, 24 + step % 50))
                    try:
                        found = number_of(reader.read(timeout=0))
                    except Lagged:
                        found = number_of(reader.read(timeout=0))
                    assert found == reader.sequence - 1
                    assert read + reader.missed == reader.sequence - first
    with Ring.open(path) as reader, pytest.raises(ClosedError):
        reader.read()
