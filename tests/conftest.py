"""What all tests share: servers, and how hard hypothesis tries (--hypothesis-profile=thorough)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from darnerpy.server.pump import AVAILABLE
from tests.servers import DARNERPY, ServerProcess, Wire

settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000)
settings.load_profile("quick")


needs_pump = pytest.mark.skipif(not AVAILABLE, reason="the pump is not compiled here")
EVERY_LOOP = ["uvloop", "asyncio", pytest.param("pump", marks=needs_pump)]
loops = pytest.mark.parametrize("loop", EVERY_LOOP)


def pytest_report_header() -> str:
    """Which build of the program is run; the tests themselves import the sources."""
    return subprocess.check_output((*DARNERPY, "--version"), text=True).strip()


class MakeServer(Protocol):
    def __call__(self, **settings: Any) -> ServerProcess: ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module's SERVERS, settings by name, are what its tests share one after another."""
    servers = getattr(metafunc.module, "SERVERS", {})
    if servers and "server" in metafunc.fixturenames:
        every = [
            pytest.param(each, id=name, marks=[needs_pump] if each.get("loop") == "pump" else [])
            for name, each in servers.items()
        ]
        metafunc.parametrize("server", every, indirect=True)


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A running server that the tests of a module share, so each uses queues of its own.

    Unsynced unless the module's SERVERS say otherwise.
    """
    chosen = {"sync": "never"} | getattr(request, "param", {})
    with ServerProcess(tmp_path_factory.mktemp("server"), **chosen) as shared:
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


@pytest.fixture(scope="session")
def nobody() -> tuple[str, ...]:
    """What runs a command as a user to whom nothing belongs."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    tried = subprocess.run((*become, *DARNERPY, "--version"), capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("this clone, or its Python, is where only root may read")
    return become
