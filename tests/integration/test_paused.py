"""A queue that somebody has paused, as clients of the memcache port meet it: also after kill -9."""

import json
from pathlib import Path

import pytest

from darnerpy.cli.main import main
from tests.conftest import MakeServer
from tests.servers import wait_until

pytestmark = pytest.mark.parametrize("engine", ["leveldb", "arena"])


def bring_in(data: Path, engine: str, *paused: str) -> None:
    """A queue `work` with the items 1, 2 and 3, of which this is paused."""
    head = {"darnerpy": "queue", "version": 1, "queue": "work", "exported": 1, "consumers": []}
    lines = [head | {"paused": list(paused)}, *({"text": text} for text in "123")]
    file = data.parent / "file"
    file.write_text("".join(json.dumps(each) + "\n" for each in [*lines, {"items": 3, "bytes": 3}]))
    assert (
        main(["import", "--from", "jsonl", str(file), "--data", str(data), "--engine", engine]) == 0
    )


@pytest.mark.parametrize("sync", ["always", "never"])
def test_paused_puts(make_server: MakeServer, engine: str, sync: str) -> None:
    server = make_server(sync=sync)
    server.stop()
    bring_in(server.data, engine, "puts")
    for number in b"1", b"2":
        server.start()
        with server.connect() as wire:
            assert wire.ask(b"set work 0 0 1\r\nx\r\n") == b"SERVER_ERROR paused\r\n"
            assert wire.ask(b"set work+a 0 0 1\r\nx\r\n") == b"SERVER_ERROR paused\r\n"
            large = b"set work 0 0 400000\r\n" + b"x" * 400_000 + b"\r\n"
            assert wire.ask(large) == b"SERVER_ERROR paused\r\n"
            assert wire.ask(b"set other 0 0 1\r\nx\r\n") == b"STORED\r\n"
            assert wire.get("work") == number
            assert wire.stats("work")["paused"] == "puts"
        server.kill()


def test_paused_gets(make_server: MakeServer, engine: str) -> None:
    server = make_server()
    server.stop()
    bring_in(server.data, engine, "gets")
    for items in "4", "5":
        server.start()
        with server.connect() as wire, server.connect() as other:
            for ask in "work", "work/open", "work/peek", "work/peek/offset=1", "work/t=20":
                assert wire.get(ask) is None
            assert wire.ask(b"monitor work 0\r\n") == b"END\r\n"
            assert wire.ask(b"flush_expired work\r\n") == b"0\r\n"
            assert wire.ask(b"set work 0 0 1\r\nx\r\n") == b"STORED\r\n"
            stats = wire.stats("work")
            assert (stats["paused"], stats["items"], stats["waiters"]) == ("gets", items, "0")
            other.send(b"get work/t=60000\r\n")
            wait_until(lambda w=wire: w.stats("work")["waiters"] == "1")  # type: ignore[misc]
            other.expect_silence()
        server.kill()
