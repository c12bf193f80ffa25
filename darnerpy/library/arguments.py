"""What may be given to the calls of a queue, checked as Python checks its own: TypeError, ValueError.

Owns what each kind of argument may be and becomes. Knows no queue.
"""

import math
from collections.abc import Iterable
from typing import cast

from .. import names
from ..arguments import Data, bytes_of, check_count, check_several, kind_of, seconds_of
from ..errors import ClientError
from ..units import parse_duration

__all__ = [
    "ITEM",
    "Data",
    "bytes_of",
    "check_count",
    "check_flags",
    "consumer_name",
    "datas_of",
    "milliseconds",
    "queue_name",
    "text_of_queue",
    "timeout_of",
    "times",
]

ITEM = "an item"
"""What is put, for people."""

_MOST_FLAGS = 2**32 - 1
_MOST_ITEMS = 10_000
_LONGEST_MS = 2**53


def datas_of(items: Iterable[Data]) -> list[bytes]:
    check_several(items, "items")
    given = list(items)
    if set(map(type, given)) == {bytes}:
        datas = cast(list[bytes], given)
    else:
        datas = [bytes_of(item, ITEM) for item in given]
    if len(datas) > _MOST_ITEMS:
        raise ValueError(f"{len(datas)} items are too many for one call, at most {_MOST_ITEMS}")
    return datas


def check_flags(flags: int) -> None:
    if type(flags) is not int:
        raise TypeError(f"flags are a whole number, not {kind_of(flags)}")
    if not 0 <= flags <= _MOST_FLAGS:
        raise ValueError(f"flags are 0 to {_MOST_FLAGS}, not {flags}")


def timeout_of(timeout: float | None) -> float | None:
    """Seconds; None is without end."""
    if timeout is None or math.isinf(seconds_of(timeout, "timeout")):
        return None
    return timeout


def milliseconds(value: float | str, what: str, least: int = 1) -> int:
    """Of seconds, or of a text such as "500ms" or "2h"."""
    if isinstance(value, str):
        try:
            found = parse_duration(value)
        except ValueError:
            raise ValueError(
                f"{what} is seconds, or a duration such as 500ms, 2s or 1h, not {value!r}"
            ) from None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is seconds or a duration such as '2h', not {kind_of(value)}")
    elif not math.isfinite(value):
        raise ValueError(f"{what} is a number of seconds, not {value}")
    else:
        found = math.ceil(value * 1000)
    if not least <= found <= _LONGEST_MS:
        beginning = "more than 0" if least else "0 or more"
        raise ValueError(
            f"{what} is {beginning} seconds, at most {_LONGEST_MS // 1000}, not {value!r}"
        )
    return found


def times(now: int, ttl: float | str | None, delay: float | str | None) -> tuple[int, int]:
    """When an item expires and from when on it can be had, 0 is never and at once; milliseconds."""
    expiry = 0 if ttl is None else now + milliseconds(ttl, "ttl")
    due = 0 if delay is None else now + milliseconds(delay, "delay", least=0)
    return expiry, due if due > now else 0


def queue_name(name: str) -> bytes:
    """A queue's name; what is not UTF-8 in it is surrogates, as in names of files."""
    found = _name(name, "a queue's name")
    try:
        if names.split(found)[1]:
            raise ValueError(f"{name!r} names a consumer: ask the queue for it")
    except ClientError as error:
        raise ValueError(f"{name!r}: {error}") from None
    return found


def consumer_name(name: str) -> bytes:
    found = _name(name, "a consumer's name")
    if not found:
        raise ValueError("a consumer's name is empty")
    try:
        names.split(found.replace(b"+", b"-"))  # which tells places in it
        names.split(b"q+" + found)
    except ClientError as error:
        told = str(error).replace("queue name", "a consumer's name")
        raise ValueError(f"{name!r}: {told}") from None
    return found


def text_of_queue(name: bytes) -> str:
    """As `queue_name` reads it."""
    return name.decode("utf-8", "surrogateescape")


def _name(name: str, what: str) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"{what} is text, not {kind_of(name)}")
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} cannot be {what}") from None
