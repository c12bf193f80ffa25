"""Memcache clients for Python, each doing to a queue what it can do to a cache."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import aiomcache
import emcache
import memcache  # type: ignore[import-untyped]
import pymemcache  # type: ignore[import-untyped]
import pytest
from pymemcache.exceptions import MemcacheClientError  # type: ignore[import-untyped]
from pymemcache.serde import pickle_serde  # type: ignore[import-untyped]

from tests.servers import ServerProcess, Wire

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio-synced": {"loop": "asyncio", "sync": "always"},
    "pump": {"loop": "pump"},
    "pump-synced": {"loop": "pump", "sync": "always"},
}

VALUES = (
    *("text ü", "", b"bytes\0\xff", b"", b"\r\nEND\r\n", 5, 0, -(2**70), 1.5),
    *([1, "two", None], {"a": (1, b"\0")}, "long" * 100_000, list(range(100_000))),
)


class JsonSerde:
    """As in pymemcache's documentation: text is text, all else is JSON, the flags tell which."""

    def serialize(self, key: str, value: object) -> tuple[str, int]:
        return (value, 1) if isinstance(value, str) else (json.dumps(value), 2)

    def deserialize(self, key: str, value: bytes, flags: int) -> object:
        return value.decode() if flags == 1 else json.loads(value)


def plain(server: ServerProcess) -> Any:
    return pymemcache.Client((server.host, server.port), serde=pickle_serde)


def pooled(server: ServerProcess) -> Any:
    address = (server.host, server.port)
    return pymemcache.PooledClient(address, serde=pickle_serde, max_pool_size=1)


def python_memcached(server: ServerProcess) -> Any:
    return memcache.Client([server.address])


def pylibmc(server: ServerProcess) -> Any:
    module = pytest.importorskip("pylibmc", reason="pylibmc has no wheel for this Python")
    return module.Client([server.address])


MAKERS = (plain, pooled, python_memcached, pylibmc)


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Any]:
    """One of those that are called alike."""
    connected = request.param(server)
    yield connected
    connected.disconnect_all()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_values_come_back_as_they_were(client: Any, queue: str, value: object) -> None:
    assert client.set(queue, value)
    found = client.get(queue)
    assert found == value
    assert type(found) is type(value)
    assert client.get(queue) is None


def test_a_queue(client: Any, queue: str) -> None:
    for number in range(100):
        assert client.set(queue, number)
    assert [client.get(queue) for _ in range(101)] == [*range(100), None]


def test_options(client: Any, queue: str) -> None:
    for number in range(5):
        client.set(queue, number)
    assert client.get(f"{queue}/peek") == 0
    assert client.get(f"{queue}/open") == 0
    assert client.get(f"{queue}/abort") is None
    assert client.get(f"{queue}/t=10/open") == 0
    assert client.get(f"{queue}/close/open") == 1
    assert client.get(f"{queue}/close/open/t=10") == 2
    assert client.get(f"{queue}/close") is None
    assert [client.get(f"{queue}/t=10") for _ in range(3)] == [3, 4, None]


def test_an_open_read_comes_back(client: Any, wire: Wire, queue: str) -> None:
    client.set(queue, "held")
    assert client.get(f"{queue}/open") == "held"
    assert wire.get(queue) is None
    client.disconnect_all()
    assert wire.get(f"{queue}/t=20000") == b"held"


def test_several_keys(client: Any, queue: str) -> None:
    names = [f"{queue}-{number}" for number in range(5)]
    client.set_multi(dict(zip(names, range(4), strict=False)))
    assert client.get_multi(names) == dict(zip(names, range(4), strict=False))
    assert client.get_multi(names) == {}
    client.set_multi(dict.fromkeys(names, "gone"))
    assert client.delete_multi(names)
    assert client.get_multi(names) == {}


def test_expiry(client: Any, queue: str) -> None:
    client.set(queue, "dead", 2_592_001)  # is a date in January 1970
    client.set(queue, "alive", 60)
    assert [client.get(queue), client.get(queue)] == ["alive", None]


def test_deleting_and_flushing(client: Any, wire: Wire, queue: str) -> None:
    client.set(queue, 1)
    assert client.delete(queue)
    client.set(queue, 2)
    client.set(queue, 3)
    client.flush_all()
    client.set(queue, 4)
    assert [client.get(queue), client.get(queue)] == [4, None]


def test_what_is_no_set_never_enqueues(client: Any, queue: str) -> None:
    for verb in (client.add, client.replace, client.append, client.prepend):
        verb(queue, "no")
        assert client.get(queue) is None


def test_counting_finds_nothing_and_is_harmless(client: Any, queue: str) -> None:
    client.set(queue, "kept")
    for count in (client.incr, client.decr):
        if type(client).__module__.startswith("pylibmc"):
            with pytest.raises(Exception, match="not found"):
                count(queue, 1)
        else:
            assert count(queue, 1) is None
        assert client.get(f"{queue}/peek") == "kept"  # the server was not given up
    assert client.get(queue) == "kept"


def test_stats(client: Any, queue: str) -> None:
    client.set(queue, "one")
    assert client.get(f"{queue}/peek") == "one"
    if hasattr(client, "get_stats"):
        ((_, stats),) = client.get_stats()
    else:
        stats = client.stats()
    text = {_text(name): _text(value) for name, value in stats.items()}
    assert text["version"].startswith("1.")
    assert int(text["cmd_set"]) > 0
    if not type(client).__module__.startswith("pylibmc"):  # which passes on only what it knows
        assert text[f"queue_{queue}_items"] == "1"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_pymemcache_waits_for_replies_only_when_asked(server: ServerProcess, queue: str) -> None:
    with closing(pymemcache.Client((server.host, server.port), default_noreply=True)) as client:
        for number in range(1000):
            client.set(queue, str(number))
        assert [client.get(queue) for _ in range(1000)] == [b"%d" % n for n in range(1000)]
        client.set(queue, "gone")
        client.touch(queue, 5)
        client.delete(queue)
        client.flush_all()
        assert client.version() == b"1.0.0"
        assert client.get(queue) is None


def test_pymemcache_with_json_and_every_reply(server: ServerProcess, queue: str) -> None:
    address = (server.host, server.port)
    made = pymemcache.Client(address, serde=JsonSerde(), default_noreply=False)
    with closing(made) as client:
        for value in ("text", {"a": [1, None]}):
            assert client.set(queue, value) is True
            assert client.gets(queue)[0] == value
        assert client.gets(queue) == (None, None)
        assert client.add(queue, "no") is False
        assert client.cas(queue, "no", b"1") is None
        assert client.touch(queue) is False
        assert client.incr(queue, 1) is None
        assert client.raw_command("mn") == b"MN"
        assert client.delete(queue) is True
        assert client.flush_all() is True
        client.set_many({queue: 1})
        assert client.get(f"{queue}/open") == 1
        with pytest.raises(MemcacheClientError, match="close current item first"):
            client.get(f"{queue}/open")
        client.quit()


def test_aiomcache(server: ServerProcess, queue: str) -> None:
    name = queue.encode()

    async def use() -> None:
        client = aiomcache.Client(server.host, server.port, pool_size=1)
        for number in range(6):
            assert await client.set(name, b"%d" % number)
        assert await client.get(name) == b"0"
        assert await client.get(name + b"/open") == b"1"
        assert await client.get(name + b"/close/open/t=10") == b"2"
        assert await client.get(name + b"/abort") is None
        assert (await client.gets(name))[0] == b"2"
        assert await client.multi_get(name, name + b"/peek", b"no" + name) == (b"3", b"4", None)
        assert await client.get(name + b"/t=10") == b"4"
        assert not await client.add(name, b"no")
        assert not await client.touch(name, 5)
        with pytest.raises(aiomcache.ClientException, match="NOT_FOUND"):
            await client.incr(name)
        assert (await client.stats())[f"queue_{queue}_items".encode()] == b"1"
        assert await client.version() == b"1.0.0"
        assert await client.delete(name)
        assert await client.get(name + b"/t=10") is None
        await client.flush_all()
        with pytest.raises(aiomcache.ClientException):
            await client.get(name + b"/bogus")
        await client.close()

    asyncio.run(use())


def test_emcache(server: ServerProcess, queue: str) -> None:
    name = queue.encode()
    address = emcache.MemcachedHostAddress(server.host, server.port)

    async def value(client: emcache.Client, key: bytes) -> bytes | None:
        item = await client.get(key)
        return None if item is None else item.value

    async def use() -> None:
        client = await emcache.create_client([address], max_connections=1)
        for number in range(6):
            await client.set(name, b"%d" % number, flags=number, noreply=number % 2 == 0)
        found = await client.get(name, return_flags=True)
        assert found is not None
        assert (found.value, found.flags) == (b"0", 0)
        assert await value(client, name + b"/open") == b"1"
        assert await value(client, name + b"/close/open/t=10") == b"2"
        assert await value(client, name + b"/abort") is None
        item = await client.gets(name, return_flags=True)
        assert item is not None
        assert (item.value, item.flags, item.cas) == (b"2", 2, 3)
        many = await client.get_many([name, b"no" + name])
        assert {key: item.value for key, item in many.items()} == {name: b"3"}
        with pytest.raises(emcache.NotStoredStorageCommandError):
            await client.add(name, b"no")
        for change in (client.increment, client.decrement):
            with pytest.raises(emcache.NotFoundCommandError):
                await change(name, 1)
            await change(name, 1, noreply=True)
        with pytest.raises(emcache.NotFoundCommandError):
            await client.touch(name, 5)
        assert await client.gat(5, name) is None
        assert not await client.gats_many(5, [name, b"no" + name])
        # Of one queue: emcache takes a longer report for whole where the network cut it at a line.
        assert (await client.stats(address, queue))[f"queue_{queue}_items"] == "2"
        assert await client.version(address) == "1.0.0"
        await client.delete(name, noreply=True)
        assert await value(client, name + b"/t=10") is None
        await client.flush_all(address)
        await client.flush_all(address, noreply=True)
        await client.close()

    asyncio.run(use())
