"""A small client of the server's HTTP interface.

Owns one connection, and what the commands make of an answer: an error of the server's is raised with the
server's own words, and what was asked for is returned. What is not there is `Missing`, what the server
refuses `Refused`, a server that cannot be talked to `Unreachable`. Knows nothing of commands and printing.
"""

import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from ..errors import DarnerError
from ..units import UnixAddress
from .client import PIECE_BYTES, Refused, Unreachable
from .web_arguments import WebAddress

__all__ = ["Missing", "Reply", "Web", "encoded", "path_of", "split_consumer"]

_MAX_TIMEOUT_S = 2_147_000.0
_CUT_OFF = "connection closed in the middle of an answer"
_PROBLEM = "application/problem+json"
_NOBODY_BEHIND = (502, 503, 504)
"""What a proxy says while there is no server behind it; a server that says so itself adds why."""

_NOT_OURS = (404, 405, 410, 501)
"""What another server says of a path that it does not know; ours adds what is not there."""

_NO_SUCH_PATH = "there is nothing at "
"""How ours begins what it says of a path that is none of its own: something is wrong with the address."""


class Missing(DarnerError):
    """What was asked about is not there (any more)."""


class Reply(NamedTuple):
    """headers: their names are in lower case. response: what is left to read of it."""

    status: int
    headers: Mapping[str, str]
    response: HTTPResponse


class Web:
    """A context manager, which closes the connection. token: "" is none."""

    def __init__(self, address: WebAddress, timeout_ms: int, token: str = "") -> None:
        self._address = address
        self._token = token
        self._timeout_s = timeout_ms / 1000
        at = address.at
        self._connection: HTTPConnection
        if isinstance(at, UnixAddress):
            self._connection = _UnixConnection(at.path, self._seconds())
        else:
            kind = HTTPSConnection if address.secure else HTTPConnection
            self._connection = kind(at.host, at.port, timeout=self._seconds())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Whoever reads in another thread is told that the connection is lost."""
        connected = self._connection.sock
        if connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._connection.close()

    def ask(
        self,
        method: str,
        *path: bytes | str,
        query: Mapping[str, object] | None = None,
        body: object = None,
        wait_ms: int = 0,
        accept: str = "application/json",
    ) -> Reply:
        """Send a request and return what answers it. body: is sent as JSON. wait_ms: that the server may
        take longer. What of the query is None is left out.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": f"{accept}, {_PROBLEM}"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._connection.timeout = self._seconds(wait_ms)
        target = self._address.prefix + path_of(path, query or {})
        try:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._connection.timeout)
            self._connection.request(method, target, data, headers)
            response = self._connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            reply = Reply(response.status, named, response)
            if reply.status >= 300:
                self._refuse(reply, b"".join(self.pieces_of(reply)))
        except (OSError, UnicodeError, HTTPException) as error:
            self._fail(error)
        return reply

    def json(self, method: str, *path: bytes | str, **asked: Any) -> Any:
        """As `ask`; returns what the answer says, None if it says nothing."""
        data = b"".join(self.pieces_of(self.ask(method, *path, **asked)))
        try:
            return json.loads(data) if data else None
        except ValueError:
            self._fail("what it answers is no JSON")

    def header(self, reply: Reply, name: str) -> str:
        """What a header says that every server of ours sends here."""
        if name not in reply.headers:
            self._fail(f"the server answers {reply.status}, and is not darnerpy")
        return reply.headers[name]

    def pieces_of(self, reply: Reply) -> Iterator[bytes]:
        """What an answer says, as it comes. Raises `Unreachable`, also if it is cut off."""
        return self._taken(reply, lambda: reply.response.read(PIECE_BYTES))

    def lines_of(self, reply: Reply) -> Iterator[bytes]:
        """As `pieces_of`, line by line."""
        for line in self._taken(reply, reply.response.readline):
            if not line.endswith(b"\n"):
                self._fail(_CUT_OFF)
            yield line

    def queues(self, glob: str = "", limit: int = 1000) -> Iterator[dict[str, Any]]:
        """What is said of each queue whose name fits, page by page."""
        after: bytes | None = None
        while True:
            query = {"glob": glob or None, "limit": limit, "after": after}
            page = self.json("GET", "v1", "queues", query=query)
            yield from page["queues"]
            if page["next"] is None:
                return
            after = unquote_to_bytes(page["next"])

    def _taken(self, reply: Reply, take: Callable[[], bytes]) -> Iterator[bytes]:
        try:
            while part := take():
                yield part
        except (OSError, HTTPException, ValueError) as error:
            self._fail(error)
        # A connection that ends early looks like the end of the answer.
        if reply.response.length:
            self._fail(_CUT_OFF)
        # Before Python 3.11.8 and 3.12.2 `readline` leaves an empty one open, and no more can be asked.
        reply.response.close()

    def _seconds(self, more_ms: int = 0) -> float:
        return min(self._timeout_s + more_ms / 1000, _MAX_TIMEOUT_S)

    def _fail(self, cause: BaseException | str) -> NoReturn:
        if isinstance(cause, TimeoutError):
            cause = "no answer in time"
        elif isinstance(cause, UnicodeError):
            cause = "no such host"
        elif isinstance(cause, RemoteDisconnected):
            cause = "connection closed"
        elif isinstance(cause, IncompleteRead):
            cause = _CUT_OFF
        elif isinstance(cause, HTTPException):
            cause = f"does not speak HTTP: {str(cause) or type(cause).__name__}"[:200]
        elif isinstance(cause, OSError):
            cause = cause.strerror or str(cause)
        raise Unreachable(f"cannot reach {self._address}: {cause}") from None

    def _refuse(self, reply: Reply, said: bytes) -> NoReturn:
        status = reply.status
        detail = _detail_of(reply, said)
        if not detail:
            detail = f"the server answers {status}"
            if status in _NOBODY_BEHIND:
                self._fail(detail)
            if status in _NOT_OURS:
                self._fail(f"{detail}, and is not darnerpy")
        elif detail.startswith(_NO_SUCH_PATH):
            self._fail(detail)
        if status < 400:
            # It is for whoever gave the address to say where a token may go.
            detail += f", that it is at {reply.headers.get('location', 'another address')}"
        if status == 401 and self._token:
            detail = "the token that was given is not known to the server"
        elif status == 401:
            detail += "; give it by --token-file or DARNERPY_TOKEN"
        if status in (404, 410):
            raise Missing(detail)
        raise Refused(detail)


def _detail_of(reply: Reply, said: bytes) -> str:
    """Why a server of ours refuses; "" if it is not one that answers."""
    if reply.headers.get("content-type", "").partition(";")[0].strip() != _PROBLEM:
        return ""
    try:
        problem = json.loads(said)
        return str(problem["detail"] if "detail" in problem else problem["title"])
    except (ValueError, KeyError, TypeError):
        return ""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def path_of(path: Iterable[bytes | str], query: Mapping[str, object]) -> str:
    """A path of the interface: bytes are names, text is as it is."""
    parts = (part if isinstance(part, str) else encoded(part) for part in path)
    asked = "&".join(f"{k}={_in_query(v)}" for k, v in query.items() if v is not None)
    return "/" + "/".join(parts) + (f"?{asked}" if asked else "")


def split_consumer(name: bytes) -> tuple[bytes, bytes | None]:
    """QUEUE+CONSUMER as the interface has it: a queue, and None or a consumer for the query."""
    queue, plus, consumer = name.partition(b"+")
    return queue, consumer if plus else None


def encoded(name: bytes) -> str:
    """A name as the interface has it."""
    text = quote_from_bytes(name, safe="")
    return text.replace(".", "%2E") if name in (b".", b"..") else text


def _in_query(value: object) -> str:
    if isinstance(value, bytes):
        return quote_from_bytes(value, safe="")
    if isinstance(value, bool):
        return str(value).lower()
    return quote(str(value), safe="", errors="surrogateescape")
