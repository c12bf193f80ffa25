"""What concerns a whole server or queue, from the command line: status, reload, consumers, backups."""

import json
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess
from tests.shell import Shell


@pytest.fixture
def own(make_server: MakeServer) -> ServerProcess:
    """A server of the test's own, with a file of settings."""
    return make_server(sync="never", toml="max_connections = 50\n")


@pytest.fixture
def shell(own: ServerProcess) -> Shell:
    return Shell(own.address)


def table(text: bytes) -> list[list[str]]:
    return [line.split() for line in text.decode().splitlines()]


# --- The server


def test_status(shell: Shell) -> None:
    assert shell.run("status").stdout == b"up\n"
    assert shell.run("status", "readonly").stdout == b""
    assert json.loads(shell.run("status", "--json").stdout) == {"status": "readonly"}
    assert shell.run("push", "work", input=b"x").returncode == 3
    assert json.loads(shell.run("status", "up", "--json").stdout) == {"status": "up"}
    shell.push("work", b"x")


def test_reload(shell: Shell, own: ServerProcess) -> None:
    done = shell.run("reload")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert json.loads(shell.run("reload", "--json").stdout) == {"reloaded": True}
    (own.data.parent / "darnerpy.toml").write_text("max_connections = 'many'\n")
    done = shell.run("reload")
    assert done.returncode == 3
    assert b"nothing has changed: " in done.stderr
    assert b"max_connections" in done.stderr


def test_shutdown(shell: Shell, own: ServerProcess) -> None:
    done = shell.run("shutdown", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopping": True})
    own.wait_for_exit(0)
    assert shell.run("shutdown").returncode == 4


def test_what_is_switched_off(make_server: MakeServer) -> None:
    shell = Shell(make_server(admin_commands="false").address)
    for words in (["reload"], ["shutdown"], ["status", "up"], ["backup", "--list"]):
        done = shell.run(*words)
        assert (done.returncode, b"not allowed" in done.stderr) == (3, True), words
    assert shell.run("status").stdout == b"up\n"


# --- Consumers


def test_consumers(shell: Shell, own: ServerProcess) -> None:
    with own.connect() as wire:
        for name in ("audit", "b,c", "größe"):
            assert wire.get(f"work+{name}") is None
        wire.put("work", b"1", b"2", b"3")
        assert wire.get("work") == b"1"
        assert wire.get("work+audit/open") == b"1"
        shown = table(shell.run("consumers", "work").stdout)
        assert shown[0] == ["consumer", "waiting", "open", "lag", "age", "readers", "returned"]
        assert {row[0]: row[1:4] for row in shown[1:]} == {
            "work": ["2", "0", "2"],
            "work+audit": ["2", "1", "3"],
            "work+b,c": ["3", "0", "3"],
            "work+größe": ["3", "0", "3"],
        }
        found = json.loads(shell.run("consumers", "work", "--json").stdout)
        assert found["queue"] == "work"
        assert found["consumers"]["work+audit"]["open_transactions"] == 1
        assert len(found["consumers"]) == 4


def test_a_queue_without_consumers_has_its_own(shell: Shell) -> None:
    shell.push("work", b"1")
    assert [row[0] for row in table(shell.run("consumers", "work").stdout)] == ["consumer", "work"]


def test_a_consumer_is_dropped(shell: Shell) -> None:
    assert shell.get("work+audit") is None
    shell.push("work", b"1")
    done = shell.run("consumers", "work", "--drop", "audit", "--json")
    assert json.loads(done.stdout) == {"queue": "work+audit", "deleted": True}
    done = shell.run("consumers", "work", "--drop", "audit")
    assert (done.returncode, done.stderr) == (
        1,
        b"darnerpy: there is no consumer audit of work\n",
    )
    assert shell.get("work") == b"1"


# --- Backups


def test_a_backup_tells_what_is_in_it(shell: Shell, own: ServerProcess) -> None:
    assert shell.run("backup", "--list").stdout == b""
    shell.push("work", b"1", b"2")
    shell.push("mail", b"3")
    assert shell.get("mail+late") is None
    assert shell.get("mail") == b"3"
    path = own.data / "backups/monday"
    done = shell.run("backup", "--name", "monday")
    assert done.returncode == 0
    said, _, size = done.stdout.decode().rpartition(", ")
    assert said == f"{path}: 2 queues, 2 items"
    on_disk = sum(f.stat().st_size for f in path.rglob("*") if f.is_file() and f.name != "BACKUP")
    assert size == f"{on_disk:,} bytes\n"

    made = json.loads(shell.run("backup", "work", "--name", "tue.1", "--json").stdout)["made"]
    assert [(b["name"], b["path"], b["queues"], b["items"]) for b in made] == [
        ("tue.1", str(own.data / "backups/tue.1"), 1, 2)
    ]
    rows = table(shell.run("backup", "--list").stdout)
    assert [row[0] for row in rows] == ["backup", "monday", "tue.1"]
    assert [row[2:4] for row in rows[1:]] == [["2", "2"], ["1", "2"]]


def test_backups_are_pruned(shell: Shell, own: ServerProcess) -> None:
    shell.push("work", b"1")
    for name in ("zero", "one", "two"):
        assert shell.run("backup", "--name", name).returncode == 0
    (own.data / "backups/mine").mkdir()
    done = shell.run("backup", "--prune", "2")
    assert done.stdout.decode() == f"{own.data}/backups/zero: removed\n"
    own.wait_for_log(r"backup deleted backup=zero peer=127\.0\.0\.1:")
    done = shell.run("backup", "--name", "three", "--prune", "1", "--json")
    said = json.loads(done.stdout)
    assert [each["name"] for each in said["made"]] == ["three"]
    assert [each["name"] for each in said["pruned"]] == ["one", "two"]
    assert sorted(path.name for path in (own.data / "backups").iterdir()) == ["mine", "three"]
    done = shell.run("backup", "--prune", "5", "--list")
    assert [row[0] for row in table(done.stdout)] == ["backup", "three"]


def test_what_was_just_made_is_not_pruned_whatever_the_clock_said(
    shell: Shell, own: ServerProcess
) -> None:
    shell.push("work", b"1")
    shell.run("backup", "--name", "future")
    file = own.data / "backups/future/BACKUP"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"created": 2**50}))
    done = shell.run("backup", "--name", "now", "--prune", "1")
    assert done.stdout.decode().splitlines()[1:] == [f"{own.data}/backups/future: removed"]


def test_deleting_a_backup_over_the_wire(own: ServerProcess, tmp_path: Path) -> None:
    with own.connect() as wire:
        wire.put("work", b"1")
        assert wire.ask(b"backup * one\r\n") == b"OK\r\n"
        assert wire.ask(b"delete_backup two\r\n") == b"NOT_FOUND\r\n"
        assert wire.ask(b"delete_backup ..\r\n").startswith(b"CLIENT_ERROR a backup's name")
        (own.data / "backups/mine").mkdir()
        assert b"is no backup" in wire.ask(b"delete_backup mine\r\n")
        assert wire.ask(b"delete_backup one\r\n") == b"DELETED\r\n"
        assert wire.ask(b"list_backups\r\n") == b"END\r\n"
        assert [path.name for path in (own.data / "backups").iterdir()] == ["mine"]
