"""What is said of a queue and its items in a file: objects of JSON, the same in both formats.

Owns their members and what they may be. Names are text; bytes in them that are no UTF-8 are lone
surrogates, as Python has them. Times are milliseconds since the epoch.
"""

import json
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from ..errors import ClientError
from ..migration.source import Incoming, SourceError
from ..names import split
from ..queues.batches import PAUSED_GETS, PAUSED_PUTS, Lease, Returned
from ..queues.items import DEAD, EXPIRED, MOVED, Origin

__all__ = [
    "End",
    "Head",
    "Line",
    "Place",
    "compare",
    "head_of",
    "names_in",
    "parse",
    "paused_in",
    "spell",
]

VERSION = 1

_LATEST = (1 << 63) - 1
_Number = Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]
_Word = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
_Kind = TypeVar("_Kind")
_Nonce = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
_WHY = {EXPIRED: "expired", DEAD: "dead", MOVED: "moved"}
_PAUSED = {PAUSED_PUTS: "puts", PAUSED_GETS: "gets"}


class _Object(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Head(_Object):
    """queue: its name; consumers: the named ones; exported: when; paused: what of it is."""

    darnerpy: str
    version: _Number
    queue: str
    consumers: list[str]
    exported: _Number
    paused: list[str] = []


class End(_Object):
    """items, bytes: of all items. crc: of all bytes before, eight hexadecimal digits; "": not told."""

    items: _Number
    bytes: _Number
    crc: str = ""


class _Return(_Object):
    attempts: _Word
    due: _Number = 0


class _Lease(_Object):
    """nonce: 64 bits, in hexadecimal digits."""

    number: _Number
    nonce: _Nonce
    deadline: _Number


class _Origin(_Object):
    queue: str
    consumer: str
    id: _Number
    why: str
    created: _Number

    @classmethod
    def of(cls, origin: Origin) -> "_Origin":
        names = _text(origin.queue), _text(origin.consumer)
        return cls(*names, origin.id, _WHY[origin.why], origin.created)

    def origin(self, place: "Place") -> Origin:
        for why, word in _WHY.items():
            if word == self.why:
                names = place.name(self.queue), place.name(self.consumer)
                return Origin(*names, self.id, why, self.created)
        raise place.error(f"origin.why: {' or '.join(_WHY.values())} was expected")


class Line(_Object, rename={"readers": "for"}):
    """An item but for its data. readers: the consumers that are to get it, null is all of them. returns,
    leases: by consumer.
    """

    size: _Number | None = None
    id: _Number = 0
    flags: _Word = 0
    created: _Number = 0
    expiry: _Number = 0
    due: _Number = 0
    readers: list[str] | None = None
    origin: _Origin | None = None
    returns: dict[str, _Return] = {}
    leases: dict[str, _Lease] = {}
    text: str | None = None
    base64: str | None = None

    @classmethod
    def of(cls, item: Incoming) -> "Line":
        return cls(
            item.size,
            item.id,
            item.flags,
            item.created,
            min(item.expiry, _LATEST),  # servers once stored one more
            item.due,
            None if item.readers is None else sorted(map(_text, item.readers)),
            None if item.origin is None else _Origin.of(item.origin),
            {_text(name): _Return(back.attempts, back.due) for name, back in item.returns.items()},
            {
                _text(name): _Lease(lease.number, f"{lease.nonce:016x}", lease.deadline)
                for name, lease in item.leases.items()
            },
        )

    def item(
        self,
        place: "Place",
        consumers: frozenset[str],
        size: int,
        data: bytes | None,
        pieces: Callable[[], Iterator[bytes]] | None = None,
    ) -> Incoming:
        """Raises `SourceError` where a consumer is named that is not the queue's."""
        for name in {*(self.readers or ()), *self.returns, *self.leases} - consumers:
            raise place.error(f"{name!r} is none of the consumers that the first line names")
        if self.readers == []:
            raise place.error("an item is for one consumer at least")
        return Incoming(
            size,
            data,
            self.created,
            self.expiry,
            None if self.readers is None else frozenset(map(place.name, self.readers)),
            pieces,
            None,
            self.flags,
            None if self.origin is None else self.origin.origin(place),
            {
                place.name(n): Returned(0, back.attempts, back.due)
                for n, back in self.returns.items()
            },
            self.id,
            self.due,
            {
                place.name(n): Lease(0, lease.number, int(lease.nonce, 16), lease.deadline)
                for n, lease in self.leases.items()
            },
        )


class Place(NamedTuple):
    """Where in a file something is: its name, and a line or a byte."""

    file: str
    where: str

    def error(self, expected: str) -> SourceError:
        return SourceError(f"{self.file}: {self.where}: {expected}")

    def name(self, text: str) -> bytes:
        """The bytes of a name. Raises `SourceError`."""
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise self.error(f"{text!r} is no name") from None


def head_of(queue: bytes, consumers: list[bytes], exported: int, paused: int = 0) -> Head:
    words = [word for bit, word in _PAUSED.items() if paused & bit]
    names = [_text(name) for name in consumers]
    return Head("queue", VERSION, _text(queue), names, exported, words)


def names_in(head: Head, place: Place) -> tuple[bytes, list[bytes]]:
    """The queue and its consumers. Raises `SourceError` for a file or names that cannot be."""
    if head.darnerpy != "queue" or head.version > VERSION:
        raise place.error(f'"darnerpy":"queue" of version {VERSION} was expected')
    queue, consumers = place.name(head.queue), list(map(place.name, head.consumers))
    try:
        is_right = split(queue) == (queue, b"") and all(
            split(b"%b+%b" % (queue, consumer)) == (queue, consumer) for consumer in consumers
        )
    except ClientError as error:
        raise place.error(str(error)) from None
    if not is_right:
        raise place.error("the name of a queue, without a consumer, was expected")
    return queue, consumers


def paused_in(head: Head, place: Place) -> int:
    """What of the queue is paused, as `Batch` has it. Raises `SourceError`."""
    known = {word: bit for bit, word in _PAUSED.items()}
    paused = 0
    for word in head.paused:
        if word not in known:
            raise place.error(f"paused: {' or '.join(known)} was expected, not {word!r}")
        paused |= known[word]
    return paused


def compare(end: End, items: int, size: int, crc: int, place: Place) -> None:
    """Raises `SourceError` unless a file that was read is whole."""
    if (end.items, end.bytes) != (items, size):
        raise place.error(
            f"{end.items} items of {end.bytes} bytes were expected, there are {items} of {size}"
        )
    if end.crc and end.crc != f"{crc:08x}":
        raise place.error(
            f"the checksum {end.crc} was expected, it is {crc:08x}: the file was changed "
            '(on purpose? then take "crc" out of its last line)'
        )


def spell(thing: Head | Line | End) -> bytes:
    return json.dumps(msgspec.to_builtins(thing), separators=(",", ":")).encode()


def parse(kind: type[_Kind], text: bytes, place: Place) -> _Kind:
    """Raises `SourceError` saying what was expected."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = f" ({error.msg}, column {error.colno})" if isinstance(error, JSONDecodeError) else ""
        raise place.error(
            f"a JSON object, as `darnerpy export` writes it, was expected, and this is none{why}"
        ) from None
    try:
        return msgspec.convert(said, kind)
    except (ValueError, RecursionError) as error:  # msgspec's errors are such, too
        raise place.error(f"this is no line of an export: {error}") from None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
