"""Streams of events without a socket: who reads slowly, what acts are told, what is shared."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from darnerpy.http.monitoring import events as module
from tests.http.watching import watching

pytestmark = pytest.mark.asyncio


def names(events: list[tuple[str, Any]]) -> list[str]:
    return [each["name"] for _, told in events for each in told.get("queues", ())]


class Reader:
    """Reads a stream in a task of its own, when it is let."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.text = b""
        self.may = asyncio.Event()
        self.may.set()
        self._stream = stream
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for piece in self._stream:
            self.text += piece
            await self.may.wait()

    def take(self) -> list[tuple[str, Any]]:
        text, self.text = self.text, b""
        events = []
        for block in text.decode().split("\n\n"):
            lines = dict(line.partition(": ")[::2] for line in block.split("\n"))
            if "data" in lines:
                events.append((lines["event"], json.loads(lines["data"])))
        return events


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_who_does_not_read_costs_little_and_is_told_all_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_UNREAD", 5000)
    with watching(tmp_path) as watched:
        events = watched.monitor.events
        for number in range(20):
            await watched.put(b"q%02d" % number)
        watched.look()
        deaf, quick = Reader(events.follow(b"")), Reader(events.follow(b""))
        await settle()
        assert events.streams == 2
        assert deaf.take()[0][1]["all"] is True
        deaf.may.clear()
        for _ in range(10):
            for number in range(20):
                await watched.put(b"q%02d" % number)
            watched.look()
            await settle()
            assert len(names(quick.take())) >= 20
            assert all(stream._size < 5000 + 10_000 for stream in events._streams)
        deaf.may.set()
        await settle()
        behind = deaf.take()
        assert any(told.get("all") for _, told in behind), "it is told everything anew"
        last = {each["name"]: each["items"] for _, told in behind for each in told["queues"]}
        assert last == {f"q{number:02}": 11 for number in range(20)}
        for reader in (deaf, quick):
            reader.task.cancel()
            await asyncio.wait([reader.task])
        await settle()
        assert events.streams == 0


async def test_many_queues_come_in_pieces_of_which_the_last_has_the_totals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 7)
    with watching(tmp_path) as watched:
        for number in range(20):
            await watched.put(b"q%02d" % number)
        watched.look()
        reader = Reader(watched.monitor.events.follow(b""))
        await settle()
        first = reader.take()
        assert len(first) >= 3
        assert [bool(told.get("all")) for _, told in first] == [True] + [False] * (len(first) - 1)
        assert ["totals" in told for _, told in first] == [False] * (len(first) - 1) + [True]
        assert len(names(first)) == 20
        for number in range(15):
            await watched.put(b"q%02d" % number)
        watched.look()
        await settle()
        changed = reader.take()
        assert len(names(changed)) == 15
        assert [len(told["queues"]) for _, told in changed] == [7, 7, 1]
        assert ["totals" in told for _, told in changed] == [False, False, True]
        reader.task.cancel()
        await asyncio.wait([reader.task])


async def test_an_act_is_told_at_once_and_by_a_glob_only_to_whom_it_concerns(
    tmp_path: Path,
) -> None:
    with watching(tmp_path) as watched:
        events, acts = watched.monitor.events, watched.host.acts
        everyone, some = Reader(events.follow(b"")), Reader(events.follow(b"mail*"))
        await settle()
        for reader in (everyone, some):
            reader.take()
        acts.note("purge", b"mail+\xff", "1.2.3.4:5", first=3, to=b"other\xfe")
        acts.note("delete", b"else", "console")
        await settle()
        told = {
            "act": "purge",
            "queue": "mail",
            "consumer": "%FF",
            "who": "1.2.3.4:5",
            "time": watched.clock.now,
            "first": 3,
            "to": "other%FE",
        }
        assert everyone.take() == [
            ("admin", told),
            (
                "admin",
                {"act": "delete", "queue": "else", "who": "console", "time": watched.clock.now},
            ),
        ]
        assert some.take() == [("admin", told)]
        for reader in (everyone, some):
            reader.task.cancel()
            await asyncio.wait([reader.task])


async def test_a_comment_comes_now_and_then_and_the_end_with_the_server(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        reader = Reader(watched.monitor.events.follow(b""))
        await settle()
        for _ in range(16):
            watched.look()
            await settle()
        assert b"\n: " in reader.text
        watched.monitor.drain()
        await asyncio.wait_for(reader.task, 10)
        late = [piece async for piece in watched.monitor.events.follow(b"")]
        assert late == [b"retry: 1000\n\n"]
