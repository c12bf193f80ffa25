"""The machine dies, not only the process: what was synced is on the disk, the rest may be gone."""

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.leveldb.remains import strays
from darnerpy.journals.records import block_key
from tests.crash import power
from tests.crash.disks import Disk, stopped
from tests.crash.load import Ledger, Load, drain, verify
from tests.servers import ServerProcess, wait_until

pytestmark = pytest.mark.timeout(
    600
)  # what a fast machine puts in a second, a slow one reads for long


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.unmount()


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("sync", ["always", "20ms", "never"])
def test_a_power_cut_under_load(disk: Disk, sync: str, engine: str) -> None:
    chance = random.Random(sync)
    server = ServerProcess(disk.mounted, sync=sync, min_free_disk="off", engine=engine)
    try:
        server.start()
        load = Load(
            server.address, 1, "life", largest=power.largest(sync), patience=power.PATIENCE_S
        )
        load.start()
        time.sleep(0.7)
        load.wait_for(acknowledged=21)
        first = power.cut(disk, server, load, sync, chance)
        time.sleep(power.LATE_S + 0.2)  # so that something is older than an interval
        load.wait_for(first.acknowledged + 1)
        second = power.cut(disk, server, load, sync, chance)
    finally:
        server.kill()
    load.join()
    assert 20 < first.acknowledged < second.acknowledged
    assert first.wrong == second.wrong == []


def test_a_power_cut_costs_no_more_operations_than_may_be_unsynced(disk: Disk) -> None:
    server = ServerProcess(disk.mounted, sync_ops="50", min_free_disk="off")
    items = [b"%d" % n for n in range(1234)]
    try:
        server.start()
        with server.connect() as wire:
            for item in items:
                wire.put("q", item)
            with stopped(server):
                image = disk.cut()
        server.kill()
        with disk.after(image) as path:
            server = ServerProcess(path, min_free_disk="off")
            server.start()
            left = drain(server.address)["q"]
            server.kill()
    finally:
        server.kill()
    assert left == items[: len(left)]
    assert len(items) - 50 < len(left)


def test_what_lies_behind_a_gap_is_kept_and_reported(disk: Disk) -> None:
    """Unsynced, the kernel may write the newer of LevelDB's two logs, and not the older."""
    for _ in range(5):
        if _cut_and_look(disk):
            return
        shutil.rmtree(disk.mounted / "data")
    pytest.fail("no cut has left a gap")


def _cut_and_look(disk: Disk) -> bool:
    """False if there was no gap: the older log was in a table already when the power went."""
    server = ServerProcess(disk.mounted, sync="never", min_free_disk="off")
    try:
        server.start()
        with_gap = None
        stop = threading.Event()
        sent = _put_until(server, stop)
        home = server.data / "queues" / "q" / "leveldb"
        wait_until(lambda: len(list(home.glob("*.log"))) > 0)
        deadline = time.monotonic() + 20
        while with_gap is None and time.monotonic() < deadline:
            if len(list(home.glob("*.log"))) < 2:
                continue
            with stopped(server):
                logs = sorted(home.glob("*.log"))
                if len(logs) < 2 or not logs[-1].stat().st_size:
                    continue
                handle = os.open(logs[-1], os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)
                with_gap = disk.cut()
        stop.set()
    finally:
        server.kill()
    assert with_gap is not None, "there were never two logs at once"
    with disk.after(with_gap) as path:
        for table in strays(path / "data" / "queues" / "q" / "leveldb"):
            table.unlink()  # nor the table that the older log was being written to: it would heal the gap
        server = ServerProcess(path, sync="never", min_free_disk="off")
        try:
            for life in range(2):
                server.start()
                left = drain(server.address).get("q", [])
                numbers = [int(data.split(b":")[0]) for data in left]
                with server.connect() as wire:
                    wire.put("q", b"%d:goes on" % life)
                    assert wire.get("q") == b"%d:goes on" % life
                    stats = wire.stats("q")
                if not life:
                    assert numbers == list(range(1, len(numbers) + 1))
                    if len(numbers) == sent[0]:
                        return False
                    assert len(numbers) < sent[0]
                    # LevelDB may have been writing a table: then it looks like damage, and costs no more.
                    reported = server.wait_for_log("items are missing|lost to damage")
                    assert " queue=q " in reported, reported
                    gap, lost = len(numbers) + 1, int(stats["damaged_items"])
                    behind = gap + lost, gap + lost + int(stats["kept"])
                    assert f"items {gap} to " in reported, reported
                else:
                    assert numbers == []
                    assert int(stats["damaged_items"]) in (lost, 0)  # 0 once that is trimmed
                server.kill()
        finally:
            server.kill()
        database = plyvel.DB(os.fspath(path / "data" / "queues" / "q" / "leveldb"))
        with database.iterator(include_value=False) as keys:
            kept = [key for key in keys if block_key(behind[0]) <= key < block_key(behind[1])]
        database.close()
    assert kept, "what lies behind the gap is gone"
    return True


def _put_until(server: ServerProcess, stop: threading.Event) -> list[int]:
    """Put numbered items as fast as it goes, in a thread; the list has how many."""
    sent = [0]

    def put() -> None:
        try:
            with server.connect() as wire:
                while not stop.is_set():
                    sent[0] += 1
                    wire.put("q", b"%d:" % sent[0] + os.urandom(20_000))
        except (AssertionError, ConnectionError):
            pass

    threading.Thread(target=put, daemon=True).start()
    return sent


def test_a_copy_taken_while_running_serves_what_was_acknowledged(tmp_path: Path) -> None:
    """Nothing is held back in the process: a directory copied from a stopped one has it all."""
    server = ServerProcess(tmp_path / "first", sync="never")
    try:
        server.start()
        load = Load(server.address, 1, "life")
        load.start()
        copies: list[tuple[Path, Ledger]] = []
        for number in range(2):
            time.sleep(0.3)
            with stopped(server):
                ledger = Ledger(load.books)
                copies.append((tmp_path / f"copy-{number}", ledger))
                shutil.copytree(server.data, copies[-1][0] / "data")
    finally:
        server.kill()
    load.join()
    for path, ledger in copies:
        with ServerProcess(path) as again:
            assert verify(ledger, drain(again.address)) == []
