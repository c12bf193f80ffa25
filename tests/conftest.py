"""Servers for every test: a shared one for each module and setting, or as many as a test makes."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from tests.servers import ServerProcess, Wire

LOOPS = ({"loop": "uvloop"}, {"loop": "asyncio"})


class MakeServer(Protocol):
    def __call__(self, **settings: Any) -> ServerProcess: ...


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A running server that the tests of a module share, so each uses queues of its own.

    Unsynced unless the module parametrises it: indirectly, with a dict of settings.
    """
    settings = {"sync": "never"} | getattr(request, "param", {})
    with ServerProcess(tmp_path_factory.mktemp("server"), **settings) as shared:
        yield shared


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Start servers; those that still run at the end of the test must stop well."""
    numbers = count(1)
    with ExitStack() as servers:

        def make(**settings: Any) -> ServerProcess:
            directory = tmp_path / f"server-{next(numbers)}"
            return servers.enter_context(ServerProcess(directory, **settings))

        yield make


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A connection to the shared server."""
    with server.connect() as connection:
        yield connection


@pytest.fixture
def queue() -> str:
    """The name of a queue that no other test uses."""
    return f"q{uuid4().hex[:8]}"
