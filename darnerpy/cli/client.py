"""A small blocking memcache client, and the arguments every command that uses it shares.

Owns one connection and keeps its framing: each method sends a request and reads the whole answer,
but for an item's bytes, which come in pieces as the caller takes them. What the server refuses is
`Refused`, a server that cannot be talked to `Unreachable`. Knows nothing of files and printing.
"""

import argparse
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NoReturn, Self

from ..errors import ClientError, DarnerError
from ..names import split
from ..units import Address, UnixAddress, parse_address, parse_duration

DEFAULT_SERVER = "127.0.0.1:22133"
TIMEOUT_S = 30.0
PIECE_BYTES = 1 << 16

_MAX_LINE_BYTES = 1 << 16
# Each side may be waiting for the other to read: the answers to a batch must fit into the buffers
# of the system.
_MAX_BATCH = 1000


class Refused(DarnerError):
    """The server answered with an error; the text is the server's own."""


class Unreachable(DarnerError):
    """The server cannot be connected to, went away, or does not speak the protocol."""


class Item:
    """An item on its way here. `pieces` must be taken to the end before the next request."""

    def __init__(self, client: "Client", flags: int, size: int, id: int) -> None:
        self.flags = flags
        self.size = size  # bytes
        self.id = id
        self._client = client

    def pieces(self) -> Iterator[bytes]:
        return self._client._pieces(self.size)

    def data(self) -> bytes:
        return b"".join(self.pieces())


class Client:
    """One connection to a server; a context manager, which closes it."""

    def __init__(self, address: Address | UnixAddress) -> None:
        self._address = address
        try:
            self._socket = _connect(address)
        except OSError as error:
            self._fail(error)
        self._input = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._input.close()
        self._socket.close()

    def command(self, line: bytes, timeout_s: float = TIMEOUT_S) -> bytes:
        """Send a line and return the line that answers it, without the line end."""
        self._socket.settimeout(timeout_s)
        self._send(line + b"\r\n")
        return self._answer()

    def stats(self, queue: bytes = b"") -> list[tuple[str, str]]:
        """Return what the server counts, for one queue or all, in the server's order.

        Names may occur twice: `queue_a_total_items` is a field of `a`, and one of `a_total`.
        """
        found = []
        answer = self.command(b"stats " + queue if queue else b"stats")
        while answer != b"END":
            word, _, rest = answer.partition(b" ")
            if word != b"STAT":
                self._fail(answer)
            name, _, value = rest.decode("utf-8", "surrogateescape").partition(" ")
            found.append((name, value))
            answer = self._answer()
        return found

    def get(self, key: bytes, wait_ms: int = 0) -> Item | None:
        """Ask for an item. `key` may carry options; None means the server had nothing to give."""
        if wait_ms:
            key += b"/t=%d" % wait_ms
        answer = self.command(b"gets " + key, TIMEOUT_S + wait_ms / 1000)
        if answer == b"END":
            return None
        try:
            word, _, flags, size, id = answer.split(b" ")
            if word != b"VALUE":
                self._fail(answer)
            return Item(self, int(flags), int(size), int(id))
        except ValueError:
            self._fail(answer)

    def put(
        self, queue: bytes, pieces: Iterable[bytes], size: int, flags: int, expire_s: int
    ) -> bool:
        """Send one item in pieces of `size` bytes together; False when it is not stored.

        Raises ValueError when the pieces do not amount to the size: then the connection is of no
        further use, and the server has stored nothing.
        """
        left = size
        self._send(_header(queue, flags, expire_s, size))
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            self._send(piece)
        if left != 0:
            raise ValueError("the source changed its size while it was read")
        self._send(b"\r\n")
        return self._stored(self._answer())

    def put_all(
        self, queue: bytes, items: Sequence[bytes], flags: int, expire_s: int
    ) -> Iterator[bool | Refused]:
        """Send small items without waiting in between; yield for each what became of it."""
        for start in range(0, len(items), _MAX_BATCH):
            batch = items[start : start + _MAX_BATCH]
            self._send(
                b"".join(
                    _header(queue, flags, expire_s, len(item)) + item + b"\r\n" for item in batch
                )
            )
            for _ in batch:
                try:
                    yield self._stored(self._answer())
                except Refused as refusal:
                    yield refusal

    def _stored(self, answer: bytes) -> bool:
        if answer not in (b"STORED", b"NOT_STORED"):
            self._fail(answer)
        return answer == b"STORED"

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            # A server that refuses an item may say why before it hangs up.
            self._answer(after=error)

    def _answer(self, after: OSError | None = None) -> bytes:
        try:
            line = self._input.readline(_MAX_LINE_BYTES)
        except OSError as error:
            self._fail(after or error)
        if not line.endswith(b"\n"):
            self._fail(line or after or "connection closed")
        line = line.rstrip(b"\r\n")
        if line == b"ERROR" or line.startswith((b"CLIENT_ERROR", b"SERVER_ERROR")):
            raise Refused(line.decode("utf-8", "backslashreplace"))
        if after:
            self._fail(after)
        return line

    def _pieces(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._read(min(left, PIECE_BYTES))
            left -= len(piece)
            yield piece
        if self._read(2) != b"\r\n" or self._answer() != b"END":
            self._fail(b"an item that does not end where it should")

    def _read(self, size: int) -> bytes:
        try:
            data = self._input.read(size)
        except OSError as error:
            self._fail(error)
        if len(data) < size:
            self._fail("connection closed in the middle of an item")
        return data

    def _fail(self, cause: OSError | bytes | str) -> NoReturn:
        if isinstance(cause, bytes):
            raise Unreachable(f"{self._address} does not speak the protocol: {cause[:100]!r}")
        if isinstance(cause, TimeoutError):
            cause = "no answer in time"
        elif isinstance(cause, OSError):
            cause = cause.strerror or str(cause)
        raise Unreachable(f"cannot reach {self._address}: {cause}") from None


def _connect(address: Address | UnixAddress) -> socket.socket:
    if isinstance(address, Address):
        connection = socket.create_connection((address.host, address.port), TIMEOUT_S)
        # An item goes out as header, bytes and line end: none may wait for the one before.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    try:
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection


def _header(queue: bytes, flags: int, expire_s: int, size: int) -> bytes:
    return b"set %b %d %d %d\r\n" % (queue, flags, expire_s, size)


# --- Arguments


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        type=_server,
        default=os.environ.get("DARNERPY_SERVER") or DEFAULT_SERVER,
        metavar="ADDRESS",
        help="HOST:PORT or unix:/path; default DARNERPY_SERVER, then " + DEFAULT_SERVER,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def queue_name(text: str) -> bytes:
    """Check and convert a QUEUE argument. Options such as /open are no part of a name."""
    name = os.fsencode(text)
    try:
        split(name)
    except ClientError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def duration(text: str) -> int:
    """Convert a DURATION argument to milliseconds."""
    try:
        return parse_duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a duration such as 500ms or 10s: {text}") from None


def _server(text: str) -> Address | UnixAddress:
    try:
        return parse_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not HOST:PORT or unix:/path: {text}") from None
