"""What is given to the calls of the library and of the ring, checked as Python checks its own: TypeError,
ValueError.

Owns what both take, and the words for what they do not. Knows neither.
"""

import os
from collections.abc import Iterable

__all__ = [
    "Data",
    "bytes_of",
    "check_count",
    "check_several",
    "kind_of",
    "seconds_of",
    "text_of_path",
]

Data = bytes | bytearray | memoryview
"""What is put or published."""


def bytes_of(data: Data, what: str) -> bytes:
    """The bytes, which nobody changes any more."""
    if isinstance(data, bytes):
        return data
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"{what} is bytes, not {kind_of(data)}") from None


def check_several(given: Iterable[Data], what: str) -> None:
    """A single one would be taken for its bytes."""
    try:
        if not isinstance(given, bytes | bytearray | memoryview | str):
            iter(given)
            return
    except TypeError:
        pass
    raise TypeError(f"several {what} are expected, not {kind_of(given)}")


def check_count(n: int, what: str, least: int) -> None:
    if type(n) is not int:
        raise TypeError(f"{what} is a whole number, not {kind_of(n)}")
    if n < least:
        raise ValueError(f"{what} is {least} or more, not {n}")


def seconds_of(value: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is seconds, not {kind_of(value)}")
    if not value >= 0:
        raise ValueError(f"{what} is 0 or more seconds, not {value}")
    return value


def text_of_path(path: str | os.PathLike[str], what: str) -> str:
    """Raises TypeError for what is no path, ValueError for what none can be."""
    text = path if isinstance(path, str) else None
    if isinstance(path, os.PathLike):
        text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"the path of {what} is text or a Path, not {kind_of(path)}")
    if not text or "\0" in text:
        raise ValueError(f"the path of {what} was expected, not {text!r}")
    return text


def kind_of(value: object) -> str:
    return type(value).__name__
