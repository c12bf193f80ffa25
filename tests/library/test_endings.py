"""How it ends: closed once or twice, deleted, forgotten, or with the program; what was acknowledged stays."""

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import darnerpy
from darnerpy import aio
from tests.library.fronts import OpenQueue
from tests.library.programs import run
from tests.servers import wait_until

EVERY_CALL: list[Callable[[darnerpy.Queue], object]] = [
    lambda q: q.put(b"x"),
    lambda q: q.put(bytes(300_000)),
    lambda q: q.put_nowait(b"x"),
    lambda q: q.put_many([b"x"]),
    lambda q: q.put_many([]),
    lambda q: q.get(),
    lambda q: q.get_nowait(),
    lambda q: q.get(timeout=5),
    lambda q: q.get_many(5),
    lambda q: q.reserve(),
    lambda q: q.peek(),
    lambda q: q.peek(5),
    len,
    lambda q: q.qsize(),
    lambda q: q.empty(),
    lambda q: q.full(),
    lambda q: q.bytes,
    lambda q: q.stats(),
    lambda q: q.consumer("c"),
    lambda q: q.consumers(),
    lambda q: q.flush(),
    lambda q: q.sync(),
    lambda q: q.delete(),
]


def test_a_closed_queue_says_so(q: darnerpy.Queue) -> None:
    q.put(b"x")
    q.close()
    for call in EVERY_CALL:
        with pytest.raises(darnerpy.ClosedError, match="queue 'default' is closed"):
            call(q)
    assert [item.data for item in q] == []
    assert q.closed
    q.close()


def test_a_closed_queue_cannot_be_entered(tmp_path: Path) -> None:
    q = darnerpy.Queue(tmp_path, engine="memory")
    q.close()
    with pytest.raises(darnerpy.ClosedError):
        q.__enter__()


def test_what_was_put_is_there_again(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    q.put_many([b"%d" % n for n in range(5)])
    q.put(bytes(500_000))
    q.get()
    with q.reserve():
        pass
    q.close()
    q = open_on_disk()
    assert (len(q), q.put(b"new")) == (4, 7)
    assert q.get_many(9) == [b"2", b"3", b"4", bytes(500_000), b"new"]


def test_many_times_over(open_on_disk: OpenQueue) -> None:
    for turn in range(10):
        q = open_on_disk()
        assert len(q) == turn
        q.put_many([b"a", b"b"])
        q.get()
        q.close()


def test_deleting_removes_it_from_disk(tmp_path: Path, open_on_disk: OpenQueue) -> None:
    q, same, other = open_on_disk("doomed"), open_on_disk("doomed"), open_on_disk("other")
    q.put(b"x")
    other.put(b"y")
    held = same.reserve()
    audit = same.consumer("audit")
    q.delete()
    assert not (tmp_path / "data/queues/doomed").exists()
    for closed in (q, same, audit):
        assert closed.closed
        with pytest.raises(darnerpy.ClosedError, match="doomed"):
            closed.get()
    with pytest.raises(darnerpy.NotHeldError):
        held.confirm()
    assert other.get() == b"y"
    new = open_on_disk("doomed")
    assert (len(new), new.put(b"z"), new.consumers()) == (0, 1, [])


def test_deleting_what_was_never_there(q: darnerpy.Queue) -> None:
    q.delete()
    assert q.closed


def test_it_is_closed_from_another_thread(tmp_path: Path, engine: str) -> None:
    with darnerpy.Queue(tmp_path, engine=engine, sync="never") as q:
        q.put(b"x")
        thread = threading.Thread(target=q.close)
        thread.start()
        thread.join(20)
        assert q.closed


def test_synced_means_on_disk(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    q.sync()  # nothing is there yet
    q.put(b"x")
    journal = q._desk.directory.broker.queues[b"default"].journal
    assert journal is not None
    synced, sync = [], journal.sync

    def noticed() -> None:
        sync()
        synced.append(len(q))

    journal.sync = noticed  # type: ignore[method-assign]
    q.sync()
    assert synced == [1]
    q.get()
    q.sync()
    assert synced == [1, 0]


# -- forgotten -------------------------------------------------------------------------------------


def test_a_forgotten_queue_warns_and_lets_go(tmp_path: Path) -> None:
    q = darnerpy.Queue(tmp_path, sync="never")
    q.put(b"x")
    held = q.reserve()
    with pytest.warns(ResourceWarning, match=r"unclosed <darnerpy.Queue 'default'"):
        del held, q
    told = run("print(darnerpy.Queue(path).get_nowait())", tmp_path)
    assert told.stdout == "b'x'\n", told.stderr


def test_a_forgotten_directory_warns_once(tmp_path: Path) -> None:
    queues = darnerpy.open(tmp_path, engine="memory")
    queues["a"].put(b"x")
    queues["b"].put(b"x")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del queues
        gc.collect()
    assert [str(each.message).split(" in ")[0] for each in caught] == ["unclosed <darnerpy.Queues"]


def test_a_forgotten_asyncio_queue_warns(tmp_path: Path) -> None:
    async def main() -> None:
        q = await aio.Queue.open(tmp_path, sync="never")
        await q.put(b"x")

    with pytest.warns(ResourceWarning, match=r"unclosed <darnerpy.aio.Queue"):
        asyncio.run(main())
    wait_until(lambda: run("darnerpy.Queue(path).close()", tmp_path).returncode == 0)


def test_it_is_forgotten_in_the_middle_of_something(tmp_path: Path) -> None:
    """The garbage collector may come while this very thread is inside the directory."""
    keeper = darnerpy.Queue(tmp_path, engine="memory")
    q: darnerpy.Queue | None = darnerpy.Queue(tmp_path, engine="memory")
    assert q is not None
    keeper.put(b"x")
    item: darnerpy.ReservedItem | None = q.reserve()
    assert item is not None
    with pytest.warns(ResourceWarning), keeper._desk.directory.lock:
        item = q = None
    wait_until(lambda: len(keeper) == 1)
    with keeper.reserve() as again:
        assert again.data == b"x"
    keeper.close()


def test_a_program_that_ends_without_closing(tmp_path: Path) -> None:
    told = run(
        """
        q = darnerpy.Queue(path, sync="never")
        q.put_many([b"a", b"b", b"c"])
        item = q.reserve()
        many = darnerpy.open(path)
        many["other"].put(b"x")
        """,
        tmp_path,
        PYTHONWARNINGS="always",
    )
    assert told.returncode == 0
    assert "ResourceWarning: unclosed <darnerpy.Queue 'default'" in told.stderr
    assert "ResourceWarning: unclosed <darnerpy.Queues" in told.stderr
    assert "Traceback" not in told.stderr
    with darnerpy.Queue(tmp_path) as q, darnerpy.Queue(tmp_path, "other") as other:
        assert q.get_many(9) == [b"a", b"b", b"c"]
        assert other.get() == b"x"


def test_a_program_that_closes_says_nothing(tmp_path: Path) -> None:
    told = run(
        """
        import asyncio
        from darnerpy import aio
        with darnerpy.Queue(path, sync="50ms") as q:
            q.put_many([b"x" * 1000] * 1000)
            q.get_many(10)
            for item in q:
                break
        async def main():
            async with aio.Queue(path) as q:
                await q.put(b"x", ttl=100)
                await q.get()
        asyncio.run(main())
        """,
        tmp_path,
        PYTHONWARNINGS="error",
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


# -- the asyncio front -----------------------------------------------------------------------------


def test_an_asyncio_queue_has_to_be_opened(tmp_path: Path) -> None:
    async def main() -> None:
        q = aio.Queue(tmp_path, engine="memory")
        assert q.closed
        with pytest.raises(darnerpy.ClosedError, match="async with"):
            await q.put(b"x")
        await q.close()
        async with q:
            await q.put(b"x")
            with pytest.raises(darnerpy.ClosedError, match="opened already"):
                await q.__aenter__()
        with pytest.raises(darnerpy.ConfigError):
            await aio.Queue.open(tmp_path, sync="sometimes")
        with pytest.raises(AttributeError):
            q.nothing  # noqa: B018

    asyncio.run(main())


def test_an_opening_that_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        for turns in range(8):
            task = asyncio.create_task(aio.Queue.open(tmp_path, sync="never"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await (await task).close()
            except asyncio.CancelledError:
                pass

    asyncio.run(main())
    gc.collect()
    assert run("darnerpy.Queue(path).close()", tmp_path).returncode == 0
