"""No byte of an answer leaves before what it says is written: every verb that changes anything.

For each, the write that its answer depends on is held up, then let through or broken.
"""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from darnerpy.config import QueueRule, SyncPolicy
from darnerpy.protocol.commands import (
    Backup,
    DeleteBackup,
    DumpConfig,
    DumpStats,
    ListBackups,
    Quit,
    Refused,
    Reload,
    SetStatus,
    Shutdown,
    Stats,
    Status,
    Verbosity,
    Version,
)
from darnerpy.protocol.item_commands import Get, Put
from darnerpy.queues.batches import Batch
from darnerpy.sessions import session as session_module
from darnerpy.sessions.guard import Status as ServerStatus
from darnerpy.sessions.slices import Slices
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of

STORED, DELETED, OK, END = b"STORED\r\n", b"DELETED\r\n", b"OK\r\n", b"END\r\n"
QUIESCENT = b"SERVER_ERROR the server is quiescent\r\n"
LARGE = b"x" * 300_000

RULES = (
    QueueRule(b"once", {"max_attempts": 1, "dead_letter": b"drop"}),
    QueueRule(b"twice", {"max_attempts": 1, "dead_letter": b"dead"}),
    QueueRule(b"later", {"retry_delay": 60_000}),
    QueueRule(b"work+first", {"start": "head"}),
)
ALIASES = {b"both": ((b"work", b""), (b"other", b""))}


def store(key: str, *items: bytes) -> bytes:
    return b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (key.encode(), len(i), i) for i in items)


def value(key: str, *items: bytes) -> bytes:
    return b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (key.encode(), len(i), i) for i in items)


@dataclass(frozen=True)
class Row:
    """says: what is answered to `asks`, once it is true. before: what the client has asked before that,
    then: what another one says after it.
    """

    asks: bytes
    says: bytes
    before: bytes = b""
    then: bytes = b""
    text: bool = False
    quiescent: bool = False


FIRST = store("work", b"1", b"2", b"3") + store("empty", b"0") + b"get empty\r\n"
FIRST += b"".join(store(queue, b"1") for queue in ("other", "once", "twice", "later"))
UNWRITTEN = b"set empty 0 0 1 noreply\r\nx\r\n"
EXPIRED = b"set empty 0 -1 1 noreply\r\nx\r\n"
HELD = b"get work/open\r\n"
ROWS = {
    "put": Row(store("work", b"x"), STORED),
    "put to a consumer": Row(store("work+c", b"x"), STORED),
    "put to an alias": Row(store("both", b"x"), STORED),
    "put to a new queue": Row(store("fresh", b"x"), STORED),
    "put of a large item": Row(store("work", LARGE), STORED),
    "get": Row(b"get work\r\n", value("work", b"1") + END),
    "gets": Row(b"gets work\r\n", b"VALUE work 0 1 1\r\n1\r\nEND\r\n"),
    "get of several": Row(b"get work none\r\n", value("work", b"1") + END),
    "get of very many": Row(b"get work" + b" none" * 500 + b"\r\n", value("work", b"1") + END),
    "close among very many": Row(b"get work/close" + b" none" * 500 + b"\r\n", END, before=HELD),
    "get that waited": Row(
        b"get empty/t=50000\r\n", value("empty/t=50000", b"x") + END, then=store("empty", b"x")
    ),
    "get that founds": Row(b"get work+new\r\n", END),
    "get that founds, among several": Row(b"get work+new none\r\n", END),
    "get that founds, with items": Row(b"get work+first\r\n", value("work+first", b"1") + END),
    "get that founds and waits": Row(
        b"get work+new/t=50000\r\n",
        value("work+new/t=50000", b"x") + END,
        then=store("work", b"x"),
    ),
    "open that founds": Row(b"get work+new/open\r\n", END),
    "open that founds, with items": Row(
        b"get work+first/open\r\n", value("work+first/open", b"1") + END
    ),
    "peek that founds": Row(b"get work+new/peek\r\n", END),
    "peek that founds, with items": Row(
        b"get work+first/peek\r\n", value("work+first/peek", b"1") + END
    ),
    "open": Row(UNWRITTEN + b"get empty/open\r\n", value("empty/open", b"x") + END),
    "open that waited": Row(
        b"get empty/open/t=50000\r\n",
        value("empty/open/t=50000", b"x") + END,
        then=store("empty", b"x"),
    ),
    "peek": Row(UNWRITTEN + b"get empty/peek\r\n", value("empty/peek", b"x") + END),
    "close": Row(b"get work/close\r\n", END, before=HELD),
    "close by id": Row(b"get work/close=1\r\n", END, before=HELD),
    "close and open": Row(
        b"get work/close/open\r\n", value("work/close/open", b"2") + END, before=HELD
    ),
    "close among several": Row(b"get work/close none\r\n", END, before=HELD),
    "abort": Row(b"get work/abort\r\n", END, before=HELD),
    "abort by id": Row(b"get work/abort=1\r\n", END, before=HELD),
    "abort for a consumer": Row(
        b"get work+first/abort\r\n", END, before=b"get work+first/open\r\n"
    ),
    "abort of several": Row(
        b"get none/abort work/abort other/abort\r\n", END, before=HELD + b"get other/open\r\n"
    ),
    "abort that drops": Row(b"get once/abort\r\n", END, before=b"get once/open\r\n"),
    "abort that moves": Row(b"get twice/abort\r\n", END, before=b"get twice/open\r\n"),
    "abort that delays": Row(b"get later/abort\r\n", END, before=b"get later/open\r\n"),
    "close while quiescent": Row(b"get work/close\r\n", END, before=HELD, quiescent=True),
    "abort while quiescent": Row(b"get work/abort\r\n", END, before=HELD, quiescent=True),
    "close and open while quiescent": Row(
        b"get work/close/open\r\n", QUIESCENT, before=HELD, quiescent=True
    ),
    "close and open among several while quiescent": Row(
        b"get none/close work/close/open\r\n", QUIESCENT, before=HELD, quiescent=True
    ),
    "monitor": Row(UNWRITTEN + b"monitor empty 0\r\n", value("empty", b"x") + END + END),
    "monitor that founds": Row(b"monitor work+new 0\r\n", END),
    "monitor that founds, with items": Row(
        b"monitor work+first 0 1\r\n", value("work+first", b"1") + END + END
    ),
    "confirm": Row(b"confirm work 2\r\n", END, before=HELD * 2),
    "delete": Row(b"delete work\r\n", DELETED),
    "delete of a consumer": Row(b"delete work+c\r\n", DELETED, before=b"get work+c\r\n"),
    "delete of what another deletes": Row(
        b"delete work+c noreply\r\ndelete work+c\r\n", DELETED, before=b"get work+c\r\n"
    ),
    "flush": Row(b"flush work\r\n", END),
    "flush of a consumer": Row(b"flush work+c\r\n", END, before=b"get work+c\r\n"),
    "flush of what another deletes": Row(
        b"delete work+c noreply\r\nflush work+c\r\n", END, before=b"get work+c\r\n"
    ),
    "flush_all": Row(b"flush_all\r\n", OK),
    "flush_expired": Row(EXPIRED + b"flush_expired empty\r\n", b"1\r\n"),
    "flush_all_expired": Row(EXPIRED + b"flush_all_expired\r\n", b"1\r\n"),
    "text: put": Row(b"put work:\nx\ny\n\n", b"+2\n", text=True),
    "text: get": Row(b"get work\n", b":2\n", before=b"get work\n", text=True),
    "text: peek": Row(b"peek work\n", b":2\n", before=b"get work\n", text=True),
    "text: get that founds": Row(b"get work+new\n", b"*\n", text=True),
    "text: monitor": Row(b"monitor other 0\n", b"*\n", before=b"get other\n", text=True),
    "text: monitor that founds": Row(b"monitor work+new 0\n", b"*\n", text=True),
    "text: confirm": Row(b"confirm work 1\n", b"+1\n", before=b"get work\n", text=True),
    "text: flush": Row(b"flush work\n", b"+0\n", text=True),
    "text: delete": Row(b"delete work\n", b"+0\n", text=True),
    "text: get while quiescent": Row(
        b"get work\n", b"-the server is quiescent\n", b"get work\n", text=True, quiescent=True
    ),
    "text: monitor while quiescent": Row(
        b"monitor work 0\n", b"-the server is quiescent\n", b"get work\n", text=True, quiescent=True
    ),
}

CHANGE_NOTHING = {
    # What they report is how things are at the moment, written or not.
    Stats,
    DumpStats,
    DumpConfig,
    Status,
    Version,
    # What they do is not in a journal; a backup, its end, and the status are on disk before their answer.
    Backup,
    ListBackups,
    DeleteBackup,
    SetStatus,
    Reload,
    Verbosity,
    Shutdown,
    Quit,
    Refused,
}


def test_no_verb_is_forgotten() -> None:
    asked = set()
    for row in ROWS.values():
        desk = Desk.codec(row.text)
        asked |= {type(command) for command in desk.feed(row.asks)}
    # A slice is of a verb that is asked already.
    assert asked | CHANGE_NOTHING == {*session_module._EVERY, Get, Put} - {Slices}


class Scene:
    """One client whose command goes into a batch that waits behind another one."""

    def __init__(self, house: House, row: Row) -> None:
        self.house = house
        self.row = row
        host = host_of(house, max_open_reads=2)
        self.guard = host.guard
        self.other = Desk(host)
        self.client = Desk(host, text=row.text)

    async def set_up(self) -> None:
        self.other.say(FIRST)
        await self._quiet()
        for stored in self.house.broker.queues.values():
            stored.queue.consumer(b"ghost")
        await self._quiet()
        self.client.say(self.row.before)
        await self._quiet()
        self.client.told = b""
        if self.row.quiescent:
            self.guard.set(ServerStatus.QUIESCENT)

    async def ask(self) -> threading.Event:
        """The command is decided and its batch is being written; returns what holds that up."""
        faults = self.house.faults
        first, second = faults.gate, threading.Event()
        first.clear()
        before = faults.calls["write"]
        batches = self._disturb()
        await until(lambda: faults.calls["write"] == before + len(batches))
        faults.gate = second
        self._disturb()
        self.client.say(self.row.asks)
        self.other.say(self.row.then)
        first.set()
        await until(lambda: all(batch.ended for batch in batches))
        for _ in range(50):
            await asyncio.sleep(0)
        return second

    def _disturb(self) -> list[Batch]:
        """Puts for a consumer that nobody reads: the batch is synced, so it is written in a thread."""
        queues = [stored.queue for stored in self.house.broker.queues.values()]
        return [queue.put(b"x", 1, 0, 0, only=queue.consumers[b"ghost"]) for queue in queues]

    async def _quiet(self) -> None:
        desks = (self.client.session, self.other.session)
        await until(lambda: self.house.broker.idle and not any(d.state.has_work for d in desks))


def house(path: Path) -> House:
    return House(path, sync=SyncPolicy(always=True), queue_rules=RULES, aliases=ALIASES)


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ROWS)
async def test_it_is_said_when_it_is_written(tmp_path: Path, what: str) -> None:
    async with house(tmp_path) as made:
        scene = Scene(made, ROWS[what])
        await scene.set_up()
        gate = await scene.ask()
        told = scene.client.told
        gate.set()
        assert told == b""
        await scene.client.hears(ROWS[what].says)


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ROWS)
async def test_it_is_not_said_if_it_is_not_written(tmp_path: Path, what: str) -> None:
    async with house(tmp_path) as made:
        scene = Scene(made, ROWS[what])
        await scene.set_up()
        gate = await scene.ask()
        made.faults.broken.add("write")
        gate.set()
        refused = b"-write is broken\n" if ROWS[what].text else b"SERVER_ERROR write is broken\r\n"
        await scene.client.hears(refused)
        made.faults.broken.clear()
