"""One core: what the library wrote the server opens, and back."""

from pathlib import Path

import pytest

import darnerpy
from tests.conftest import MakeServer
from tests.servers import ServerProcess
from tests.shell import Shell

LARGE = bytes(range(256)) * 2000


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
def test_the_server_opens_what_the_library_wrote(make_server: MakeServer, engine: str) -> None:
    server = make_server(engine=engine)
    server.stop()
    with darnerpy.Queue(server.data, "mail", engine=engine) as q:
        audit = q.consumer("audit")
        q.put_many([b"gone", b"back", b"small"], flags=7)
        q.put(LARGE, flags=9)
        q.get()
        q.reserve().abort()
        q.consumer("late", start="head")
        assert audit.get() == b"gone"
    server.start()
    with server.connect() as wire:
        wire.wait_until("mail", items=3, returned=1)
        assert wire.ask(b"get mail\r\n") == b"VALUE mail 7 4\r\nback\r\nEND\r\n"
        assert wire.get("mail+audit") == b"back"
        assert wire.get("mail+late") == b"gone"  # which `audit` had not confirmed
        assert wire.get("mail") == b"small"
        assert wire.ask(b"get mail\r\n") == b"VALUE mail 9 %d\r\n%b\r\nEND\r\n" % (
            len(LARGE),
            LARGE,
        )
        assert wire.get("mail") is None


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
def test_the_library_opens_what_the_server_wrote(make_server: MakeServer, engine: str) -> None:
    server = make_server(engine=engine)
    with server.connect() as wire:
        wire.get("mail+audit")
        wire.put("mail", b"one", b"two", LARGE)
        assert wire.ask(b"set mail 5 3600 5\r\nthree\r\n") == b"STORED\r\n"
        wire.put("a%b", b"another")
        assert wire.get("mail/open") == b"one"
        assert wire.get("mail/abort") is None
    with pytest.raises(darnerpy.DataDirError, match=f"process {server.pid}"):
        darnerpy.Queue(server.data, "mail")
    server.stop()
    with darnerpy.open(server.data) as queues:
        assert sorted(queues) == ["a%b", "mail"]
        mail = queues["mail"]
        assert mail.consumers() == ["audit"]
        with mail.reserve() as item:
            assert (item.data, item.attempts, item.flags) == (b"one", 1, 0)
        assert mail.get_many(2) == [b"two", LARGE]
        with mail.reserve() as item:
            assert (item.data, item.flags) == (b"three", 5)
            assert item.expires == pytest.approx(item.created + 3600, abs=2)
        assert len(mail.consumer("audit")) == 4


def test_to_and_fro(make_server: MakeServer) -> None:
    server: ServerProcess = make_server()
    for turn in range(3):
        with server.connect() as wire:
            wire.put("q", b"server %d" % turn)
        server.stop()
        with darnerpy.Queue(server.data, "q") as q:
            q.put(b"library %d" % turn)
        server.start()
    with server.connect() as wire:
        found = [wire.get("q") for _ in range(7)]
    assert found == [
        *(b"%b %d" % (who, turn) for turn in range(3) for who in (b"server", b"library")),
        None,
    ]


def test_check_finds_nothing_wrong(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with darnerpy.Queue(data) as q:
        q.put_many([b"x"] * 100)
        q.get_many(50)
        q.put(LARGE)
    done = Shell("").run("check", str(data))
    assert done.returncode == 0, done.stdout + done.stderr
