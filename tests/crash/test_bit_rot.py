"""Bits that rot in the files of a journal: every item that was not hit is served, by the real server.

What the server says in its counters at once after it starts, what it then delivers, and what `check`
says before, between and after, are the same.
"""

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import SYNC
from darnerpy.inspection.check import check_queue
from tests.conftest import MakeServer
from tests.servers import DARNERPY, ServerProcess, Wire

pytestmark = pytest.mark.timeout(300)  # so many starts, however long they take

COUNT = 3000
POLICIES = ["always", "50ms"]


def items(count: int) -> list[bytes]:
    return [b"item %d %s" % (n, b"x" * (n % 90)) for n in range(count)]


def filled(make_server: MakeServer, sync: str, count: int = COUNT) -> ServerProcess:
    """A server that was killed after so many puts, one a commit."""
    server = make_server(sync=sync)
    with server.connect() as wire:
        for data in items(count):
            wire.put("q", data)
    server.kill()
    return server


def largest(server: ServerProcess, pattern: str) -> Path:
    return max(
        server.data.glob(f"queues/q/leveldb/{pattern}"), key=lambda path: path.stat().st_size
    )


def policy(server: ServerProcess) -> str:
    [sync] = [flag for flag in server.flags if flag.startswith("--sync=")]
    return sync


def check(server: ServerProcess) -> dict[str, Any]:
    """As the server would see it: with its sync policy."""
    command = [*DARNERPY, "check", os.fspath(server.data), "--json", policy(server)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == (0 if found["clean"] else 1)
    return found


def check_again(server: ServerProcess) -> dict[str, Any]:
    """The same without starting a process for it."""
    synced = SYNC.parse(policy(server).partition("=")[2]).always
    found = check_queue(server.data / "queues" / "q", lambda done, total: None, synced)
    return found.as_dict()


def counted(wire: Wire) -> tuple[int, int, int]:
    """What the queue's counters say when it was opened, before anything was taken."""
    wire.ask(b"get q/peek\r\n")
    stats = wire.stats("q")
    return int(stats["items"]), int(stats["damaged_items"]), int(stats["kept"])


def told(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["waiting"][""], found["damaged"] + found["missing"], found["kept"]


def drain(wire: Wire) -> list[bytes]:
    taken: list[bytes] = []
    while True:
        wire.send(b"get q\r\n" * 100)
        replies = [wire.read_reply() for _ in range(100)]
        for reply in replies:
            if reply != b"END\r\n":
                head, _, rest = reply.partition(b"\r\n")
                taken.append(rest[: int(head.split()[3])])
        if b"END\r\n" in replies:
            return taken


def is_in_order(served: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(data in rest for data in served)


def serve_and_compare(server: ServerProcess, whole: list[bytes], lost: int, kept: int = 0) -> None:
    """Start twice, check before, between and after, and take all there is in the end."""
    left = (len(whole) - lost - kept, lost, kept)
    assert told(check(server)) == left, "before"
    for _ in range(2):
        server.start()
        with server.connect() as wire:
            assert counted(wire) == left
            assert wire.stats("q")["put_aside"] == "damaged/1"
        server.kill()
        assert told(found := check_again(server)) == left
        assert found["clean"] == (not lost)
        assert "damaged/1" in found["notes"][0]
    server.start()
    with server.connect() as wire:
        served = drain(wire)
        assert len(served) == left[0]
        assert is_in_order(served, whole)
        assert counted(wire) == (0, lost, kept)
        wire.put("q", b"goes on")
        assert drain(wire) == [b"goes on"]
    server.kill()
    assert told(check_again(server)) == (0, lost, kept)


@pytest.mark.parametrize("sync", POLICIES)
def test_one_bit_in_the_middle_of_the_log(make_server: MakeServer, sync: str) -> None:
    server = filled(make_server, sync)
    log = largest(server, "*.log")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0x40
    log.write_bytes(data)
    lost = told(check(server))[1]
    assert lost <= 1
    serve_and_compare(server, items(COUNT), lost)
    assert "damaged/1" in "".join(path.as_posix() for path in server.data.rglob("DONE"))


@pytest.mark.parametrize("sync", POLICIES)
def test_one_bit_in_the_last_commit_of_many_items(make_server: MakeServer, sync: str) -> None:
    """No record comes after it; but its own items, on both sides, tell that it was written whole."""
    server = make_server(sync=sync)
    whole = items(COUNT)
    with server.connect() as wire:
        wire.put("q", *whole)
    server.kill()
    log = largest(server, "*.log")
    data = bytearray(log.read_bytes())
    at = data.index(b"item 2500 ")
    data[at] ^= 0x40
    log.write_bytes(data)
    serve_and_compare(server, whole, lost=1)


@pytest.mark.parametrize("back", [1, 3, 10])
def test_one_bit_in_the_length_of_a_record_near_the_end(make_server: MakeServer, back: int) -> None:
    server = filled(make_server, "always", 100)
    log = largest(server, "*.log")
    data = bytearray(log.read_bytes())
    at = heads(bytes(data))[-back]
    data[at + 5] ^= 0x40  # 16 KiB more
    log.write_bytes(data)
    serve_and_compare(server, items(100), 0)


def heads(log: bytes) -> list[int]:
    """Where fragments of records begin."""
    found, at = [], 0
    while at + 7 <= len(log):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        found.append(at)
        at += 7 + int.from_bytes(log[at + 4 : at + 6], "little")
    return found


@pytest.mark.parametrize("sync", POLICIES)
def test_a_first_table_of_no_bytes(make_server: MakeServer, sync: str) -> None:
    count = 10_000
    chance = random.Random(3)
    server = make_server(sync="never")
    whole = [chance.randbytes(200) for _ in range(count)]
    with server.connect() as wire:
        for at in range(0, count, 50):
            wire.put("q", *whole[at : at + 50])
    server.kill()
    server = make_again(server, make_server, sync)
    first = min(server.data.glob("queues/q/leveldb/*.ldb"))
    first.write_bytes(b"")
    items_left, lost, kept = told(check(server))
    assert kept == 0
    assert 0 < lost < count
    assert items_left == count - lost
    serve_and_compare(server, whole, lost)


@pytest.mark.parametrize(("sync", "part"), [("always", "block"), ("never", "index")])
def test_damage_in_a_table_is_told_by_check_as_by_a_server_that_has_read_it(
    make_server: MakeServer, sync: str, part: str
) -> None:
    """A server meets it when it reads there. The items are also another consumer's, who takes none."""
    count = 6000
    chance = random.Random(4)
    server = make_server(sync="never")
    whole = [b"%06d" % n + chance.randbytes(200) * 4 for n in range(count)]
    with server.connect() as wire:
        assert wire.ask(b"get q+audit\r\n") == b"END\r\n"
        for data in whole:
            wire.put("q", data)
    server.kill()
    server = make_again(server, make_server, sync)
    table = sorted(server.data.glob("queues/q/leveldb/*.ldb"))[1]
    rotten = bytearray(table.read_bytes())
    rotten[-200 if part == "index" else len(rotten) // 2] ^= 0x40
    table.write_bytes(rotten)
    before = check(server)
    lost = before["damaged"] + before["missing"]
    assert lost <= (part == "block")
    assert before["kept"] == 0
    assert before["items"] == before["waiting"]["audit"] == before["waiting"][""] == count - lost
    server.start()
    with server.connect() as wire:
        served = drain_past_errors(wire)
        assert is_in_order(served, whole)
        assert len(served) == count - lost
        assert counted(wire) == (0, lost, 0)
        assert wire.stats("q")["put_aside"] == "damaged/1"
    server.kill()
    after = check(server)
    assert told(after) == (0, lost, 0)
    assert after["items"] == after["waiting"]["audit"] == count - lost
    assert after["clean"] == (not lost)


def drain_past_errors(wire: Wire) -> list[bytes]:
    """Take all there is, asking again while the journal is opened anew."""
    taken: list[bytes] = []
    failed = 0
    while (reply := wire.ask(b"get q\r\n")) != b"END\r\n":
        if reply.startswith(b"SERVER_ERROR"):
            failed += 1
            assert failed < 600, reply
            time.sleep(0.05)
            continue
        head, _, rest = reply.partition(b"\r\n")
        taken.append(rest[: int(head.split()[3])])
    assert failed, "the damage was met"
    return taken


def make_again(server: ServerProcess, make_server: MakeServer, sync: str) -> ServerProcess:
    """A server of another policy on the same data, not running."""
    other = make_server(sync=sync)
    other.kill()
    other.data.rename(other.data.with_name("unused"))
    server.data.rename(other.data)
    return other


def test_a_log_of_nothing_but_nuls_is_reported(make_server: MakeServer) -> None:
    server = filled(make_server, "never", 10)
    log = largest(server, "*.log")
    log.write_bytes(bytes(log.stat().st_size))
    [damage] = check(server)["damage"][:1]
    assert "nothing but NULs" in damage["what"]
    for _ in range(3):  # nor does it go away by itself
        server.start()
        with server.connect() as wire:
            wire.wait_until("", loading=0)
            assert wire.stats("q")["put_aside"] == "damaged/1"
        assert "damaged files are put aside" in server.log()
        server.kill()
        assert "damaged/1" in check(server)["notes"][0]
    server.start()
    with server.connect() as wire:
        assert wire.get("q") is None
        assert wire.stats("q")["put_aside"] == "damaged/1"
        wire.put("q", b"goes on")
        assert wire.get("q") == b"goes on"
    server.kill()


@pytest.mark.parametrize("file", ["CURRENT", "MANIFEST-*"])
@pytest.mark.parametrize("damage", ["missing", "empty", "flipped"])
def test_the_list_of_files_is_damaged(make_server: MakeServer, file: str, damage: str) -> None:
    server = filled(make_server, "never", 500)
    server.start()  # so that some are in a table
    with server.connect() as wire:
        wire.put("q", *(b"more %d" % n for n in range(500)))
    server.kill()
    path = largest(server, file)
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "flipped":
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0x40
            path.write_bytes(data)
    serve_and_compare(server, items(500) + [b"more %d" % n for n in range(500)], 0)


def test_a_list_of_files_that_loses_its_end(make_server: MakeServer, tmp_path: Path) -> None:
    """A wrong length, or a cut between two records: LevelDB takes what is left for all there is, and
    would delete the tables that are not named any more, or write others over them.
    """
    chance = random.Random(5)
    whole = [chance.randbytes(400) for _ in range(16_000)]
    server = make_server(sync="never")
    with server.connect() as wire:
        for at in range(0, len(whole), 100):
            wire.put("q", *whole[at : at + 100])
    server.kill()
    home = server.data / "queues" / "q"
    shutil.copytree(home, tmp_path / "kept")
    manifest = largest(server, "MANIFEST-*")
    original = manifest.read_bytes()
    starts = heads(original)
    assert len(starts) > 4
    damaged = [bytes(original[:at]) for at in starts[2:]]
    for at in starts[1:]:
        for byte, bit in ((4, 1), (4, 0x40), (5, 0x40)):
            changed = bytearray(original)
            changed[at + byte] ^= bit
            damaged.append(bytes(changed))
    for number, content in enumerate(chance.sample(damaged, 5)):
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "kept", home)
        manifest.write_bytes(content)
        assert told(check_again(server)) == (len(whole), 0, 0), number
        for _ in range(2):
            server.start()
            with server.connect() as wire:
                assert counted(wire) == (len(whole), 0, 0), number
                if number % 4 == 1:
                    assert drain(wire) == whole
                    wire.put("q", *whole)
            server.kill()


@pytest.mark.parametrize("sync", ["always", "never"])
def test_a_sector_that_was_never_written(make_server: MakeServer, sync: str) -> None:
    """NULs are what a power cut leaves: what lies behind is only served if all was synced."""
    server = filled(make_server, sync)
    log = largest(server, "*.log")
    data = bytearray(log.read_bytes())
    at = len(data) // 2 // 512 * 512
    data[at : at + 512] = bytes(512)
    log.write_bytes(data)
    _, lost, kept = told(check(server))
    assert 0 < lost < 12
    assert kept == 0 if sync == "always" else kept > 1000
    serve_and_compare(server, items(COUNT), lost, kept)
