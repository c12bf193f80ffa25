"""One call of a route: what was asked, in values, and the means to do it.

Owns how parameters are read from a request. Knows no route: each says what it may be asked.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from ..journals.workers import Workers
from ..sessions.contract import Host
from ..sessions.steps import Steps
from .driving import drive
from .ending import Ending
from .exchange import Exchange
from .gate import Gate
from .kinds import CONSUMER, QUEUE, TEXT, Kind
from .monitoring.monitor import Monitor
from .objects import Reader
from .problems import Problem

__all__ = ["Call", "Means", "accepts", "pairs", "place", "unquoted"]

T = TypeVar("T")

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MOST_JSON = 1024 * 1024


@dataclass(frozen=True)
class Means:
    """What all calls share. files: threads that read files. ending: tells who waits that the server stops.
    monitor: knows how the server is. bulks: lets in one that puts thousands of items a turn.
    """

    host: Host
    files: Workers
    ending: Ending
    monitor: Monitor
    bulks: Gate


class Call:
    """places: the parts of the path that may be anything, by name, as values; given: parameters, by name."""

    def __init__(
        self,
        means: Means,
        exchange: Exchange,
        places: Mapping[str, Any],
        given: Mapping[str, Any],
    ) -> None:
        self.means = means
        self.host = means.host
        self.exchange = exchange
        self.places = places
        self.given = given

    @property
    def queue(self) -> bytes:
        name: bytes = self.places["queue"]
        return name

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    async def run(self, steps: Steps[T]) -> T:
        """Have it done; what was begun is undone if the client hangs up meanwhile."""
        return await drive(steps)

    async def run_until_stop(self, steps: Steps[T]) -> T | None:
        """As `run`, but None if the server stops meanwhile: for what may wait long."""
        return await self.means.ending.unless_stopping(drive(steps))

    async def json(self, reader: Reader[T], none: T | None = None) -> T:
        """The body as a value; none is that of no body. Raises `Problem`."""
        body = await self.exchange.body(_MOST_JSON)
        if none is not None and not body.strip():
            return none
        return reader.read(body, "the body")


def pairs(query: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parameters of a query, decoded."""
    for part in query.split(b"&") if query else ():
        if part:
            name, _, value = part.partition(b"=")
            yield _decoded(name), _decoded(value)


def _decoded(text: bytes) -> bytes:
    return unquoted(text.replace(b"+", b" ")) if b"%" in text or b"+" in text else text


def unquoted(text: bytes) -> bytes:
    """What is percent-encoded. Raises `Problem`: left as it is, it would be another name."""
    broken = _BROKEN.search(text)
    if broken is not None:
        shown = text.decode("ascii", "backslashreplace")
        raise Problem(
            400, f"{shown}: expected two hexadecimal digits behind the % at {broken.start()}"
        )
    return unquote_to_bytes(text)


def place(name: str, text: bytes) -> Any:
    """A part of the path as a value. Raises `ClientError`."""
    kinds: dict[str, Kind[Any]] = {"queue": QUEUE, "consumer": CONSUMER}
    kind = kinds.get(name, TEXT)
    try:
        return kind.parse(unquoted(text))
    except ValueError:
        raise Problem(400, f"{name}: expected {kind.expected}") from None


def accepts(exchange: Exchange, media_type: str) -> bool:
    """Whether the client would take an answer of that type, and has said so by its own name."""
    for part in exchange.headers.get(b"accept", b"").lower().split(b","):
        words = [word.strip() for word in part.split(b";")]
        if words[0] == media_type.encode() and b"q=0" not in words:
            return True
    return False
