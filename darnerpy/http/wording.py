"""How names and items are said in JSON and in headers.

Owns the spelling, once for all routes: a name's percent-encoded form is `name`, which is what addresses
have and what is told apart by; `text` is for people.
"""

from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from ..sessions.requests.given import Given
from ..units import write_at_least

__all__ = ["item_headers", "item_object", "named", "path_name", "sayable", "seconds"]


def path_name(name: bytes) -> str:
    """The name as a part of an address. A browser takes `.` and `..` for something else."""
    encoded = quote_from_bytes(name, safe="")
    return encoded.replace(".", "%2E") if name in (b".", b"..") else encoded


def named(name: bytes) -> dict[str, object]:
    return {"name": path_name(name), "text": name.decode("utf-8", "backslashreplace")}


def seconds(milliseconds: int) -> float:
    return max(0, milliseconds) / 1000


def item_headers(given: Given) -> list[tuple[bytes, bytes]]:
    item = given.item
    headers = [
        (b"darnerpy-id", b"%d" % item.id),
        (b"darnerpy-flags", b"%d" % item.flags),
        (b"darnerpy-attempts", b"%d" % given.attempts),
        (b"darnerpy-age", b"%.3f" % seconds(given.age)),
    ]
    if item.expiry:
        headers.append((b"darnerpy-ttl", _left(given).encode()))
    if given.lease:
        headers.append((b"darnerpy-lease", given.lease.encode()))
        headers.append((b"darnerpy-until", b"%.3f" % seconds(given.until)))
    return headers


def item_object(given: Given) -> dict[str, object]:
    """What is said of an item in JSON, but for its data."""
    item = given.item
    said: dict[str, object] = {"id": item.id, "flags": item.flags, "attempts": given.attempts}
    said |= {"age": seconds(given.age), "size": item.size}
    if item.expiry:
        said["ttl"] = _left(given)
    if given.lease:
        said |= {"lease": given.lease, "until": seconds(given.until)}
    return said


def _left(given: Given) -> str:
    """How long it is until an item expires, as a duration that can be given when it is put again."""
    return write_at_least(max(1, given.item.expiry - given.item.created - given.age))


def sayable(values: Mapping[str, object]) -> dict[str, object]:
    """The same, with text that is UTF-8: of a name that is not, the bytes are shown."""
    return {key: _text(value) for key, value in values.items()}


def _text(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
