"""A small blocking memcache client.

Owns one connection and keeps its framing: each method sends a request and reads the whole answer,
but for an item's bytes, which come in pieces as the caller takes them. What the server refuses is
`Refused`, a server that cannot be talked to `Unreachable`. What is asked is worded in `request`. Knows
nothing of files and printing.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NoReturn, Self

from ..errors import DarnerError
from ..units import Address, UnixAddress
from .request import key, request

__all__ = ["MAX_BATCH", "PIECE_BYTES", "Client", "Item", "Refused", "Unreachable"]

PIECE_BYTES = 1 << 16

MAX_BATCH = 1000
"""Items sent at once. Each side may be waiting for the other to read: the answers must fit into the
buffers of the system."""

_MAX_TIMEOUT_S = 2_147_000.0  # what the system's calls can still count in milliseconds
_MAX_LINE_BYTES = 1 << 16


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
    """One connection to a server; a context manager, which closes it.

    timeout_ms: how long it may take to connect, and an answer to come.
    """

    def __init__(self, address: Address | UnixAddress, timeout_ms: int) -> None:
        self._address = address
        self._timeout_s = timeout_ms / 1000
        try:
            self._socket = _connect(address, self._timeout_s)
        except (OSError, UnicodeError) as error:
            self._fail(error if isinstance(error, OSError) else "no such host")
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

    def command(self, *words: bytes | int) -> bytes:
        """Send a line and return the line that answers it, without the line end."""
        self._send(request(*words))
        return self._answer()

    def ask(self, *words: bytes | int, among: Iterable[bytes]) -> bytes:
        """As `command`, for what has no other answers than these, unless it is refused."""
        answer = self.command(*words)
        if answer not in among:
            self._fail(answer)
        return answer

    def report(self, *words: bytes) -> Iterator[bytes]:
        """Send a line and yield the lines that answer it, up to END."""
        answer = self.command(*words)
        while answer != b"END":
            yield answer
            answer = self._answer()

    def stats(self, queue: bytes = b"") -> list[tuple[str, str]]:
        """Return what the server counts, for one queue or all, in the server's order.

        Names may occur twice: `queue_a_total_items` is a field of `a`, and one of `a_total`.
        """
        found = []
        for line in self.report(b"stats", *([queue] if queue else [])):
            word, _, rest = line.partition(b" ")
            if word != b"STAT":
                self._fail(line)
            name, _, value = rest.decode("utf-8", "surrogateescape").partition(" ")
            found.append((name, value))
        return found

    def get(self, queue: bytes, *options: bytes, wait_ms: int = 0) -> Item | None:
        """Ask for an item; None means the server had nothing to give."""
        if wait_ms:
            options += (b"t=%d" % wait_ms,)
            self._set_timeout(self._timeout_s + wait_ms / 1000)
        answer = self.command(b"gets", key(queue, *options))
        if wait_ms:
            self._set_timeout(self._timeout_s)
        if answer == b"END":
            return None
        try:
            word, _, flags, size, id = answer.split(b" ")
            if word != b"VALUE":
                self._fail(answer)
            return Item(self, int(flags), int(size), int(id))
        except ValueError:
            self._fail(answer)

    def end(self, *words: bytes) -> None:
        """Send a line that the server answers by closing the connection."""
        self._send(request(*words))
        try:
            line = self._input.readline(_MAX_LINE_BYTES)
        except OSError as error:
            self._fail(error)
        if line:
            self._fail(self._unless_refused(line))

    def put(
        self, queue: bytes, pieces: Iterable[bytes], size: int, flags: int, exptime: int
    ) -> bool:
        """Send one item in pieces of `size` bytes together; False when it is not stored.

        Raises ValueError when the pieces do not amount to the size: then the connection is of no
        further use, and the server has stored nothing.
        """
        left = size
        self._send(request(b"set", queue, flags, exptime, size))
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
        self, queue: bytes, items: Sequence[bytes], flags: int, exptime: int
    ) -> Iterator[bool | Refused]:
        """Send up to `MAX_BATCH` small items at once; yield for each what became of it."""
        self._send(
            b"".join(
                request(b"set", queue, flags, exptime, len(item)) + item + b"\r\n" for item in items
            )
        )
        for _ in items:
            try:
                yield self._stored(self._answer())
            except Refused as refusal:
                yield refusal

    def _set_timeout(self, seconds: float) -> None:
        self._socket.settimeout(min(seconds, _MAX_TIMEOUT_S))

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
        line = self._unless_refused(line)
        if after:
            self._fail(after)
        return line

    def _unless_refused(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r\n")
        if line == b"ERROR" or line.startswith((b"CLIENT_ERROR", b"SERVER_ERROR")):
            raise Refused(line.decode("utf-8", "backslashreplace"))
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


def _connect(address: Address | UnixAddress, timeout_s: float) -> socket.socket:
    if isinstance(address, Address):
        connection = socket.create_connection((address.host, address.port), timeout_s)
        # An item goes out as header, bytes and line end: none may wait for the one before.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection
