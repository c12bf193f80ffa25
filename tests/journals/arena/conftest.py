"""Arenas, and how their parts are made small enough to be tried in every way."""

import pytest

from darnerpy.journals.arena import appending


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches have many records, though they are small."""
    monkeypatch.setattr(appending, "BLOCK_BYTES", 400)
