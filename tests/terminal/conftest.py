"""What the tests of this folder share."""

from pathlib import Path

import pytest

from tests.servers import DARNERPY, ServerProcess
from tests.shell import Shell


@pytest.fixture
def shell(server: ServerProcess) -> Shell:
    return Shell(server.address)


@pytest.fixture(scope="session")
def bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH in which `darnerpy` is the program under test."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "darnerpy"
    program.write_text(f'#!/bin/sh\nexec {" ".join(DARNERPY)} "$@"\n')
    program.chmod(0o755)
    return folder
