"""A queue of thirty items, and what `darnerpy check` says of it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from darnerpy.cli.main import main
from tests.inspection.queues import LARGE, fingerprints
from tests.journals.kept import Kept

__all__ = ["COUNT", "WHOLE", "check", "put_thirty"]

COUNT = 30
WHOLE = COUNT - 1
"""All but the one that its only consumer has confirmed."""


def put_thirty(work: Kept) -> None:
    """One of them large, one confirmed above the position, one returned; two consumers."""
    for n in range(1, COUNT):
        work.put(b"item %d " % n * n)
        if n == 10:
            work.queue.consumer(b"audit")
            work.commit()
    work.put_large(b"x" * LARGE)
    held = [work.queue.open(work.queue.own) for _ in range(3)]
    for each in held[1:]:
        assert each is not None
    work.queue.close(held[1])  # type: ignore[arg-type]
    work.queue.abort(held[2])  # type: ignore[arg-type]
    work.commit()


def check(
    capsys: pytest.CaptureFixture[str], data: Path, *flags: str, expected: int | None = None
) -> dict[str, Any]:
    """What `check --json` says of the one queue there is."""
    before = fingerprints(data)
    code = main(["check", os.fspath(data), "--json", *flags])
    line = capsys.readouterr().out
    found: dict[str, Any] = json.loads(line)
    if "--repair" not in flags:
        assert fingerprints(data) == before, "check changed something"
    assert code == (0 if found["clean"] else 1)
    assert expected is None or code == expected
    return found
