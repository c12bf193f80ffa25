"""Arenas, and how their parts are made small enough to be tried in every way."""

import pytest

from darnerpy.journals.arena import active, appending, trimming
from darnerpy.journals.arena.moving import move


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches have many records, though they are small, and what is written is noted every few of them."""
    monkeypatch.setattr(appending, "BLOCK_BYTES", 400)
    monkeypatch.setattr(active, "_NOTE_EVERY", 600)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What is left of small segments is moved as soon as that gives anything back; one for each such try."""
    told: list[bool] = []

    def moving(*args: object) -> bool:
        told.append(move(*args))  # type: ignore[arg-type]
        return told[-1]

    monkeypatch.setattr(trimming, "move", moving)
    monkeypatch.setattr(trimming, "SMALLEST", 512)
    monkeypatch.setattr(trimming, "_SPARE", 0)
    monkeypatch.setattr(active, "SMALLEST", 4096)
    return told
