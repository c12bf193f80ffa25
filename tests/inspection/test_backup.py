"""Backups of a running broker: consistent, whole or not there, and a server starts from them."""

import asyncio
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.errors import ServerError
from darnerpy.queues.batches import PAUSED_GETS
from tests.brokers.house import House, until
from tests.fixtures.make import LATER
from tests.inspection.queues import LARGE, contents, make, paused
from tests.servers import ServerProcess


async def back_up(house: House, name: str, *queues: bytes) -> None:
    """Raises what the backup was refused with."""
    done: asyncio.Future[ServerError | None] = asyncio.get_running_loop().create_future()
    house.broker.back_up(queues or None, name, done.set_result)
    error = await asyncio.wait_for(done, 20)
    if error is not None:
        raise error


@pytest.mark.usefixtures("every_engine")
def test_a_backup_has_all_that_was_there_and_nothing_later(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data") as house:
            await house.put(b"work", *(b"item %d" % n for n in range(100)))
            await house.put_large(b"work", b"x" * LARGE)
            await house.put(b"Other", b"alone")
            assert await house.take(b"work") == b"item 0"
            held = await house.open(b"work")
            await back_up(house, "first")
            await house.close(b"work", held)
            await house.drain(b"work")
            await house.put(b"work", b"later")
            await back_up(house, "second", b"work")

    asyncio.run(run())
    backups = tmp_path / "data/backups"
    assert sorted(path.name for path in backups.iterdir()) == ["first", "second"]
    assert main(["check", str(backups / "first")]) == 0
    with ServerProcess(tmp_path / "restored") as server:
        server.stop()
        shutil.rmtree(server.data)
        shutil.copytree(backups / "first", server.data)
        server.start()
        with server.connect() as wire:
            items = [wire.get("work") for _ in range(100)]
            assert items == [*(b"item %d" % n for n in range(1, 100)), b"x" * LARGE]
            assert wire.get("work") is None
            assert wire.get("Other") == b"alone"
    assert [each.data for each in contents(backups / "second")] == [b"later"]
    assert not (backups / "second/queues/%4Fther").exists()


@pytest.mark.usefixtures("every_engine")
def test_a_backup_under_load_is_a_beginning_of_what_was_put(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data") as house:
            await house.put(b"work", *(b"%d" % n for n in range(20_000)))
            finished = asyncio.ensure_future(back_up(house, "busy"))
            number, taken = 20_000, 0
            while not finished.done():
                await house.put(b"work", *(b"%d" % n for n in range(number, number + 10)))
                number += 10
                assert await house.take(b"work") == b"%d" % taken
                taken += 1
            await finished

    asyncio.run(run())
    numbers = [int(each.data) for each in contents(tmp_path / "data/backups/busy")]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] >= 19_999


@pytest.mark.usefixtures("every_engine")
def test_closed_journals_and_large_items_that_are_trimmed(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data", max_open_journals=2) as house:
            for n in range(6):
                await house.put(b"q%d" % n, b"%d" % n)
                await house.put_large(b"q%d" % n, b"%d" % n * LARGE)
            await until(lambda: house.broker.open_journals <= 2)
            finished = asyncio.ensure_future(back_up(house, "all"))
            for n in range(6):
                await house.drain(b"q%d" % n)
            await finished

    asyncio.run(run())
    assert main(["check", str(tmp_path / "data/backups/all")]) == 0


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a b", "x" * 101, "ä"])
def test_names_that_are_refused(name: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data") as house:
            with pytest.raises(ServerError, match="a backup's name, 1 to 100 of"):
                await back_up(house, name)

    asyncio.run(run())


@pytest.mark.usefixtures("every_engine")
def test_refusals_leave_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data") as house:
            await house.put(b"work", b"1")
            await back_up(house, "one")
            with pytest.raises(ServerError, match="there is a backup one already"):
                await back_up(house, "one")
            with pytest.raises(ServerError, match="not on disk: nosuch"):
                await back_up(house, "two", b"work", b"nosuch")
            two = [asyncio.ensure_future(back_up(house, "two")) for _ in range(2)]
            outcomes = await asyncio.gather(*two, return_exceptions=True)
            assert sorted(map(type, outcomes), key=str) == [type(None), ServerError]
            house.faults.broken.add("copy")
            with pytest.raises(ServerError, match="queue work: copy is broken"):
                await back_up(house, "three")
            house.faults.broken.clear()
            await house.put(b"work", b"2")  # an error of the copy is none of the journal
            assert await house.drain(b"work") == [b"1", b"2"]

    asyncio.run(run())
    names = sorted(path.name for path in (tmp_path / "data/backups").iterdir())
    assert names == ["one", "two"]


def test_an_empty_backup_is_a_data_directory(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path / "data") as house:
            await house.put(b"work", b"1")
            await house.delete(b"work")
            await back_up(house, "empty")

    asyncio.run(run())
    assert main(["check", str(tmp_path / "data/backups/empty")]) == 0


_ENDLESS = """
import asyncio, sys
from pathlib import Path
from tests.brokers.house import House

async def run():
    async with House(Path(sys.argv[1])) as house:
        await house.put(b"work", *([b"x" * 1000] * 20_000))
        house.broker.back_up(None, "whole", lambda error: None)
        while not (house.data.backups / ".whole/queues/work/leveldb/CURRENT").exists():
            await asyncio.sleep(0.001)
        print("begun", flush=True)
        await asyncio.sleep(60)

asyncio.run(run())
"""


def test_a_process_that_is_killed_leaves_no_half_backup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-c", _ENDLESS, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
    assert [path.name for path in (data / "backups").iterdir()] == [".whole"]
    with closing(DataDir(data)):
        assert not list((data / "backups").iterdir())
    assert len(contents(data)) == 20_000


def test_half_backups_go_at_the_next_start(tmp_path: Path) -> None:
    half = tmp_path / "data/backups/.half/queues"
    half.mkdir(parents=True)
    with closing(DataDir(tmp_path / "data")):
        assert not half.parent.exists()


def test_what_an_item_waits_for_and_who_holds_it_are_in_a_backup(tmp_path: Path) -> None:
    """And in the queue itself, whose server has written everyone's place anew meanwhile."""
    data = tmp_path / "data"
    items = [
        each._replace(
            leases={n: lease._replace(deadline=2**50) for n, lease in each.leases.items()}
        )
        for each in LATER
    ]
    make(data, b"work", [b"audit"], items, paused=PAUSED_GETS)
    before = contents(data)
    assert any(each.leases for each in before)

    async def run() -> None:
        async with House(data) as house:
            await house.usable(b"work")
            await back_up(house, "first")
            house.queue(b"work").want_full_mark()
            await until(lambda: house.broker.idle)
            await back_up(house, "second")

    asyncio.run(run())
    for place in (data / "backups/first", data / "backups/second", data):
        assert contents(place) == before
        assert paused(place) == PAUSED_GETS
        assert main(["check", str(place)]) == 0
