"""A client of HTTP for the tests: one connection, every byte of an answer to be seen."""

import json
from http.client import HTTPConnection
from typing import Any, NamedTuple

from tests.servers import TIMEOUT, ServerProcess

__all__ = ["Said", "Web"]


class Said(NamedTuple):
    """An answer. headers: by name in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """What a problem says; that it is one, and says its own status, is checked."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        detail: str = self.json["detail"]
        return detail


class Web:
    """Asks one server, on a connection that is kept as long as the server keeps it."""

    def __init__(self, server: ServerProcess | str) -> None:
        address = server if isinstance(server, str) else server.http_address
        self.connection = HTTPConnection(address, timeout=TIMEOUT)

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Said:
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Said(response.status, names, response.read())

    def get(self, path: str, **headers: str) -> Said:
        return self.ask("GET", path, None, _headers(headers))

    def post(self, path: str, body: Any = b"", **headers: str) -> Said:
        return self.ask("POST", path, body, _headers(headers))


def _headers(given: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
