"""Large items whose queue goes while they arrive: nobody's fault but the clients', and not logged as more.
Items that are refused.
"""

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import QueueRule, Settings, SyncPolicy
from darnerpy.journals.large import Upload
from tests.brokers.house import PATIENCE, House, until
from tests.servers import half_uploads
from tests.sessions.desk import Desk, host_of

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("stays", [True, False])
async def test_its_queue_is_deleted_before_its_file_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stays: bool,
) -> None:
    """As when the thread that makes the file is late. stays: the client waits for the answer."""
    gate, write = threading.Event(), Upload.write

    def late(self: Upload, chunks: list[bytes]) -> None:
        assert gate.wait(PATIENCE)
        write(self, chunks)

    monkeypatch.setattr(Upload, "write", late)
    caplog.set_level(logging.INFO)
    async with House(tmp_path, sync=SyncPolicy(always=False)) as house:
        host = host_of(house)
        client, other = Desk(host), Desk(host)
        other.say(b"set work 0 0 1\r\nx\r\n")
        await other.hears(b"STORED\r\n")
        client.say(b"set work 0 0 300000\r\n" + b"x" * 100_000)
        if not stays:
            client.session.vanish()
        other.say(b"delete work\r\n")
        await other.hears(b"DELETED\r\n")
        gate.set()
        if stays:
            client.say(b"x" * 200_000 + b"\r\n")
            await client.hears(b"SERVER_ERROR the queue was deleted during the upload\r\n")
        await until(lambda: house.broker.idle)
        other.say(b"set work 0 0 1\r\ny\r\nget work\r\n")
        await other.hears(b"STORED\r\nVALUE work 0 1\r\ny\r\nEND\r\n")
    told = [each.getMessage() for each in caplog.records if each.levelno > logging.INFO]
    assert told == []


async def test_a_disk_that_fails_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Upload, chunks: list[bytes]) -> Any:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(Upload, "write", broken)
    async with House(tmp_path, sync=SyncPolicy(always=False)) as house:
        client = Desk(host_of(house))
        client.say(b"set work 0 0 300000\r\n" + b"x" * 300_000 + b"\r\n")
        await client.hears(b"SERVER_ERROR the disk is on fire\r\n")
    assert "a large item failed: the disk is on fire" in caplog.text


@pytest.mark.parametrize("key", ["work", "both"])
async def test_it_is_synced_by_the_policy_of_the_moment_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """both: an alias, which has a queue that syncs and one that does not."""
    synced: list[bool] = []
    finish = Upload.finish

    def noted(self: Upload, sync: bool) -> None:
        synced.append(sync)
        finish(self, sync)

    monkeypatch.setattr(Upload, "finish", noted)
    never = {"sync": SyncPolicy(always=False)}
    aliases = {b"both": ((b"lax", b""), (b"sure", b""))}
    rules = QueueRule(b"lax", never), QueueRule(b"work", never)
    async with House(tmp_path, queue_rules=rules, aliases=aliases) as house:
        client = Desk(host_of(house))
        begin, end = b"set %b 0 0 300000\r\n" % key.encode() + b"x" * 100_000, b"x" * 200_000
        client.say(begin + end + b"\r\n")
        await client.hears(b"STORED\r\n")
        client.say(begin)
        house.broker.configure(Settings(aliases=aliases))
        client.say(end + b"\r\n")
        await client.hears(b"STORED\r\n")
    assert synced == ([False, True] if key == "work" else [True, True])


@pytest.mark.parametrize("what", ["nothing", "the client hangs up", "a queue is deleted"])
async def test_new_queues_stay_while_its_file_is_made_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """It is whole, and for an alias: what happens until it is in each of the queues."""
    gate, link = threading.Event(), Upload.link

    def late(self: Upload, path: Path, crc: int | None = None) -> None:
        if "slow" in str(self.path):
            assert gate.wait(PATIENCE)
        link(self, path, crc)

    monkeypatch.setattr(Upload, "link", late)
    names = (b"first", b"quick", b"slow")
    aliases = {b"all": tuple((name, b"") for name in names)}
    async with House(tmp_path, aliases=aliases) as house:
        client = Desk(host_of(house))
        client.say(b"set all 0 0 300000\r\n" + b"x" * 300_000 + b"\r\n")
        await until(lambda: len(half_uploads(tmp_path)) == 2)
        await asyncio.sleep(0.05)
        queues = [house.broker.queues[name] for name in names]
        assert not any(stored.deletion for stored in queues)
        if what == "the client hangs up":
            client.session.vanish()
        elif what == "a queue is deleted":
            queues[0].delete()
            await until(lambda: b"first" not in house.broker.queues)
        gate.set()
        if what == "nothing":
            await client.hears(b"STORED\r\n")
        elif what == "a queue is deleted":
            await client.hears(b"SERVER_ERROR the queue was deleted during the upload\r\n")
        await until(lambda: house.broker.idle and not half_uploads(tmp_path))
        assert [stored._handle.uploads for stored in queues] == [0, 0, 0]
        expected = [b"x" * 300_000] if what == "nothing" else []
        for name in names:
            assert await house.drain(name) == expected
    assert not [each for each in caplog.records if each.levelno > logging.INFO]


@pytest.mark.parametrize("size", [100, 300_000])
async def test_no_queue_is_left_of_an_item_that_is_refused(tmp_path: Path, size: int) -> None:
    rules = QueueRule(b"small", {"max_item_bytes": 10}), QueueRule(b"full", {"max_bytes": 10})
    aliases = {b"both": ((b"good", b""), (b"full", b""))}
    item = b" 0 0 %d\r\n" % size + b"x" * size + b"\r\n"
    async with House(tmp_path, queue_rules=rules, aliases=aliases) as house:
        client = Desk(host_of(house))
        for key, answer in ((b"small", b"SERVER_ERROR"), (b"full", b"NOT_"), (b"both", b"NOT_")):
            client.say(b"set " + key + item)
            await until(lambda: client.told.endswith(b"\r\n"))
            assert client.told.startswith(answer), client.told
            client.told = b""
            await until(lambda: not house.broker.queues)
        client = Desk(host_of(house), text=True)
        client.say(b"put small:\n" + b"x" * 100 + b"\n\n")
        await until(lambda: client.told.endswith(b"\n"))
        assert client.told.startswith(b"-")
        assert not house.broker.queues
