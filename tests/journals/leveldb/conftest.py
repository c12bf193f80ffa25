"""Journals in LevelDB only, for what is LevelDB's own."""

import pytest

from darnerpy.journals.contract import Engine
from darnerpy.journals.leveldb.engine import LevelDbEngine


@pytest.fixture
def engine() -> Engine:
    return LevelDbEngine()


@pytest.fixture
def disk_engine(engine: Engine) -> Engine:
    return engine
