"""Several open reads, each confirmed or returned by the id that gets gave."""

import random
from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, EVERY_SERVER, STORED, WHY, Row, converse, hit, rows
from tests.servers import ServerProcess, Wire

SERVERS = {name: chosen | {"max_open_reads": 3} for name, chosen in EVERY_SERVER.items()}

PUT3 = b"".join(b"set work 0 0 1\r\n%d\r\n" % number for number in (1, 2, 3))
OPEN3 = b"gets work/open\r\n" * 3
OPENED = b"".join(hit("work/open", b"%d" % number, id=number) + END for number in (1, 2, 3))
BEGIN, BEGUN = PUT3 + OPEN3, STORED * 3 + OPENED
ABORT3, GET3 = b"get work/abort\r\n" * 3, b"get work\r\n" * 3


def got(*numbers: int) -> bytes:
    return b"".join(hit(data=b"%d" % number) + END for number in numbers)


ROWS: list[Row] = [
    ("close", BEGIN + b"get work/close=2\r\n" + ABORT3 + GET3, BEGUN + END * 4 + got(1, 3) + END),
    ("close", BEGIN + b"gets work/close=3\r\n" + ABORT3 + GET3, BEGUN + END * 4 + got(1, 2) + END),
    (
        "close",  # twice is once
        BEGIN + b"get work/close=1\r\n" * 2 + ABORT3 + GET3,
        BEGUN + END * 5 + got(2, 3) + END,
    ),
    (
        "abort",
        BEGIN + b"get work/abort=2\r\nget work/peek\r\nget work/close\r\n" + ABORT3 + GET3,
        BEGUN + END + hit("work/peek", b"2") + END * 2 + END * 3 + got(2, 3) + END,
    ),
    (
        "not held",
        BEGIN + b"get work/close=4\r\nget work/abort=4\r\nget other/close=1\r\n" + ABORT3 + GET3,
        BEGUN + END * 6 + got(1, 2, 3),
    ),
    (
        "not held",  # nothing is touched, so nothing is opened either
        PUT3 + b"get work/close=1/open\r\nget work/close=1/open/t=60000\r\n" + GET3,
        STORED * 3 + END * 2 + got(1, 2, 3),
    ),
    (
        "open",
        PUT3
        + b"gets work/open\r\nget work/close=1/open\r\nget work/open/close=2/t=60000\r\n"
        + ABORT3
        + GET3,
        STORED * 3
        + hit("work/open", b"1", id=1)
        + END
        + hit("work/close=1/open", b"2")
        + END
        + hit("work/open/close=2/t=60000", b"3")
        + END
        + END * 3
        + got(3)
        + END * 2,
    ),
    (
        "keys",
        BEGIN + b"get work/close=2 other work/close=1\r\n" + ABORT3 + GET3,
        BEGUN + END * 4 + got(3) + END * 2,
    ),
    *(
        (
            "refused",
            BEGIN + b"get work/%b\r\n" % options + ABORT3 + GET3,
            BEGUN + WHY + END * 3 + got(1, 2, 3),
        )
        for options in (
            *(b"close=", b"close=x", b"close=0", b"close=-1", b"abort=x", b"close=1/abort=2"),
            *(
                b"close=1/close",
                b"close=1/close=2",
                b"abort=1/open",
                b"close=1/peek",
                b"abort/close=1",
            ),
        )
    ),
]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@rows(ROWS)
def test_answered(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    converse(server, queue, sent, reply, bytewise)


def test_a_waiting_open_closes_by_id_at_once(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"1", b"2")
    with server.connect() as worker:
        open_ids(worker, queue, 2)
        worker.send(f"get {queue}/close=2/open/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=1, open_transactions=1)
    wire.wait_until(queue, waiters=0, items=1)
    assert wire.get(queue) == b"1"


def test_of_a_consumer(server: ServerProcess, wire: Wire, queue: str) -> None:
    assert wire.get(f"{queue}+c") is None
    wire.put(queue, b"1", b"2")
    assert open_ids(wire, f"{queue}+c", 2) == {1: b"1", 2: b"2"}
    assert wire.get(f"{queue}/close=1") is None
    assert wire.get(f"{queue}+c/close=1") is None
    wire.wait_until(f"{queue}+c", open_transactions=1)
    assert wire.stats(queue)["items"] == "2"


def open_ids(wire: Wire, queue: str, number: int) -> dict[int, bytes]:
    """Open so many items; what they are, by id."""
    found: dict[int, bytes] = {}
    for _ in range(number):
        header, data, end, _ = wire.ask(f"gets {queue}/open\r\n".encode()).split(b"\r\n")
        assert end == b"END"
        found[int(header.split()[4])] = data
    return found


def leave(server: ServerProcess, wires: list[Wire]) -> None:
    for wire in wires:
        wire.close()


def reset(server: ServerProcess, wires: list[Wire]) -> None:
    for wire in wires:
        wire.reset()


def kill(server: ServerProcess, wires: list[Wire]) -> None:
    server.kill()
    server.start()


def restart(server: ServerProcess, wires: list[Wire]) -> None:
    server.restart()


@pytest.mark.parametrize("part", [leave, reset, kill, restart])
@pytest.mark.parametrize("sync", ["always", "never"])
def test_out_of_order_through_reconnects(
    make_server: MakeServer,
    queue: str,
    sync: str,
    part: Callable[[ServerProcess, list[Wire]], None],
) -> None:
    """What was closed does not come back, the rest does, in order, round after round."""
    server = make_server(sync=sync, max_open_reads=100)
    chance = random.Random(3)
    left = {number: b"item %d" % number for number in range(1, 201)}
    with server.connect() as wire:
        wire.put(queue, *left.values())
    for _ in range(4):
        wires = [server.connect() for _ in range(2)]
        held = [open_ids(each, queue, 30) for each in wires]
        assert list((held[0] | held[1]).items()) == list(left.items())[:60]
        for each, items in zip(wires, held, strict=True):
            for number in chance.sample(sorted(items), 20):
                way = chance.choice(["close", "close", "close", "abort"])
                assert each.get(f"{queue}/{way}={number}") is None
                if way == "close":
                    del left[number]
        part(server, wires)
        for each in wires:
            each.close()
        with server.connect() as wire:
            wire.wait_until(queue, items=len(left), open_transactions=0)
    with server.connect() as wire:
        assert [wire.get(queue) for _ in range(len(left) + 1)] == [*left.values(), None]
