"""What the tests of the command line share."""

import pytest

from tests.servers import ServerProcess
from tests.shell import Shell


@pytest.fixture
def shell(server: ServerProcess) -> Shell:
    """Runs commands against the server that the tests of a module share."""
    return Shell(server.address)
