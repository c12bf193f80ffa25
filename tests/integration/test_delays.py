"""Items that are not due yet, in a real server: no client of it can ask for one yet, so they are imported."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from darnerpy.cli.main import main
from tests.conftest import MakeServer

pytestmark = pytest.mark.parametrize("engine", ["leveldb", "arena"])


def bring_in(data: Path, engine: str, *items: dict[str, Any]) -> None:
    """A queue `later` with the consumer `audit`."""
    head = {"darnerpy": "queue", "version": 1, "queue": "later", "consumers": ["audit"]}
    size = sum(len(item["text"]) for item in items)
    lines = [head | {"exported": 1}, *items, {"items": len(items), "bytes": size}]
    file = data.parent / "file"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ["--data", os.fspath(data), "--engine", engine]
    assert main(["import", "--from", "jsonl", os.fspath(file), *flags]) == 0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_client_that_waits_gets_it_when_it_is_due_not_before(
    make_server: MakeServer, engine: str
) -> None:
    for seconds in (2.5, 10, 40):  # a slow machine needs more to see that it is not due yet
        server = make_server()
        server.stop()
        due = now_ms() + int(1000 * seconds)
        bring_in(server.data, engine, {"text": "late", "due": due}, {"text": "now"})
        server.start()
        with server.connect() as wire, server.connect() as other:
            seen = wire.get("later"), wire.get("later"), other.get("later+audit")
            stats = wire.stats("later")
            if now_ms() >= due:
                continue
            assert seen == (b"now", None, b"now")
            assert (stats["items"], stats["delayed"]) == ("1", "1")
            assert wire.get("later/t=120000") == b"late"
            assert now_ms() >= due
            # To each consumer it is due by itself, as its clocks' milliseconds have been rounded.
            assert other.get("later+audit/t=120000") == b"late"
            return
    pytest.fail("it was always due already")


def test_it_outlives_kills_and_what_is_behind_it(make_server: MakeServer, engine: str) -> None:
    server = make_server(sync="never")
    server.stop()
    due = now_ms() + 3_600_000
    texts = [{"text": f"{n}", "due": due} if n % 3 == 0 else {"text": f"{n}"} for n in range(60)]
    bring_in(server.data, engine, *texts)
    server.start()
    expected = [b"%d" % n for n in range(60) if n % 3]
    for round_ in range(2):
        with server.connect() as wire:
            wire.put("later", b"more %d" % round_)
            expected.append(b"more %d" % round_)
            half = len(expected) // 2
            assert [wire.get("later") for _ in range(half)] == expected[:half]
            del expected[:half]
        server.kill()
        server.start()
    with server.connect() as wire:
        assert [wire.get("later") for _ in range(len(expected) + 1)] == [*expected, None]
        stats = wire.stats("later")
        assert (stats["items"], stats["delayed"]) == ("20", "20")
        wire.ask(b"flush later\r\n")
        assert wire.stats("later")["items"] == "0"
