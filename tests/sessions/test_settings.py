"""Settings of one queue that are changed until the next reload."""

from pathlib import Path

import pytest

from darnerpy.config import QueueRule
from darnerpy.errors import ClientError, NotAllowedError, QueueFullError, UnknownQueueError
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.settings import change_settings
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of
from tests.sessions.driver import drive

pytestmark = pytest.mark.asyncio

WORK, OTHER = b"work", b"other"
RULES = (
    QueueRule(b"*", {"max_items": 5}),
    QueueRule(WORK, {"max_items": 3, "max_age": 60_000}),
)


def host_in(house: House) -> Host:
    return host_of(house, queue_rules=house._settings.queue_rules)


async def change(host: Host, **values: object) -> None:
    await drive(change_settings(host, "me", WORK, values))


async def test_they_go_before_every_table_and_only_for_that_queue(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=RULES) as house:
        host = host_in(house)
        await house.put(WORK, b"1")
        await house.put(OTHER, b"1")
        other = house.broker.queues[OTHER].settings
        assert (await drive(change_settings(host, "me", WORK, {"max_items": 1}))).max_items == 1
        with pytest.raises(QueueFullError):
            await house.put(WORK, b"2")
        assert house.broker.queues[OTHER].settings is other
        await change(host, max_items=2, max_item_bytes="1KiB")
        await house.put(WORK, b"2")
        settings = house.broker.queues[WORK].settings
        assert (settings.max_items, settings.max_item_bytes, settings.max_age) == (2, 1024, 60_000)
        assert house.broker.queues[OTHER].settings is other
        desk = Desk(host)
        desk.say(b"dump_config work\r\n")
        await until(lambda: desk.told.endswith(b"END\r\n"))
        assert b"max_items=2\r\n" in desk.told.replace(b"  ", b"")
        assert host.settings.queue(WORK) == settings
        origins = host.origins.of_queue(host.settings, WORK)
        assert origins["max_items"] == origins["max_item_bytes"] == "until the next reload"
        assert origins["max_age"] != origins["max_items"]
        assert host.origins.of_queue(host.settings, OTHER)["max_items"] != origins["max_items"]


async def test_a_change_is_taken_back_and_a_reload_ends_all(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=RULES) as house:
        host = host_in(house)
        await house.put(WORK, b"1")
        before = host.settings
        await change(host, max_items=1, max_attempts=2, dead_letter="failed")
        await change(host, max_items=None)
        settings = house.broker.queues[WORK].settings
        assert (settings.max_items, settings.max_attempts) == (3, 2)
        await change(host, max_attempts=None, dead_letter=None)
        assert host.settings == before
        await change(host, max_items=1)
        house.broker.configure(before)
        assert house.broker.queues[WORK].settings.max_items == 3


async def test_a_queue_with_a_wild_name(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=RULES) as house:
        host = host_in(house)
        for name in b"w*", b"w[ab]?", b"wa1":
            await house.put(name, b"1")
        for name in b"w*", b"w[ab]?":
            await drive(change_settings(host, "me", name, {"max_items": 1}))
            assert house.broker.queues[name].settings.max_items == 1
        assert host.settings.queue(b"wa1").max_items == 5


async def test_new_consumers_are_there_at_once_and_last(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=RULES) as house:
        host = host_in(house)
        await house.put(WORK, b"1")
        await change(host, consumers=["audit"], start="head")
        assert not house.queue(WORK).unwritten
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        assert queue.count(queue.consumers[b"audit"]) == 1


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"max_item": 1}, "max_item: unknown key; did you mean max_items?"),
        ({"max_items": "many"}, 'max_items: expected "off" or a whole number, at least 1, not'),
        ({"max_age": 5}, "max_age: expected .*a duration such as 500ms.*, not 5"),
        ({"listen": "x"}, "listen: is for the whole server"),
        ({"engine": "arena"}, "engine: cannot be changed while the server runs.*convert"),
        ({"compression": "snappy"}, "compression: holds from the next time .*is opened"),
        ({"max_attempts": 3}, "max_attempts = 3 needs dead_letter"),
        ({"dead_letter": "work"}, "dead_letter: expected another queue than 'work' itself"),
        ({"expire_to": "all"}, "expire_to: expected a queue, not the alias 'all'"),
        ({"expire_to": "other"}, "not to lead back: .*other"),
        ({"sync": "always", "sync_ops": 5}, "sync_ops: expected sync = "),
        ({"tap": True}, "tap: nothing is told of any queue"),
    ],
)
async def test_what_is_refused_changes_nothing(
    tmp_path: Path, values: dict[str, object], what: str
) -> None:
    rules = (*RULES, QueueRule(OTHER, {"expire_to": WORK}))
    async with House(tmp_path, queue_rules=rules, aliases={b"all": ((WORK, b""),)}) as house:
        host = host_of(house, queue_rules=rules, aliases={b"all": ((WORK, b""),)})
        await house.put(WORK, b"1")
        before = host.settings, house.broker.queues[WORK].settings
        with pytest.raises(ClientError, match=what):
            await drive(change_settings(host, "me", WORK, {"max_bytes": 5, **values}))
        assert (host.settings, house.broker.queues[WORK].settings) == before


async def test_who_may_and_who_is_told(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=RULES, aliases={b"all": ((WORK, b""),)}) as house:
        host = host_in(house)
        told: list[object] = []
        host.acts.watchers.append(lambda act: told.append((act.act, act.queue, act.more)))
        with pytest.raises(UnknownQueueError):
            await change(host, max_items=1)
        with pytest.raises(ClientError, match="all is an alias"):
            await drive(change_settings(host, "me", b"all", {"max_items": 1}))
        await house.put(WORK, b"1")
        host.guard.set(Status.READONLY)
        with pytest.raises(NotAllowedError):
            await change(host, max_items=1)
        host.guard.set(Status.UP)
        await change(host, max_items=1, max_age="1h")
        await change(host, max_items=None)
        assert told == [
            ("change settings", WORK, {"max_items": "1", "max_age": "1h"}),
            ("change settings", WORK, {"max_items": "as before"}),
        ]
