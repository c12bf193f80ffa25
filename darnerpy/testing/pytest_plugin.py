"""A fixture for pytest: `pytest_plugins = ["darnerpy.testing.pytest_plugin"]` in a conftest.py.

The only module that needs pytest, which darnerpy does not install.
"""

from collections.abc import Iterator

import pytest

from .server import RunningServer

__all__ = ["darner_server"]


@pytest.fixture
def darner_server() -> Iterator[RunningServer]:
    """A running server, empty and for this test alone. It does not wait for the disk."""
    with RunningServer(sync="never") as server:
        yield server
