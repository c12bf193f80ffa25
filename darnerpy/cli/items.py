"""How an item that was fetched is written out, for `get` and `peek`.

Its bytes as they are; on a terminal, which would obey some of them, as text (see `terminal`).
"""

import argparse
import base64
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from .arguments import MAX_WAIT_MS, duration
from .progress import Bar, following
from .terminal import Screen


class Fetched(Protocol):
    """An item that is here, or on its way."""

    @property
    def id(self) -> int: ...

    @property
    def flags(self) -> int: ...

    @property
    def size(self) -> int: ...

    def pieces(self) -> Iterator[bytes]: ...

    def data(self) -> bytes: ...


class Output:
    """Where items go: a file, made when the first item comes, or standard output.

    `write` returns only when the item has left this process, and with a file, is on disk: what is
    confirmed to the server after that cannot be lost here. A plain item is streamed; with JSON it
    is one object a line, and held in memory.
    """

    def __init__(self, path: str | None, as_json: bool, line_ends: bool) -> None:
        self._path = path
        self._as_json = as_json
        self._line_ends = line_ends
        self._stream: BinaryIO | None = None
        self._written = 0
        self._bar = Bar(path or "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.clear()
        if self._path and self._stream:
            self._stream.close()

    def write(self, queue: bytes, item: Fetched, **more: str | int | float) -> None:
        """more: what else there is to say about it in JSON."""
        if self._stream is None:
            path = self._path
            self._stream = open(path, "wb") if path else sys.stdout.buffer  # noqa: SIM115
        if self._as_json:
            self._stream.write(_as_json(queue, item, more))
        elif self._stream.isatty():
            screen = Screen(self._stream)
            for piece in item.pieces():
                screen.write(piece)
            screen.end()
        else:
            for piece in following(item.pieces(), self._bar, item.size):
                self._stream.write(piece)
            if self._line_ends:
                self._stream.write(b"\n")
        self._stream.flush()
        if self._path and stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode):
            os.fsync(self._stream.fileno())
        self._written += 1
        if not self._stream.isatty():
            self._bar.count(self._written, "items")

    def clear(self) -> None:
        """Before anything else is said, or nothing for a while."""
        self._bar.clear()


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=duration(most_ms=MAX_WAIT_MS),
        default=0,
        metavar="DURATION",
        help="wait this long for an item, such as 500ms or 10s",
    )
    parser.add_argument("--output", metavar="FILE", help="write to FILE, not to standard output")


def _as_json(queue: bytes, item: Fetched, more: Mapping[str, str | int | float]) -> bytes:
    data = item.data()
    shown: dict[str, str | int | float] = {
        "queue": os.fsdecode(queue),
        "id": item.id,
        "flags": item.flags,
        "bytes": item.size,
        **more,
    }
    try:
        shown["text"] = data.decode()
    except UnicodeDecodeError:
        shown["base64"] = base64.b64encode(data).decode()
    return json.dumps(shown).encode() + b"\n"
