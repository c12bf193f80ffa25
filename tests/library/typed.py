"""How a program that is type-checked uses the library. mypy checks it with the rest; nobody runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import darnerpy
import darnerpy.aio
from darnerpy import aio


def blocking(path: Path) -> Iterator[darnerpy.ReservedItem]:
    with darnerpy.Queue(path, "jobs", max_items=5, max_age="1h", sync=0.05, engine="arena") as q:
        assert_type(q.put(b"x", flags=1, ttl="2h", delay=0.5), int)
        assert_type(q.put_nowait(bytearray(b"x")), int)
        assert_type(q.put_many([b"x", memoryview(b"y")], timeout=1), range)
        assert_type(q.get(), bytes)
        assert_type(q.get_many(5, block=False), list[bytes])
        with q.reserve(timeout=5, zero_copy=True) as item:
            assert_type(item, darnerpy.ReservedItem)
            assert_type(item.data, bytes | memoryview)
            assert_type(item.expires, float | None)
        assert_type(q.peek(), darnerpy.Item | None)
        assert_type(q.bytes, int)
        assert_type(q.stats(), dict[str, object])
        assert_type(q.consumer("audit", start="head"), darnerpy.Consumer)
        assert_type(q.consumer("audit", copy_from=q).get(), bytes)
        yield from q
    with darnerpy.open(path, config={"sync": "never"}, max_items=None) as queues:
        assert_type(queues["mail"], darnerpy.Queue)
        assert_type(list(queues), list[str])


async def in_a_loop(path: Path) -> None:
    async with aio.Queue(path, "jobs", max_items=5) as q:
        assert_type(q, darnerpy.aio.Queue)
        assert_type(await q.put(b"x", timeout=0), int)
        assert_type(await q.get(), bytes)
        async with q.reserve(timeout=5) as item:
            assert_type(item, aio.ReservedItem)
            await item.keep("5s")
        held = await q.reserve()
        await held.confirm()
        async for each in q:
            assert_type(each, aio.ReservedItem)
        assert_type(await q.consumer("audit"), aio.Consumer)
        assert_type(len(q), int)
    other = await aio.Queue.open(path)
    await other.close()


def wrong(path: Path) -> None:
    q = darnerpy.Queue(path, maxsize=5)  # type: ignore[call-arg]
    q.put("text")  # type: ignore[arg-type]
    q.consumer("x", start="middle")  # type: ignore[arg-type]
    darnerpy.Queue(path, max_items="many")  # type: ignore[arg-type]
