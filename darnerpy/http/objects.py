"""JSON objects that clients send, as values.

Owns what is said of one that is wrong: which field it is, and what was expected of it.
"""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from .problems import Problem

__all__ = ["Reader"]

T = TypeVar("T")

_MOST_SHOWN = 60
_ANY_VALUE = "numbers that are in range"
"""Of a value that may be of any kind nothing else can be wrong."""

_AT_BYTE = re.compile(r"\(byte ([0-9]+)\)")


class Reader(Generic[T]):
    """kind: what the object is read as. fields: what is expected of each, for people; any may be there if
    none is named. Each can be left out.
    """

    def __init__(self, kind: type[T], fields: Mapping[str, str]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._fields = fields

    def read(self, text: bytes, where: str) -> T:
        """Raises `Problem` 400 that begins with where."""
        try:
            try:
                return self._decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                why = self._fault(text)
        except RecursionError:
            why = "it is nested too deeply"
        raise Problem(400, f"{where}: {why}")

    def _fault(self, text: bytes) -> str:
        """What is wrong. Takes its time, since hardly anything is."""
        try:
            text.decode()
            fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except UnicodeDecodeError as error:
            return f"expected UTF-8, and byte {error.start} is none"
        except msgspec.ValidationError:
            return "expected a JSON object"
        except msgspec.DecodeError as error:
            at = _AT_BYTE.search(str(error))
            return f"expected a whole JSON object{f', and byte {at[1]} is wrong' if at else ''}"
        for name, value in fields.items():
            if self._fields and name not in self._fields:
                known = ", ".join(self._fields)
                return f"the field {_short(name)} is unknown; known are {known}"
            try:
                self._decode(b"{%b:%b}" % (msgspec.json.encode(name), bytes(value)))
            except msgspec.DecodeError:
                shown = _short(bytes(value).decode())
                expected = self._fields.get(name, _ANY_VALUE)
                return f"{_short(name)}: expected {expected}, not {shown}"
        return "expected a JSON object of other values"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
