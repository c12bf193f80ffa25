"""Queues on disk of every engine."""

import pytest

from darnerpy.journals.contract import DiskEngine
from darnerpy.journals.engines import DISK_ENGINES
from tests.brokers.house import House


@pytest.fixture(params=list(DISK_ENGINES.values()), ids=list(DISK_ENGINES))
def engine(request: pytest.FixtureRequest) -> DiskEngine:
    made: DiskEngine = request.param
    return made


@pytest.fixture
def every_engine(engine: DiskEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The house is on each engine, one after the other."""
    monkeypatch.setattr(House, "engine", engine.name)
