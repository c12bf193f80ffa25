"""One server, queues on different engines: served, restarted, reloaded, converted as the log says."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from darnerpy.brokers.descriptors import awake_possible
from tests.servers import DARNERPY, ServerProcess, Wire

LARGE = bytes(range(256)) * 2000
ENGINES = {"on-disk": "leveldb", "mapped": "arena", "passing": "memory"}


def configuration(engines: dict[str, str]) -> str:
    tables = [f'[queues."{name}*"]\nengine = "{engine}"\n' for name, engine in engines.items()]
    return 'sync = "never"\nmax_open_reads = 4\n' + "".join(tables)


def fill(wire: Wire, queue: str) -> None:
    """Items, one of them large; one came back twice; a named consumer has taken one."""
    wire.put(queue, b"a", b"b")
    assert wire.get(f"{queue}+audit") is None
    wire.put(queue, LARGE, b"c", b"")
    assert wire.get(f"{queue}+audit") == LARGE
    assert wire.get(queue) == b"a"
    for _ in range(2):
        assert wire.get(f"{queue}/open") == b"b"
        assert wire.get(f"{queue}/abort") is None


def is_filled(wire: Wire, queue: str, engine: str) -> None:
    wire.wait_until(queue, items=4)
    stats = wire.stats(queue)
    assert stats["engine"] == engine
    assert (stats["items"], stats["returned"], stats["children"]) == ("4", "1", f"{queue}+audit")
    assert wire.stats(f"{queue}+audit")["items"] == "2"


def drain(wire: Wire, queue: str) -> None:
    assert [wire.get(queue) for _ in range(5)] == [b"b", LARGE, b"c", b"", None]
    assert [wire.get(f"{queue}+audit") for _ in range(3)] == [b"c", b"", None]


def test_each_queue_has_its_own_engine(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, toml=configuration(ENGINES)) as server:
        with server.connect() as wire:
            for name, engine in ENGINES.items():
                fill(wire, name)
                is_filled(wire, name, engine)
        server.restart()
        with server.connect() as wire:
            assert "queue_passing_items" not in wire.stats()
        server.kill()
        server.start()
        with server.connect() as wire:
            for name in ("on-disk", "mapped"):
                is_filled(wire, name, ENGINES[name])
                drain(wire, name)
        assert "settings say" not in server.log()


def test_another_engine_is_for_new_queues_until_they_are_converted(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, toml=configuration(ENGINES)) as server:
        with server.connect() as wire:
            for name in ENGINES:
                fill(wire, name)
        swapped = {"on-disk": "arena", "mapped": "leveldb", "passing": "leveldb"}
        (tmp_path / "darnerpy.toml").write_text(configuration(swapped))
        with server.connect() as wire:
            assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"
            server.wait_for_log("warning 1 queue in memory, where settings say leveldb: .* restart")
            for name, engine in ENGINES.items():
                is_filled(wire, name, engine)
                wire.put(f"{name}-new", b"x")
                assert wire.stats(f"{name}-new")["engine"] == swapped[name]
        server.restart()
        assert "1 queue in memory" not in server.log()
        commands = re.findall(r"stopped, darnerpy (convert .*) changes that", server.log())
        assert [command.split()[1] for command in commands] == ["mapped", "on-disk"]
        for command in commands:
            refused = subprocess.run((*DARNERPY, *shlex.split(command)), capture_output=True)
            assert refused.returncode == 5
            assert b"in use by another darnerpy" in refused.stderr
        server.stop()
        for command in commands:
            done = subprocess.run((*DARNERPY, *shlex.split(command)), capture_output=True)
            assert done.returncode == 0
            assert re.search(rb": (leveldb|arena) -> (leveldb|arena): \d items", done.stdout)
        server.start()
        with server.connect() as wire:
            for name in ("on-disk", "mapped"):
                is_filled(wire, name, swapped[name])
                drain(wire, name)
                wire.put(name, b"later")
        assert "settings say" not in server.log()
        server.kill()
        server.start()
        with server.connect() as wire:
            assert wire.get("on-disk") == wire.get("mapped") == b"later"


def test_a_pattern_converts_many_and_what_is_no_queue_is_named(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, sync="never") as server, server.connect() as wire:
        for n in range(30):
            wire.put(f"job-{n}", b"%d" % n)
        wire.put("other", b"o")
    command = (*DARNERPY, "convert", "job-*", "nosuch", "--engine", "arena")
    done = subprocess.run((*command, "--data", server.data), capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 30
    assert "job-7: leveldb -> arena: 1 item, 1 byte\n" in done.stdout
    assert done.stderr == f"darnerpy: {server.data}: there is no queue nosuch\n"
    server.start()
    with server.connect() as wire:
        assert wire.stats("other")["engine"] == "leveldb"
        assert all(wire.get(f"job-{n}") == b"%d" % n for n in range(30))
    server.stop()


def test_more_arenas_than_there_are_descriptors(tmp_path: Path) -> None:
    """They are opened once, and rest by turns: `max_open_journals` is not for them."""
    queues = [f"q{n}" for n in range(400)]
    with ServerProcess(
        tmp_path, engine="arena", sync="never", max_open_journals=1, open_files="256:256"
    ) as server:
        with server.connect() as wire:
            for queue in queues:
                wire.put(queue, queue.encode(), b"later")
            for queue in queues:
                assert wire.get(queue) == queue.encode()
            awake = int(wire.stats()["open_journals"])
            assert 1 <= awake <= awake_possible(256) < 10
            assert len(os.listdir(f"/proc/{server.pid}/fd")) < 100
        assert server.log().count("journal closed") == 0
        server.kill()
        server.start()
        with server.connect() as wire:
            assert all(wire.get(queue) == b"later" for queue in queues)
