"""What the tests of HTTP share: a server that speaks it, and a connection to that."""

from collections.abc import Iterator

import pytest

from tests.http.web import Web
from tests.servers import ServerProcess


@pytest.fixture
def web(server: ServerProcess) -> Iterator[Web]:
    with Web(server) as connection:
        yield connection
