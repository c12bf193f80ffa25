"""What a running server tells of its items, and `darnerpy tap`, which shows it."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from darnerpy import Ring
from darnerpy.server.events import FILE
from tests.conftest import MakeServer, loops
from tests.servers import DARNERPY, ServerProcess, Wire, wait_until
from tests.shell import Shell
from tests.taps import Tapper, told_in

TAPPED = '[queues."*"]\ntap = true\n'


def words(server: ServerProcess) -> list[str]:
    """What was told, in short: kind, name and number, size, target."""
    if server.running:
        with server.connect() as wire:
            wire.ask(
                b"version\r\n"
            )  # it is answered when the turn before is over, and all of it told
    found = []
    for event in told_in(server.data):
        name = os.fsdecode(event.queue + (b"+" + event.consumer if event.consumer else b""))
        target = f" -> {os.fsdecode(event.target)}" if event.target else ""
        found.append(f"{event.kind} {name} {event.id} {event.size}{target}".replace("  ", " "))
    return found


def told_of(server: ServerProcess, queue: str) -> list[str]:
    return [each for each in words(server) if each.split()[1].partition("+")[0] == queue]


def reconfigure(server: ServerProcess, wire: Wire, toml: str) -> None:
    (server.data.parent / "darnerpy.toml").write_text(toml)
    assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"


# --- What is told


@loops
def test_each_kind_once_and_in_order(make_server: MakeServer, loop: str) -> None:
    toml = (
        TAPPED
        + "[queues.short]\nmax_items = 2\ndiscard_old_when_full = true\n"
        + '[queues.held]\nopen_timeout = "20ms"\n'
        + '[queues.tried]\nmax_attempts = 1\ndead_letter = "failed"\nexpire_to = "late"\n'
        + '[queues.dropped]\nmax_attempts = 1\ndead_letter = "drop"\n'
    )
    server = make_server(toml=toml, sync="never", loop=loop)
    with server.connect() as wire, server.connect() as other:
        wire.put("work", b"1", b"22", b"333", b"4444")
        assert wire.get("work+audit") is None
        assert wire.get("work") == b"1"
        assert wire.get("work/open") == b"22"
        assert wire.get("work/close/open") == b"333"
        assert wire.get("work/abort") is None
        assert other.get("work/open") == b"333"
        other.close()
        wire.wait_until("work", items=2)
        wire.put("work+audit", b"a")
        assert wire.get("work/peek") == b"333"
        assert wire.ask(b"flush work\r\n") == b"END\r\n"
        assert wire.ask(b"delete work+audit\r\n") == b"DELETED\r\n"
        assert wire.ask(b"delete work\r\n") == b"DELETED\r\n"
        assert told_of(server, "work") == [
            "put work 1 1",
            "put work 2 2",
            "put work 3 3",
            "put work 4 4",
            "take work 1 1",
            "open work 2 2",
            "close work 2 2",
            "open work 3 3",
            "abort work 3 3",
            "open work 3 3",
            "disconnect work 3 3",
            "put work+audit 5 1",
            "flush work 2 7",
            "flush work+audit 1 1",
            "delete work+audit 0 0",
            "delete work 0 0",
        ]
        wire.put("short", b"1", b"2", b"3")
        assert told_of(server, "short") == [
            "put short 1 1",
            "put short 2 1",
            "discard short 1 1",
            "put short 3 1",
        ]
        wire.put("held", b"1")
        assert wire.get("held/open") == b"1"
        wire.wait_until("held", open_transactions=0)
        assert told_of(server, "held") == ["put held 1 1", "open held 1 1", "timeout held 1 1"]
        for queue in ("tried", "dropped"):
            assert wire.ask(b"set %b 0 -1 3\r\nold\r\n" % queue.encode()) == b"STORED\r\n"
            wire.put(queue, b"new")
            assert wire.get(f"{queue}/open") == b"new"
            assert wire.get(f"{queue}/abort") is None
        wire.wait_until("failed", items=1)
        wire.wait_until("late", items=1)
        wire.wait_until("tried", items=0)
        assert sorted(told_of(server, "tried")) == [
            "abort tried 2 3",
            "move tried 1 3 -> late",
            "move tried 2 3 -> failed",
            "open tried 2 3",
            "put tried 1 3",
            "put tried 2 3",
        ]
        assert told_of(server, "failed") == ["put failed 1 3"]
        dropped = told_of(server, "dropped")
        assert [each for each in dropped if " 1 " in each] == [
            "put dropped 1 3",
            "expiry dropped 1 3",
        ]
        assert [each for each in dropped if " 2 " in each] == [
            "put dropped 2 3",
            "open dropped 2 3",
            "abort dropped 2 3",
            "drop dropped 2 3",
        ]
        wire.put("stopped", b"1")
        assert wire.get("stopped/open") == b"1"
        pid = server.pid
        server.stop()
    assert words(server)[0] == f"start {pid} 0"
    assert words(server)[-1] == "return stopped 1 1"
    numbers = [event.number for event in told_in(server.data)]
    assert numbers == list(range(len(numbers)))


def test_a_large_item_is_told_like_any_other(make_server: MakeServer) -> None:
    server = make_server(tap="true", sync="always")
    with server.connect() as wire:
        wire.put("work", b"x" * (1 << 20))
        assert wire.get("work") == b"x" * (1 << 20)
    assert words(server)[1:] == ["put work 1 1048576", "take work 1 1048576"]


def test_who_waited_is_told(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with server.connect() as wire, server.connect() as taker, server.connect() as opener:
        wire.make("work")
        taker.send(b"get work/t=20000\r\n")
        wire.wait_until("work", waiters=1)
        opener.send(b"get work/open/t=20000\r\n")
        wire.wait_until("work", waiters=2)
        wire.put("work", b"1", b"2")
        assert taker.read_reply() == b"VALUE work/t=20000 0 1\r\n1\r\nEND\r\n"
        assert opener.read_reply() == b"VALUE work/open/t=20000 0 1\r\n2\r\nEND\r\n"
        assert sorted(words(server)[3:]) == [
            "open work 3 1",
            "put work 2 1",
            "put work 3 1",
            "take work 2 1",
        ]


# --- On and off


def test_off_there_is_no_ring(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.put("work", b"1")
        assert not (server.data / FILE).exists()
        stats = wire.stats()
        assert (stats["tap"], stats["tap_events"]) == ("off", "0")


def test_a_reload_turns_it_on_and_off_for_queues_that_are_there(make_server: MakeServer) -> None:
    server = make_server(toml="# nothing is tapped\n")
    with server.connect() as wire:
        wire.put("work", b"1", b"2", b"3")
        wire.put("other", b"1")
        assert wire.get("work/open") == b"1"
        reconfigure(server, wire, "[queues.work]\ntap = true\n")
        assert wire.get("work/close/open") == b"2"
        assert wire.get("other") == b"1"
        assert words(server)[1:] == ["close work 1 1", "open work 2 1"]
        assert wire.stats()["tap"] == "on"
        reconfigure(server, wire, "[queues.other]\ntap = true\n")
        assert wire.get("work/close") is None
        wire.put("other", b"2")
        assert words(server)[3:] == ["put other 2 1"]
        with Ring.open(server.data / FILE) as reader:
            reconfigure(server, wire, "")
            wire.put("other", b"3")
            assert list(reader) == []
        assert not (server.data / FILE).exists()
        assert wire.stats()["tap"] == "off"
        reconfigure(server, wire, "[queues.other]\ntap = true\n")
        wire.put("other", b"4")
        assert words(server)[1:] == ["put other 4 1"]


def test_a_restart_goes_on_with_the_ring(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with server.connect() as wire:
        wire.put("work", b"1")
    first = server.pid
    server.restart()
    second = server.pid
    with server.connect() as wire:
        wire.put("work", b"2")
        assert wire.get("work/open") == b"1"
        wire.ask(b"version\r\n")  # without the pump, the reply before may come before it is told
        server.kill()
    server.start()
    with server.connect() as wire:
        assert wire.get("work") == b"1"
    assert words(server) == [
        f"start {first} 0",
        "put work 1 1",
        f"start {second} 0",
        "put work 2 1",
        "open work 1 1",
        f"start {server.pid} 0",
        "take work 1 1",
    ]
    assert [event.number for event in told_in(server.data)] == list(range(7))


def test_a_ring_of_another_size_and_what_is_no_ring_make_room(make_server: MakeServer) -> None:
    server = make_server(tap="true", tap_size="1MiB")
    with server.connect() as wire:
        wire.put("work", b"1")
    server.stop()
    server.flags.append("--tap-size=2MiB")
    server.start()
    assert words(server) == [f"start {server.pid} 0"]
    assert (server.data / FILE).stat().st_size == (2 << 20) + 4096
    server.stop()
    (server.data / FILE).write_bytes(b"no ring")
    server.start()
    assert "the tap begins anew" in server.log()
    assert words(server) == [f"start {server.pid} 0"]
    server.stop()
    server.flags = [flag for flag in server.flags if not flag.startswith("--tap")]
    server.start()
    assert not (server.data / FILE).exists()


# --- What fails


def test_a_ring_that_was_cut_off_stops_the_tap_and_nothing_else(make_server: MakeServer) -> None:
    server = make_server(toml=TAPPED)
    with server.connect() as wire:
        os.truncate(server.data / FILE, 0)
        wire.put("work", b"1", b"2")
        assert wire.get("work") == b"1"
        assert wire.stats()["tap"] == "failed"
        server.wait_for_log("the tap stops: .*cut off")
        reconfigure(server, wire, TAPPED)
        assert wire.get("work") == b"2"
        assert words(server)[1:] == ["take work 2 1"]
        assert wire.stats()["tap"] == "on"
    server.process.terminate()
    server.wait_for_exit(0)
    assert server.log().count("the tap stops") == 1


def test_a_ring_that_was_removed_is_given_up(make_server: MakeServer) -> None:
    server = make_server(toml=TAPPED)
    with server.connect() as wire:
        (server.data / FILE).unlink()

        def has_stopped() -> bool:
            wire.put("work", b"1")
            return wire.stats()["tap"] == "failed"

        wait_until(has_stopped)
        server.wait_for_log("the tap stops: .*was removed or replaced")
        reconfigure(server, wire, TAPPED)
        assert wire.ask(b"flush work\r\n") == b"END\r\n"
        assert words(server)[1].startswith("flush work")
    server.process.terminate()
    server.wait_for_exit(0)
    assert server.log().count("the tap stops") == 1


def test_a_reload_makes_a_new_ring_at_once_where_it_was_removed(make_server: MakeServer) -> None:
    server = make_server(toml=TAPPED)
    with server.connect() as wire:
        for spoil in (Path.unlink, lambda path: os.truncate(path, 0)):
            wire.put("work", b"1")  # so that it was looked at just now
            spoil(server.data / FILE)
            reconfigure(server, wire, TAPPED)
            assert wire.stats()["tap"] == "on"
            assert wire.ask(b"flush work\r\n") == b"END\r\n"
            assert words(server)[1].startswith("flush work")
    server.process.terminate()
    server.wait_for_exit(0)
    assert server.log().count("the tap stops") == 2


def test_without_room_for_the_ring_the_server_does_without(
    make_server: MakeServer, tmp_path: Path
) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    server = make_server(toml=f"min_free_disk = {free + (1 << 30)}\n{TAPPED}")
    with server.connect() as wire:
        assert wire.stats()["tap"] == "failed"
        assert wire.get("work") is None
        assert not (server.data / FILE).exists()
        reconfigure(server, wire, f"min_free_disk = 1\n{TAPPED}")
    server.wait_for_log("the tap stops: .* bytes are needed")
    server.process.terminate()
    server.wait_for_exit(0)


# --- darnerpy tap


def test_the_lines(make_server: MakeServer) -> None:
    toml = f'{TAPPED}[queues.work]\nmax_attempts = 1\ndead_letter = "failed"\n'
    server = make_server(toml=toml)
    with server.connect() as wire, Tapper(server.data, "--since", "oldest") as tapper:
        wire.put("work", b"12345")
        assert wire.get("work/open") == b"12345"
        assert wire.get("work/abort") is None
        wire.wait_until("failed", items=1)
        assert wire.get("failed+audit") is None
        assert wire.ask(b"set \xff\x01+ 0 0 1\r\n1\r\n").startswith(b"CLIENT_ERROR")
        assert wire.ask(b"set \xff 0 0 1\r\n1\r\n") == b"STORED\r\n"
        assert wire.ask(b"flush failed+audit\r\n") == b"END\r\n"
        assert wire.ask(b"delete \xff\r\n") == b"DELETED\r\n"
        lines = tapper.until("delete ")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    assert all(re.match(time, line) for line in lines)
    shown = [re.sub(time, "", line) for line in lines]
    assert [line for line in shown if "failed id" not in line] == [
        f"start      pid={server.pid}",
        "put        work id=1 bytes=5",
        "open       work id=1 bytes=5",
        "abort      work id=1 bytes=5",
        "move       work id=1 bytes=5 target=failed",
        "put        \\xff id=1 bytes=1",
        "flush      failed+audit items=0 bytes=0",
        "delete     \\xff items=1 bytes=1",
    ]


def test_json_for_programs(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with server.connect() as wire, Tapper(server.data, "--since=oldest", "--json") as tapper:
        assert wire.get("work+audit") is None
        wire.put("work", b"12345")
        assert wire.get("work+audit") == b"12345"
        assert wire.ask(b"flush work\r\n") == b"END\r\n"
        wait_until(lambda: len(tapper.lines) == 5)
        start, put, take, flush, last = tapper.told
    assert abs(put.pop("time") - int(wire_time(server)) * 1000) < 60_000
    for each in (start, take, flush, last):
        del each["time"]
    assert start == {"number": 0, "event": "start", "pid": server.pid}
    assert put == {"number": 1, "event": "put", "queue": "work", "id": 1, "bytes": 5}
    about = {"queue": "work", "consumer": "audit"}
    assert take == {"number": 2, "event": "take", **about, "id": 1, "bytes": 5}
    assert flush == {"number": 3, "event": "flush", "queue": "work", "items": 1, "bytes": 5}
    assert last == {"number": 4, "event": "flush", **about, "items": 0, "bytes": 0}


def test_a_queue_that_nobody_can_have_is_refused(tmp_path: Path) -> None:
    for name, why in (("a b", "may not contain byte 0x20 (at 1)"), ("+", "both sides of the +")):
        done = subprocess.run(
            [*DARNERPY, "tap", name, "--data", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert why in done.stderr


def wire_time(server: ServerProcess) -> str:
    with server.connect() as wire:
        return wire.stats()["time"]


def test_what_is_asked_for(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with server.connect() as wire:
        for queue in ("mail-in", "mail-out", "work"):
            assert wire.get(f"{queue}+audit") is None
            wire.put(queue, b"1")
            assert wire.get(queue) == b"1"
            assert wire.get(f"{queue}+audit") == b"1"
        wire.put("last", b"1")
    every = {
        f"{kind} {queue}"
        for queue in ("mail-in", "mail-out", "work")
        for kind in ("put", "take", "take+audit")
    }
    for asked, wanted in {
        "*": every | {"put last"},
        "work": {each for each in every if "work" in each},
        "mail-*": {each for each in every if "mail" in each},
        "work+audit": {"put work", "take+audit work"},
        "*+audit": {each for each in every if not each.startswith("take ")} | {"put last"},
    }.items():
        with Tapper(server.data, asked, "--json", "--since=oldest") as tapper:
            told = told_until(tapper, len(wanted) + 1)
        assert told[0]["event"] == "start"
        assert len(told) == len(wanted) + 1
        assert wanted == {
            each["event"] + ("+audit" if "consumer" in each else "") + " " + each["queue"]
            for each in told[1:]
        }


def test_only_what_happens_next_is_shown(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with server.connect() as wire:
        wire.put("work", b"before")
        with Tapper(server.data, "--json") as tapper:

            def put() -> bool:
                wire.put("work", b"1")
                return len(tapper.lines) > 3

            wait_until(put)
            told = tapper.told
    numbers = [each["number"] for each in told]
    assert told[0]["id"] > 1
    assert numbers == list(range(numbers[0], numbers[0] + len(told)))


def test_whoever_is_lapped_is_told_how_many_events_it_missed(make_server: MakeServer) -> None:
    server = make_server(tap="true", tap_size="1MiB", sync="never")
    with server.connect() as wire:
        for number in range(100):
            assert wire.get(f"work+{number:0200}") is None
        wire.put("work", b"1")
        with Tapper(server.data, "--json") as tapper:

            def put() -> bool:
                wire.put("work", b"1")
                return bool(tapper.lines)

            wait_until(put)
            tapper.process.send_signal(signal.SIGSTOP)
            for _ in range(100):
                assert wire.ask(b"flush work\r\n") == b"END\r\n"
            wire.put("work", b"last")
            events = int(wire.stats()["tap_events"])
            tapper.process.send_signal(signal.SIGCONT)
            tapper.until('"bytes": 4}')
            told = tapper.told
    first = told[0]["number"]
    missed = sum(each["events"] for each in told if each["event"] == "missed")
    assert missed > 0
    assert events == first + missed + len([each for each in told if each["event"] != "missed"])


def test_it_waits_for_a_server_and_for_the_next_one(make_server: MakeServer) -> None:
    server = make_server()
    server.stop()
    with Tapper(server.data, "--json") as tapper:
        tapper.complains(f"waiting: no server with tap = true for a queue runs on {server.data}")
        server.start()
        server.stop()
        server.flags.append("--tap=true")
        pids = []
        for number in range(3):
            server.start()
            pids.append(server.pid)
            with server.connect() as wire:
                wire.put("work", b"1")
                told_until(tapper, 2 * number + 2)
            if number == 1:
                server.stop()
            else:
                server.kill()
        tapper.complains(f"waiting: no server writes to {server.data / FILE}")
        told = tapper.told
    assert [each["pid"] for each in told if each["event"] == "start"] == pids
    assert [each["number"] for each in told] == list(range(len(told)))


def test_reloads_under_a_tapper(make_server: MakeServer) -> None:
    server = make_server(toml="# nothing\n")
    with server.connect() as wire, Tapper(server.data, "--json") as tapper:
        tapper.complains("no server with tap = true")
        reconfigure(server, wire, TAPPED)
        wire.put("work", b"1")
        assert [each["event"] for each in map(dict, told_until(tapper, 2))] == ["start", "put"]
        reconfigure(server, wire, "")
        wait_until(
            lambda: len([each for each in tapper.complaints if "with tap = true" in each]) == 2
        )
        reconfigure(server, wire, TAPPED)
        wire.put("work", b"1")
        assert [each["event"] for each in told_until(tapper, 4)] == ["start", "put"] * 2


def told_until(tapper: Tapper, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(tapper.lines) >= count)
    return tapper.told


def test_a_server_that_tells_nothing_any_more(make_server: MakeServer) -> None:
    server = make_server(toml=TAPPED)
    with server.connect() as wire, Tapper(server.data, "--since=oldest") as tapper:
        tapper.until("start")
        with Ring.open(server.data / FILE):
            pass
        (server.data / "aside").write_bytes(b"")
        os.replace(server.data / "aside", server.data / FILE)

        def has_stopped() -> bool:
            wire.put("work", b"1")
            return wire.stats()["tap"] == "failed"

        wait_until(has_stopped)
        tapper.complains("no server writes to")
    server.process.terminate()
    server.wait_for_exit(0)


def test_whoever_asks_for_what_is_not_tapped_is_told_so_once(make_server: MakeServer) -> None:
    server = make_server(toml="[queues.work]\ntap = true\n")
    with server.connect() as wire, Tapper(server.data, "other", "--json") as tapper:
        wire.put("other", b"1")
        tapper.complains("no event of other yet; there are none without tap = true")
        reconfigure(server, wire, "[queues.other]\ntap = true\n")
        wire.put("other", b"2")
        tapper.until('"put"')
        assert len(tapper.complaints) == 1
        assert [each["queue"] for each in tapper.told] == ["other"]


def test_interrupts_and_pipes(make_server: MakeServer) -> None:
    server = make_server(tap="true")
    with Tapper(server.data, "--since=oldest") as tapper:
        tapper.until("start")
        tapper.process.send_signal(signal.SIGINT)
        assert tapper.wait() == 130
        assert tapper.complaints == []
    # `head` goes away, and nothing happens that would have to be written.
    command = f"{' '.join(DARNERPY)} tap --data={server.data} --since=oldest | head -n 1"
    script = f"set -o pipefail; {command}; echo code $?"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("code 141", "")


def test_what_cannot_be_followed(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("tap", "a/b").returncode == 2
    (tmp_path / FILE).write_bytes(b"x" * 5000)
    done = shell.run("tap", f"--data={tmp_path}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"is no ring" in done.stderr
