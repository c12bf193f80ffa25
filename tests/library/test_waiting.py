"""Who waits for an item: served in turn, told when it is over, and nothing is lost by giving up."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from darnerpy import aio
from tests.library.fronts import OpenQueue
from tests.servers import wait_until


class Caller:
    """A call in a thread of its own."""

    def __init__(self, call: Any, *args: Any, **named: Any) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call, args, named), daemon=True)
        self._thread.start()

    def _run(self, call: Any, args: Any, named: Any) -> None:
        try:
            self.result = call(*args, **named)
        except BaseException as error:
            self.error = error

    def join(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive(), "it still waits"
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[darnerpy.Queue]:
    with darnerpy.Queue(tmp_path / "data", engine="memory") as queue:
        yield queue


def wait_for(q: darnerpy.Queue, number: int) -> bool:
    return waiters(q) == number


def waiters(q: darnerpy.Queue) -> int:
    found = q.stats()["waiters"]
    assert isinstance(found, int)
    return found


# -- both fronts -----------------------------------------------------------------------------------


def test_nothing_comes_in_time(q: darnerpy.Queue) -> None:
    for wait in (
        lambda: q.get(timeout=0.02),
        lambda: q.get_many(3, timeout=0.02),
        lambda: q.reserve(timeout=0.02),
        lambda: q.get(timeout=0),
    ):
        with pytest.raises(darnerpy.Empty, match="nothing to read in the queue 'default'"):
            wait()
    assert waiters(q) == 0


def test_what_is_on_disk_is_never_missed(open_on_disk: OpenQueue) -> None:
    """With a window of one item nearly every read has to wait for the disk."""
    q = open_on_disk(window_memory=1)
    q.put_many([b"%d" % n for n in range(300)])
    found = [q.get(block=False) for _ in range(100)]
    for _ in range(100):
        with q.reserve(block=False) as item:
            found.append(bytes(item.data))
    peeked = q.peek()
    assert peeked is not None
    assert peeked.data == b"200"
    found += q.get_many(100, block=False)
    assert found == [b"%d" % n for n in range(300)]
    with pytest.raises(darnerpy.Empty):
        q.get(block=False)


# -- threads ---------------------------------------------------------------------------------------


def test_threads_are_served_in_turn(shared: darnerpy.Queue) -> None:
    callers = []
    for number in range(10):
        callers.append(Caller(shared.get))
        wait_until(partial(wait_for, shared, number + 1))
    with pytest.raises(darnerpy.Empty):
        shared.get(block=False)
    for number in range(10):
        shared.put(b"%d" % number)
    assert [caller.join() for caller in callers] == [b"%d" % number for number in range(10)]


def test_a_newcomer_does_not_overtake(shared: darnerpy.Queue) -> None:
    first = Caller(shared.get)
    wait_until(lambda: waiters(shared) == 1)
    second = Caller(shared.get_many, 5)
    wait_until(lambda: waiters(shared) == 2)
    third = Caller(shared.reserve)
    wait_until(lambda: waiters(shared) == 3)
    shared.put_many([b"a", b"b", b"c", b"d"])
    assert first.join() == b"a"
    item = third.join()
    assert item.data == b"c"
    item.confirm()
    assert second.join()[0] == b"b"


def test_an_item_that_comes_back_goes_to_who_waits(shared: darnerpy.Queue) -> None:
    shared.put(b"a")
    item = shared.reserve()
    caller = Caller(shared.reserve)
    wait_until(lambda: waiters(shared) == 1)
    item.abort()
    again = caller.join()
    assert (again.data, again.attempts) == (b"a", 1)
    again.confirm()


def test_closing_ends_the_wait(shared: darnerpy.Queue) -> None:
    audit = shared.consumer("audit")
    callers = [
        Caller(shared.get),
        Caller(shared.reserve),
        Caller(shared.get_many, 5),
        Caller(audit.get),
    ]
    looped = Caller(list, shared)
    wait_until(lambda: waiters(shared) == 4 and audit.stats()["waiters"] == 1)
    shared.close()
    for caller in callers:
        with pytest.raises(darnerpy.ClosedError, match="'default"):
            caller.join()
    assert looped.join() == []


def test_deleting_and_dropping_end_the_wait(shared: darnerpy.Queue) -> None:
    audit = shared.consumer("audit")
    other = darnerpy.Queue(shared.path, engine="memory")
    readers = [Caller(reader.get) for reader in (shared, other)]
    waits = Caller(audit.get)
    wait_until(lambda: waiters(shared) == 2 and audit.stats()["waiters"] == 1)
    audit.drop()
    with pytest.raises(darnerpy.ClosedError):
        waits.join()
    shared.delete()
    for caller in readers:
        with pytest.raises(darnerpy.ClosedError):
            caller.join()
    assert other.closed
    other.close()


# -- tasks -----------------------------------------------------------------------------------------


async def until(reached: Any) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def waiting(q: aio.Queue) -> int:
    found = (await q.stats())["waiters"]
    assert isinstance(found, int)
    return found


async def many_wait(q: aio.Queue, number: int) -> list[asyncio.Task[bytes]]:
    tasks = []
    for so_many in range(number):
        tasks.append(asyncio.create_task(q.get()))
        while await waiting(q) <= so_many:
            await asyncio.sleep(0.001)
    return tasks


def test_tasks_are_served_in_turn(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine="memory") as q:
            tasks = await many_wait(q, 5)
            await q.put_many([b"%d" % n for n in range(5)])
            assert await asyncio.gather(*tasks) == [b"%d" % n for n in range(5)]

    asyncio.run(main())


@pytest.mark.parametrize("engine", ["memory", "leveldb"])
def test_a_cancelled_get_leaves_the_item_in_its_place(tmp_path: Path, engine: str) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine=engine, sync="never") as q:
            await q.put(b"so that the journal is open")
            await q.get()
            (task,) = await many_wait(q, 1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert await waiting(q) == 0
            # And where it is on its way: it was delivered, but the task has not run since.
            for _ in range(20):
                tasks = await many_wait(q, 2)
                await q.put_many([b"first", b"second"])
                assert not tasks[0].done()
                tasks[0].cancel()
                with pytest.raises(asyncio.CancelledError):
                    await tasks[0]
                assert await tasks[1] in (b"first", b"second")
                async with q.reserve(timeout=20) as item:
                    assert item.attempts == 0
                assert len(q) == 0

    asyncio.run(main())


def test_a_cancelled_reserve_returns_the_item(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine="memory", sync="never") as q:
            await q.put(b"so that the journal is open")
            await q.get()
            for _ in range(20):
                task = asyncio.create_task(q.reserve().__aenter__())
                while not await waiting(q):
                    await asyncio.sleep(0.001)
                await q.put(b"x")
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                async with q.reserve(timeout=20) as item:
                    assert item.attempts == 0

    asyncio.run(main())


@pytest.mark.parametrize("engine", ["memory", "leveldb"])
def test_a_get_is_cancelled_wherever_it_stands(tmp_path: Path, engine: str) -> None:
    """With a synced put under way a get has to wait for its own commit: that, too, can be cancelled."""

    async def main() -> None:
        async with aio.Queue(tmp_path, engine=engine, sync="always") as q:
            total = 60
            await q.put_many([b"%d" % n for n in range(total)])
            got: list[bytes] = []
            cancelled = 0
            stop = False

            async def churn() -> None:
                while not stop:
                    await q.put(b"more")

            churning = [asyncio.create_task(churn()) for _ in range(3)]
            for turns in range(total):
                task = asyncio.create_task(q.get())
                for _ in range(turns % 6):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got.append(await task)
                except asyncio.CancelledError:
                    cancelled += 1
            stop = True
            await asyncio.gather(*churning)
            while True:
                try:
                    async with q.reserve(timeout=0.5) as item:
                        assert item.attempts == 0
                        got.append(bytes(item.data))
                except darnerpy.Empty:
                    break
            ours = sorted(int(item) for item in got if item != b"more")
            assert ours == list(range(total))
            assert cancelled > 0

    asyncio.run(main())


def test_wait_for_and_timeout_work(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine="memory") as q:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(q.get(), 0.02)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await q.reserve()
            await q.put(b"x")
            assert await asyncio.wait_for(q.get(), 20) == b"x"

    asyncio.run(main())


def test_the_loop_is_never_blocked(tmp_path: Path) -> None:
    """While items are written and synced, which goes on until another task of the loop has run."""

    async def main() -> None:
        async with aio.Queue(tmp_path, sync="always") as q:
            await q.put(b"so that the journal is open")
            journal = q._desk.directory.broker.queues[b"default"].journal
            assert journal is not None
            begun, go_on = threading.Event(), threading.Event()
            write = journal.write

            def slow_write(*args: Any) -> None:
                begun.set()
                assert go_on.wait(20)
                write(*args)

            journal.write = slow_write  # type: ignore[method-assign, assignment]
            puts = [asyncio.create_task(q.put(b"x" * 1000)) for _ in range(50)]
            puts.append(asyncio.create_task(q.put(bytes(2_000_000))))
            await until(begun.is_set)
            go_on.set()
            assert sorted(await asyncio.gather(*puts)) == list(range(2, 53))

    asyncio.run(main())


def test_leaving_an_asynchronous_loop_is_prompt_with_aclosing(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine="memory") as q:
            await q.put_many([b"a", b"b"])
            async with contextlib.aclosing(aiter(q)) as items:
                async for item in items:
                    assert item.data == b"a"
                    break
            assert len(q) == 2
            async for item in q:
                if item.data == b"b":
                    await item.confirm()
                    break
            assert len(q) == 0

    asyncio.run(main())


# -- several loops, and both fronts ----------------------------------------------------------------


def test_loops_and_threads_share_a_queue(tmp_path: Path) -> None:
    """Four loops and four threads put and get; every item arrives once."""
    each, parties = 100, 4
    got: list[bytes] = []

    async def in_loop(party: int) -> None:
        async with aio.Queue(tmp_path, engine="memory") as q:

            async def put() -> None:
                for number in range(each):
                    await q.put(b"loop %d %d" % (party, number))

            async def get() -> None:
                got.extend([await q.get(timeout=20) for _ in range(each)])

            await asyncio.gather(put(), get())

    def in_thread(party: int) -> None:
        with darnerpy.Queue(tmp_path, engine="memory") as q:
            for number in range(each):
                q.put(b"thread %d %d" % (party, number))
                got.append(q.get(timeout=20))

    with darnerpy.Queue(tmp_path, engine="memory") as keeper:
        callers = [Caller(asyncio.run, in_loop(party)) for party in range(parties)]
        callers += [Caller(in_thread, party) for party in range(parties)]
        for caller in callers:
            caller.join()
        assert keeper.empty()
    expected = {
        b"%b %d %d" % (kind, p, n)
        for kind in (b"loop", b"thread")
        for p in range(parties)
        for n in range(each)
    }
    assert len(got) == len(expected)
    assert set(got) == expected


def test_an_item_for_a_loop_that_is_closed_goes_to_others(shared: darnerpy.Queue) -> None:
    """A task whose loop was torn down while it waited stands in nobody's way."""
    loop = asyncio.new_event_loop()
    queue = loop.run_until_complete(aio.Queue.open(shared.path, engine="memory"))
    task = loop.create_task(queue.get())
    loop.run_until_complete(until(lambda: waiters(shared) == 1))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    caller = Caller(shared.get)
    wait_until(lambda: waiters(shared) == 2)
    shared.put(b"x")
    assert caller.join() == b"x"
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    queue._opened.close()  # type: ignore[union-attr]
