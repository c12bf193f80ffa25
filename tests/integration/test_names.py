"""Queue names: whatever they are, they are queues apart and harmless on disk."""

from pathlib import Path

from tests.conftest import MakeServer
from tests.servers import wait_until

NAMES = (
    *(b".", b"..", b"~", b"~root", b"-", b"--help", b"*", b"\\", b"%2E", b"$(x)", b".trash"),
    *(b"work", b"WORK", b"Work", b"work.", b"LOCK", b"queues", b"x" * 250, b"." * 250, b"X" * 250),
    *(bytes(range(0x21, 0x2B)), bytes(range(0x2C, 0x2F)), bytes(range(0x30, 0x7F))),
    *(bytes(range(0x80, 0xC0)), bytes(range(0xC0, 0x100)), b"\xff", "größe".encode()),
)


def test_any_name_is_a_queue_of_its_own(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(sync="never")
    around = sorted(server.data.parent.iterdir())
    with server.connect() as wire:
        for number, name in enumerate(NAMES):
            data = b"%d" % number
            assert wire.ask(b"set %b 0 0 %d\r\n%b\r\n" % (name, len(data), data)) == b"STORED\r\n"
    directories = list((server.data / "queues").iterdir())
    assert len(directories) == len(NAMES)
    assert all(directory.is_dir() for directory in directories)
    assert len({directory.name.lower() for directory in directories}) == len(NAMES)
    assert all(directory.name.isascii() for directory in directories)
    assert sorted(server.data.parent.iterdir()) == around

    with server.restart().connect() as wire:
        wait_until(lambda: wire.stats()["loading"] == "0")
        stats = wire.ask(b"stats\r\n")
        for number, name in enumerate(NAMES):
            assert b"STAT queue_%b_items 1\r\n" % name in stats
            data = b"%d" % number
            value = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (name, len(data), data)
            assert wire.ask(b"get %b\r\n" % name) == value
            assert wire.ask(b"delete %b\r\n" % name) == b"DELETED\r\n"
        assert list((server.data / "queues").iterdir()) == []


def test_looking_for_a_queue_makes_none(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire, server.connect() as waiting:
        waiting.send(b"get work/t=20000\r\n")
        for line in (b"get work2", b"get work2/peek", b"get work2/t=1", b"get work2/open/t=1"):
            assert wire.ask(line + b"\r\n") == b"END\r\n"
        for line in (b"get work2/close", b"get work2/abort", b"flush work2"):
            assert wire.ask(line + b"\r\n") == b"END\r\n"
        assert wire.ask(b"delete work2\r\n") == b"DELETED\r\n"
        names = wire.stats()
        assert (names["queue_creates"], names["queue_deletes"]) == ("0", "0")
        assert not [name for name in names if name.startswith("queue_work")]
        assert list((server.data / "queues").iterdir()) == []

        wire.put("work", b"x")
        assert waiting.read_reply() == b"VALUE work/t=20000 0 1\r\nx\r\nEND\r\n"
        assert wire.stats("work")["items"] == "0"
        assert wire.stats()["queue_creates"] == "1"
