"""A place for a ring that is gone with the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.ring import Ring, RingReader, RingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ring"


@pytest.fixture
def writer(path: Path) -> Iterator[RingWriter]:
    with Ring.create(path, 4096) as ring:
        yield ring


@pytest.fixture
def reader(writer: RingWriter) -> Iterator[RingReader]:
    with Ring.open(writer.path) as ring:
        yield ring
