"""Which engines the house is on."""

from collections.abc import Iterator

import pytest

from tests.brokers.house import House


@pytest.fixture(params=["leveldb", "arena"])
def every_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """The house is on each engine that keeps things on disk, one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(House, "engine", request.param)
        yield
