"""The kinds of value an option can have: how each is read, written, and described to a person.

Reading takes text, or what a TOML file holds, and raises ValueError on anything else; what was
written is read as the same value again. Nothing here knows which options there are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .. import names
from ..errors import ClientError
from ..units import (
    Address,
    SyncPolicy,
    UnixAddress,
    parse_address,
    parse_duration,
    parse_size,
    text_of,
    write_duration,
    write_size,
)

__all__ = [
    "ADDRESSES",
    "AUTO_COUNT",
    "BOOLEAN",
    "CONSUMER",
    "CONSUMERS",
    "DEAD_LETTER",
    "DROP",
    "DURATION",
    "GRACE",
    "GROUP",
    "HOSTS",
    "HTTP",
    "MODE",
    "KEEPALIVE",
    "KEEPALIVE_IDLE",
    "OPTIONAL_ADDRESSES",
    "OPTIONAL_COUNT",
    "OPTIONAL_PATH",
    "OPTIONAL_SIZE",
    "ORIGINS",
    "PATH",
    "QUEUE",
    "SYNC",
    "TIMEOUT",
    "Kind",
    "integer",
    "name_of",
    "one_of",
    "size",
    "text_of_name",
]

T = TypeVar("T")
Addresses = tuple[Address | UnixAddress, ...]

DROP = b"drop"
"""The dead letter that is no queue: items are counted and gone."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How a value is read and written. `parse` raises ValueError; `write` gives what it reads.

    metavar: what stands for a value in the help of a flag.
    """

    expected: str
    parse: Callable[[object], T]
    write: Callable[[T], str] = str
    repeats: bool = False  # as a flag it may be given several times
    metavar: str = "VALUE"


def name_of(value: object) -> bytes:
    """Return the bytes of a name, which need not be legal; raise ValueError if it is no text."""
    # What is not UTF-8 reaches variables and flags as surrogates.
    return text_of(value).encode("utf-8", "surrogateescape")


def text_of_name(name: bytes) -> str:
    """Return the text that `name_of` reads as this name."""
    return name.decode("utf-8", "surrogateescape")


def _optional(kind: Kind[T], word: str = "off") -> Kind[T | None]:
    """A kind whose values have one more, None, written as a word."""
    return Kind(
        f'"{word}" or {kind.expected}',
        lambda value: None if value == word else kind.parse(value),
        lambda value: word if value is None else kind.write(value),
        metavar=kind.metavar,
    )


def integer(least: int, most: int | None = None) -> Kind[int]:
    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
            value = int(value)
        if type(value) is not int or not least <= value <= (most or 10**15 - 1):
            raise ValueError(value)
        return value

    limit = "" if most is None else f", at most {most}"
    return Kind(f"a whole number, at least {least}{limit}", parse, metavar="NUMBER")


def _seconds(most: int) -> Kind[int]:
    """A duration that the kernel takes: whole seconds, at least one."""

    def parse(value: object) -> int:
        milliseconds = parse_duration(value)
        if milliseconds % 1000 or not 1 <= milliseconds // 1000 <= most:
            raise ValueError(value)
        return milliseconds

    expected = f"a duration of whole seconds such as 10s or 2m, 1s to {most}s"
    return Kind(expected, parse, write_duration, metavar="DURATION")


def size(least: int = 1, most: int | None = None) -> Kind[int]:
    def parse(value: object) -> int:
        size = parse_size(value)
        if size < least or (most is not None and size > most):
            raise ValueError(value)
        return size

    limit = "" if least == 1 else f", at least {write_size(least)}"
    limit += "" if most is None else f", at most {write_size(most)}"
    return Kind(
        f"a size such as 512, 64KiB, 8MiB or 1GiB{limit}", parse, write_size, metavar="SIZE"
    )


def one_of(*words: str) -> Kind[Any]:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(value)
        return text_of(value)

    expected = " or ".join(f'"{word}"' for word in words)
    return Kind(expected, parse, metavar=f"{{{','.join(words)}}}")


def _path(value: object) -> Path:
    text = text_of(value)
    if not text or "\0" in text or "\n" in text:
        raise ValueError(value)
    return Path(text)


def _addresses(value: object) -> Addresses:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise ValueError(value)
    return tuple(parse_address(part.strip() if isinstance(part, str) else part) for part in parts)


def _positive_duration(value: object) -> int:
    milliseconds = parse_duration(value)
    if milliseconds == 0:
        raise ValueError(value)
    return milliseconds


def _sync(value: object) -> SyncPolicy:
    if value in ("always", "never"):
        return SyncPolicy(always=value == "always")
    return SyncPolicy(always=False, interval_ms=_positive_duration(value))


def _boolean(value: object) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError(value)


def _mode(value: object) -> int:
    text = text_of(value)
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(value)
    return int(text, 8)


def _group(value: object) -> str:
    text = str(value) if type(value) is int else text_of(value)
    if re.search(r"^-|[\s:\0]", text):
        raise ValueError(value)
    return text


def _queue(value: object) -> bytes:
    name = name_of(value)
    try:
        if name and names.split(name)[1]:
            raise ValueError(value)
    except ClientError as error:
        raise ValueError(value) from error
    return name


def _consumer(value: object) -> bytes:
    name = name_of(value)
    try:
        if name:
            names.split(b"q+" + name)
    except ClientError as error:
        raise ValueError(value) from error
    return name


def _consumers(value: object) -> tuple[bytes, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
    if not isinstance(value, list):
        raise ValueError(value)
    consumers = tuple(_consumer(part) for part in value)
    if len(set(consumers)) < len(consumers) or any(not n or b"," in n for n in consumers):
        raise ValueError(value)
    return consumers


def _http(value: object) -> str | Addresses:
    word = value[0] if isinstance(value, list) and len(value) == 1 else value
    return text_of(word) if word in ("auto", "guarded") else OPTIONAL_ADDRESSES.parse(value)


def _words(pattern: str) -> Callable[[object], tuple[str, ...]]:
    """A reader of lists of words, each of which matches; small letters are as good as capitals."""

    def parse(value: object) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list):
            raise ValueError(value)
        words = [text_of(part).strip().lower() for part in parts]
        if not all(re.fullmatch(pattern, word) for word in words if word):
            raise ValueError(value)
        return tuple(word for word in words if word)

    return parse


_HOST = r"[a-z0-9._-]+|\[[0-9a-f:.]+\]"
_DURATION_WORDS = "a duration such as 500ms, 2s, 10m, 1h or 7d"
_ADDRESS_WORDS = "addresses: HOST:PORT, [IPv6]:PORT or unix:/path"

PATH = Kind("a path", _path, metavar="PATH")
ADDRESSES: Kind[Addresses] = Kind(
    _ADDRESS_WORDS,
    _addresses,
    lambda value: ", ".join(map(str, value)),
    repeats=True,
    metavar="ADDRESS",
)
OPTIONAL_ADDRESSES: Kind[Addresses] = Kind(
    f'"off" or {_ADDRESS_WORDS}',
    lambda value: () if value in ("off", ["off"]) else _addresses(value),
    lambda value: ADDRESSES.write(value) or "off",
    repeats=True,
    metavar="ADDRESS",
)
HTTP: Kind[str | Addresses] = Kind(
    f'"auto", "guarded", "off" or {_ADDRESS_WORDS}',
    _http,
    lambda value: value if isinstance(value, str) else OPTIONAL_ADDRESSES.write(value),
    repeats=True,
    metavar="ADDRESS",
)
HOSTS: Kind[tuple[str, ...]] = Kind(
    "a list of names of hosts, without a port: example.net, 192.0.2.1 or [2001:db8::1]",
    _words(_HOST),
    ", ".join,
    metavar="HOSTS",
)
ORIGINS: Kind[tuple[str, ...]] = Kind(
    "a list of origins such as https://example.net or http://localhost:8080",
    _words(rf"https?://({_HOST})(:[0-9]{{1,5}})?"),
    ", ".join,
    metavar="ORIGINS",
)
SYNC = Kind(
    f'"always", "never" or {_DURATION_WORDS}',
    _sync,
    lambda policy: (
        "always"
        if policy.always
        else "never"
        if policy.interval_ms is None
        else write_duration(policy.interval_ms)
    ),
    metavar="{always,never,DURATION}",
)
BOOLEAN = Kind(
    "true or false",
    _boolean,
    lambda value: "true" if value else "false",
    metavar="{true,false}",
)
DURATION = Kind(_DURATION_WORDS, _positive_duration, write_duration, metavar="DURATION")
GRACE = Kind(
    "a duration such as 0s, 500ms, 2s or 10m", parse_duration, write_duration, metavar="DURATION"
)
TIMEOUT = _optional(DURATION)
MODE = _optional(Kind('an octal mode such as "0660"', _mode, "{:04o}".format, metavar="MODE"))
GROUP = Kind('the name or number of a group, or ""', _group, metavar="GROUP")
KEEPALIVE = _seconds(most=32767)
KEEPALIVE_IDLE = _optional(KEEPALIVE)
OPTIONAL_COUNT = _optional(integer(1))
AUTO_COUNT = _optional(integer(1), "auto")
OPTIONAL_PATH = _optional(PATH)
OPTIONAL_SIZE = _optional(size())
QUEUE = Kind('the name of a queue, without a +, or ""', _queue, text_of_name, metavar="QUEUE")
DEAD_LETTER = Kind(
    '"drop", the name of a queue, without a +, or ""', _queue, text_of_name, metavar="QUEUE"
)
CONSUMER = Kind('the name of a consumer or ""', _consumer, text_of_name, metavar="CONSUMER")
CONSUMERS = Kind(
    "a list of names of consumers, each once and without a comma",
    _consumers,
    lambda value: ", ".join(map(text_of_name, value)),
)
