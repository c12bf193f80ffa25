"""`darnerpy backup` of a running server under load, and a second server that starts from the copy."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from darnerpy.cli.main import main
from tests.conftest import MakeServer
from tests.servers import ServerProcess


def test_a_second_server_drains_the_backup(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(sync="never")
    done = threading.Event()

    def load() -> None:
        with server.connect() as wire:
            number = 20_000
            while not done.is_set():
                wire.put("work", b"%d" % number)
                number += 1

    with server.connect() as wire:
        wire.put("work", *(b"%d" % n for n in range(20_000)))
        wire.put("large", b"x" * 300_000)
        assert [wire.get("work") for _ in range(100)] == [b"%d" % n for n in range(100)]
        worker = threading.Thread(target=load)
        worker.start()
        try:
            assert main(["backup", "--name", "daily", "--server", server.address]) == 0
        finally:
            done.set()
            worker.join()
        assert wire.get("work") == b"100"
    copy = ServerProcess(tmp_path / "copy")
    shutil.copytree(server.data / "backups/daily", copy.data)
    with copy, copy.connect() as wire:
        number = 100
        while (item := wire.get("work")) is not None:
            assert item == b"%d" % number
            number += 1
        assert number >= 20_000
        assert wire.get("large") == b"x" * 300_000


def test_what_is_refused(make_server: MakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.put("work", b"1")
        assert wire.ask(b"backup work one\r\n") == b"OK\r\n"
        assert wire.ask(b"backup work one\r\n").startswith(b"SERVER_ERROR there is a backup one")
        assert wire.ask(b"backup work ../two\r\n").startswith(b"CLIENT_ERROR a backup's name, 1 to")
        assert wire.ask(b"backup nosuch two\r\n") == b"SERVER_ERROR not on disk: nosuch\r\n"
        for line in (b"backup", b"backup two", b"backup work+audit two"):
            assert wire.ask(line + b"\r\n").startswith(b"CLIENT_ERROR backup takes queues"), line
        assert wire.get("work") == b"1"
    flags = ("--name", "two", "--server", server.address)
    assert main(["backup", "nosuch", "work", "none", *flags]) == 1
    said = "darnerpy: there is no queue nosuch\ndarnerpy: there is no queue none\n"
    assert capsys.readouterr() == ("", said)
    assert main(["backup", "--list", "--json", "--server", server.address]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["backups"]] == ["one"]


def test_it_can_be_switched_off(make_server: MakeServer) -> None:
    with make_server(admin_commands="false").connect() as wire:
        assert wire.ask(b"backup * one\r\n").startswith(b"CLIENT_ERROR not allowed")
