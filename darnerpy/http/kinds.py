"""The kinds of value a parameter can have: how each is read, and what OpenAPI says of it.

Reading takes bytes, percent-decoded, and raises ValueError on anything it does not know; whoever asks
names the parameter, and `expected` what it can be.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from .. import names
from ..errors import ClientError
from ..units import parse_duration, write_duration

__all__ = ["BOOLEAN", "CONSUMER", "GLOB", "Kind", "QUEUE", "TEXT", "duration", "number", "one_of"]

T = TypeVar("T")
Schema = Mapping[str, Any]


class Kind(NamedTuple, Generic[T]):
    """expected: for people. parse: raises ValueError, or `ClientError` that says more."""

    expected: str
    parse: Callable[[bytes], T]
    schema: Schema


def duration(least_ms: int, most_ms: int) -> Kind[int]:
    """In milliseconds. A number without its unit is none."""

    def parse(value: bytes) -> int:
        milliseconds = parse_duration(value.decode("ascii"))
        if not least_ms <= milliseconds <= most_ms:
            raise ValueError(value)
        return milliseconds

    limits = f"{write_duration(least_ms)} to {write_duration(most_ms)}"
    expected = f"a duration with its unit, such as 500ms, 30s or 2h, {limits}"
    return Kind(expected, parse, {"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$"})


def number(least: int, most: int) -> Kind[int]:
    def parse(value: bytes) -> int:
        if not (value.isdigit() and len(value) <= 20 and least <= int(value) <= most):
            raise ValueError(value)
        return int(value)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Kind(f"a whole number from {least} to {most}", parse, schema)


def one_of(*words: str) -> Kind[str]:
    def parse(value: bytes) -> str:
        text = value.decode("ascii")
        if text not in words:
            raise ValueError(value)
        return text

    return Kind(" or ".join(words), parse, {"type": "string", "enum": list(words)})


def _queue(value: bytes) -> bytes:
    queue, consumer = names.split(value)
    if consumer:
        raise ClientError("the name of a queue has no +; a consumer is named by ?consumer=")
    return queue


def _consumer(value: bytes) -> bytes:
    names.check_consumer(value)
    return value


def _glob(value: bytes) -> bytes:
    if len(value) > names.MAX_NAME:  # to make ready for one takes the longer the longer it is
        raise ValueError(value)
    return value


def _text(value: bytes) -> str:
    return value.decode("utf-8")


def _name(most: int) -> Schema:
    """As far as text can say it: names are bytes."""
    pattern = "^[^\\x00-\\x20/+\\x7f]+$"
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": pattern}


QUEUE = Kind("the name of a queue, percent-encoded", _queue, _name(names.MAX_NAME))
CONSUMER = Kind("the name of a consumer, percent-encoded", _consumer, _name(names.MAX_NAME - 2))
GLOB = Kind(
    f"a pattern such as mail-*, of at most {names.MAX_NAME} bytes",
    _glob,
    {"type": "string", "maxLength": names.MAX_NAME},
)
TEXT = Kind("text in UTF-8", _text, {"type": "string"})
BOOLEAN = one_of("true", "false")
