"""Items too large to hold in memory: they stream both ways, and nothing of half a one stays."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, STORED, hit
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio-synced": {"loop": "asyncio", "sync": "always"},
    "pump": {"loop": "pump"},
    "pump-synced": {"loop": "pump", "sync": "always"},
    "memory": {"engine": "memory"},
    "arena": {"engine": "arena"},
}

KIB, MIB = 1 << 10, 1 << 20
NOISE = random.Random(3).randbytes(8 * MIB)
LEAVE = {"close": Wire.close, "half-close": Wire.end_input, "reset": Wire.reset}
Leave = Callable[[Wire], None]
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())


def set_line(queue: str, size: int, words: str = "") -> bytes:
    return f"set {queue} 0 0 {size}{words}\r\n".encode()


def files(server: ServerProcess) -> list[str]:
    """What there is of large items on disk, whole or not, also of queues being deleted."""
    found = []
    for directory, _, names in os.walk(server.data):
        if Path(directory).name == "large":
            found += [os.path.join(directory, name) for name in names]
    return found


def bytes_on_disk(server: ServerProcess) -> int:
    sizes = 0
    for path in files(server):
        with suppress(FileNotFoundError):
            sizes += os.stat(path).st_size
    return sizes


def handles(server: ServerProcess) -> list[str]:
    """The large items and uploads that the server has open."""
    found = []
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(link))
    return [target for target in found if "/large/" in target]


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """When a test's queues are deleted, no file and no open handle of theirs remains."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        with server.connect() as wire:
            for name in [name for name in wire.stats() if name.endswith("_total_flushes")]:
                queue = name.removeprefix("queue_").removesuffix("_total_flushes")
                assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        wait_until(lambda: not files(server) and not handles(server))


@pytest.mark.parametrize("size", [256 * KIB, 256 * KIB + 1, 300 * KIB, 8 * MIB])
def test_there_and_back(wire: Wire, queue: str, size: int) -> None:
    data = NOISE[:size]
    wire.put(queue, b"before", data, b"after")
    assert wire.get(queue) == b"before"
    assert wire.get(f"{queue}/peek") == data
    assert wire.get(f"{queue}/open") == data
    assert wire.get(f"{queue}/abort") is None
    assert wire.ask(f"gets {queue}/open\r\n".encode()) == hit(f"{queue}/open", data, id=2) + END
    assert wire.get(f"{queue}/close/open") == b"after"
    assert wire.get(f"{queue}/close") is None


def test_several_keys(wire: Wire, queue: str) -> None:
    data = NOISE[:MIB]
    wire.put(queue, data, b"small", data)
    values = hit(queue, data) + hit(queue, b"small") + hit(queue, data)
    assert wire.ask(f"get {queue} {queue} {queue} {queue}\r\n".encode()) == values + END


def test_to_one_who_waits(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as waiter:
        waiter.send(f"get {queue}/t=60000/open\r\n".encode())
        wire.wait_until(queue, waiters=1)
        wire.put(queue, NOISE)
        assert waiter.read_reply() == hit(f"{queue}/t=60000/open", NOISE) + END
    assert wire.get(f"{queue}/t=20000") == NOISE


def test_pipelined_and_line_ends(wire: Wire, queue: str) -> None:
    data = NOISE[:MIB]
    line = set_line(queue, MIB)
    wire.send(line + data + b"\n" + line + data + b"\r\n" + line[:-2] + b"\n" + data + b"\n")
    wire.send(set_line(queue, MIB, " noreply") + data + b"\r\nversion\r\n")
    wire.expect(STORED * 3 + b"VERSION 1.0.0\r\n")
    for _ in range(4):
        assert wire.get(queue) == data


def test_a_bad_end_of_a_block(server: ServerProcess, wire: Wire, queue: str) -> None:
    with server.connect() as bad:
        bad.send(set_line(queue, MIB) + NOISE[:MIB] + b"more\r\n")
        assert bad.read_to_end() == b"CLIENT_ERROR bad data chunk\r\n"
    assert wire.get(queue) is None
    wait_until(lambda: not files(server))


@leaving
def test_half_an_upload_leaves_nothing(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    wire.put(queue, b"other")
    with server.connect() as sender:
        sender.send(set_line(queue, 8 * MIB) + NOISE[: 3 * MIB])
        wait_until(lambda: bytes_on_disk(server) > 2 * MIB)
        leave(sender)
        wait_until(lambda: not files(server) and not handles(server))
    assert wire.get(queue) == b"other"
    assert wire.get(queue) is None


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
def test_a_reader_that_leaves_in_the_middle(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    wire.put(queue, NOISE)
    with server.connect() as reader:
        reader.send(f"get {queue}/open\r\n".encode())
        reader.read(MIB)
        leave(reader)
    assert wire.get(f"{queue}/t=20000") == NOISE
    wait_until(lambda: not handles(server))


@pytest.mark.parametrize("end", ["flush", "delete"])
def test_what_is_being_sent_stays_whole(
    server: ServerProcess, wire: Wire, queue: str, end: str
) -> None:
    wire.put(queue, NOISE, NOISE, NOISE)
    with server.connect() as one, server.connect() as two:
        one.send(f"get {queue}\r\n".encode())
        two.send(f"get {queue}/open\r\n".encode())
        begun = [one.read(1000), two.read(1000)]
        answer = wire.ask(f"{end} {queue}\r\n".encode())
        assert answer in (END, b"DELETED\r\n")
        if end == "delete":
            wait_until(lambda: not files(server))
        for begin, reader, key in zip(begun, (one, two), (queue, f"{queue}/open"), strict=True):
            whole = hit(key, NOISE) + END
            assert begin + reader.read(len(whole) - 1000) == whole


def test_deleting_the_queue_ends_an_upload(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as sender:
        sender.send(set_line(queue, 8 * MIB) + NOISE[:MIB])
        wait_until(lambda: files(server))
        wire.send(f"delete {queue}\r\n".encode())
        sender.send(NOISE[MIB:] + b"\r\nversion\r\n")
        assert sender.read_line().startswith(b"SERVER_ERROR ")
        sender.expect(b"VERSION 1.0.0\r\n")
        wire.expect(b"DELETED\r\n")
    assert wire.get(queue) is None


def test_confirmed_items_leave_the_disk(server: ServerProcess, wire: Wire, queue: str) -> None:
    for _ in range(4):
        wire.put(queue, NOISE[:MIB])
    assert len(files(server)) == 4
    for _ in range(4):
        assert wire.get(queue) == NOISE[:MIB]
    wire.put(queue, b"after")
    wait_until(lambda: not files(server))
    assert wire.get(queue) == b"after"


def test_deleting_a_queue_that_was_trimmed_is_no_damage(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    wire.put(queue, *[NOISE[: 256 * KIB]] * 8)
    for _ in range(8):
        wire.get(queue)
    wait_until(lambda: wire.stats(queue)["journal_rotations"] != "0")
    wire.send(set_line(queue, 1) + f"x\r\nget {queue}\r\ndelete {queue}\r\n".encode())
    wire.expect(STORED + hit(queue) + END + b"DELETED\r\n")
    assert server.complaints() == []


def test_quitting_after_a_large_item(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, NOISE)
    with server.connect() as reader:
        reader.send(f"get {queue}\r\nquit\r\n".encode())
        assert reader.read_to_end() == hit(queue, NOISE) + END


def test_uploads_survive_the_server(make_server: MakeServer, queue: str) -> None:
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as half:
        wire.put(queue, NOISE, b"small")
        wire.send(set_line(queue, 5, " noreply") + b"quiet\r\n")
        half.send(set_line(queue, 8 * MIB) + NOISE[:MIB])
        wait_until(lambda: len(files(server)) == 2)
        server.kill()
    server.restart()
    with server.connect() as wire:
        assert wire.get(f"{queue}/peek") == NOISE
        assert len(files(server)) == 1
        assert [wire.get(queue) for _ in range(4)] == [NOISE, b"small", b"quiet", None]


@pytest.mark.parametrize("most", [1000, 256 * KIB, 400 * KIB])
def test_the_limit_is_in_and_above_it_is_out(
    make_server: MakeServer, queue: str, most: int
) -> None:
    server = make_server(sync="never", toml=f'[queues."q*"]\nmax_item_bytes = {most}\n')
    refused = (
        f"SERVER_ERROR item of {most + 1} bytes is too large for {queue}, "
        f"at most {most} are allowed\r\n"
    )
    with server.connect() as wire:
        wire.put(queue, NOISE[:most])
        block = NOISE[: most + 1] + b"\r\n"
        wire.send(set_line(queue, most + 1) + block + b"version\r\n")
        wire.expect(refused.encode() + b"VERSION 1.0.0\r\n")
        wire.send(set_line(queue, most + 1, " noreply") + block + b"version\r\n")
        wire.expect(b"VERSION 1.0.0\r\n")
        assert wire.get(queue) == NOISE[:most]
        assert wire.get(queue) is None
        wire.put(f"not-{queue}", NOISE[: most + 1])


def test_the_default_limit(make_server: MakeServer, queue: str) -> None:
    server = make_server(sync="never")
    most = 64 * MIB
    data = b"0123456789abcdef" * (most // 16)
    with server.connect() as wire:
        server.forget_highest_memory()
        wire.put(queue, data)
        assert wire.get(queue) == data
        wire.send(set_line(queue, most + 1))
        refused = wire.read_line()  # at its header: the block is not even sent
        assert refused.startswith(b"SERVER_ERROR ")
        assert b"67108865" in refused
        assert b"67108864" in refused
        wire.send(data + b"!\r\nversion\r\n")
        wire.expect(b"VERSION 1.0.0\r\n")
        assert wire.get(queue) is None
        assert server.memory("VmHWM") < 96 * MIB


def test_many_at_once_take_little_memory(make_server: MakeServer, queue: str) -> None:
    server = make_server(sync="never")
    clients, data = 20, NOISE * 2
    server.forget_highest_memory()

    def exchange(number: int) -> None:
        with server.connect() as wire:
            for step in range(0, len(data), MIB):  # all of them are under way at the same time
                wire.send(
                    (set_line(queue, len(data)) if not step else b"") + data[step : step + MIB]
                )
                barrier.wait()
            wire.send(b"\r\n")
            wire.expect(STORED)
            barrier.wait()
            wire.send(f"get {queue}\r\n".encode())
            wire.read(MIB)
            barrier.wait()
            wire.read(len(hit(queue, data) + END) - MIB)
            done.append(number)

    barrier, done = threading.Barrier(clients, timeout=20), list[int]()
    threads = [threading.Thread(target=exchange, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == clients
    assert server.memory("VmHWM") < 256 * MIB
