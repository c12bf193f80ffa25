"""A queue that somebody paused, opened by a program: nobody hangs, and nobody spins."""

import json
import time
from pathlib import Path

import pytest

import darnerpy
from darnerpy.cli.main import main
from tests.library.fronts import OpenQueue


@pytest.fixture(params=["puts", "gets"])
def paused(tmp_path: Path, disk_engine: str, request: pytest.FixtureRequest) -> str:
    """What of the queue `default`, which has one item, is paused."""
    head = {"darnerpy": "queue", "version": 1, "queue": "default", "exported": 1, "consumers": []}
    lines = [head | {"paused": [request.param]}, {"text": "one"}, {"items": 1, "bytes": 3}]
    (tmp_path / "file").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ["--data", str(tmp_path / "data"), "--engine", disk_engine]
    assert main(["import", "--from", "jsonl", str(tmp_path / "file"), *flags]) == 0
    return str(request.param)


def test_puts_are_refused_and_gets_find_nothing(open_on_disk: OpenQueue, paused: str) -> None:
    queue = open_on_disk()
    assert queue.stats()["paused"] == paused
    if paused == "puts":
        for call in (queue.put, queue.put_nowait):
            with pytest.raises(darnerpy.PausedError, match=r"'default': paused"):
                call(b"two")
        with pytest.raises(darnerpy.PausedError):
            queue.put_many([b"two", b"three"])
        with pytest.raises(darnerpy.PausedError):
            queue.put(b"L" * 300_000)
        assert queue.get() == b"one"
        return
    queue.put(b"two")
    for block in (True, False):
        began = time.process_time()
        with pytest.raises(darnerpy.Empty):
            queue.get(block, 0.3 if block else None)
        with pytest.raises(darnerpy.Empty):
            queue.get_many(5, timeout=0.3) if block else queue.get_many(5, block=False)
        assert time.process_time() - began < 0.25, "it spins"
    assert queue.peek() is None
    assert queue.peek(1) is not None, "who looks behind the next item looks at what is there"
    assert queue.qsize() == 2
