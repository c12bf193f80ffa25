"""Requests that take items: what they hold on to when they are cut off, at each point where that can be."""

import os
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.sessions.requests.takes import take
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, until
from tests.sessions.desk import host_of
from tests.sessions.driver import Client, drive

__all__ = ["every_engine"]

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]


def handles() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def test_what_was_taken_and_not_written_is_back_once_when_the_journal_fails(
    tmp_path: Path,
) -> None:
    """It was given back before the write of its confirmation failed."""
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one", b"two")
        stored = await house.usable(b"work")
        steps = take(host, Client(), b"work", b"", 1)
        assert next(steps) is not None
        batch = stored.queue.seal()
        assert batch is not None
        steps.close()
        stored._handle.fail(JournalError("the disk is on fire"))
        await until(lambda: stored.ready)
        assert await house.drain(b"work") == [b"one", b"two"]


async def test_a_file_is_closed_once_though_its_item_was_gone_before_it_could_be_confirmed(
    tmp_path: Path,
) -> None:
    async with House(tmp_path) as house:
        await house.put_large(b"work", b"L" * 300_000)
        await house.put(b"work", b"one")
    async with House(tmp_path) as house:
        host, client = host_of(house), Client()
        stored = await house.usable(b"work")
        before = handles()
        steps = take(host, client, b"work", b"", 2)
        waits = next(steps)  # for the second, which is on its way from disk
        assert waits is not None
        (held,) = stored.queue.own.open.values()
        stored.queue.abort(held)  # its time is up
        client.gone = True
        waits(lambda: None)
        assert await drive(steps) == []
        assert handles() == before
        assert len(await house.drain(b"work")) == 2


async def test_what_was_flushed_after_it_was_taken_and_given_back_waits_if_all_that_fails(
    tmp_path: Path,
) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one", b"two")
        stored = await house.usable(b"work")
        steps = take(host, Client(), b"work", b"", 1)
        assert next(steps) is not None
        stored.queue.flush()
        steps.close()
        stored._handle.fail(JournalError("the disk is on fire"))
        await until(lambda: stored.ready)
        assert await house.drain(b"work") == [b"one", b"two"]
