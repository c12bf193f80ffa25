"""Under which names queues are taken: their own where darnerpy can have them, else a likeness.

Bytes that a name may not have become `%XX` (`a+b`, where `+` means nothing, is `a%2Bb`); names that are
too long are cut and carry a hash. No two queues get one name, and none gets a name that another
queue of the same source has by right.
"""

import hashlib
from collections.abc import Iterable, Mapping

from ..errors import ClientError
from ..names import MAX_NAME, split

__all__ = ["new_consumer_names", "new_names"]

_CONSUMER_ROOM = 120
_HASH_DIGITS = 16


def new_names(queues: Mapping[bytes, Iterable[bytes]]) -> dict[bytes, bytes]:
    """The new names of queues, given the consumers of each, for whose names there must be room."""
    limits = {}
    for queue, consumers in queues.items():
        longest = max((len(_likeness(name)) for name in consumers), default=-1)
        limits[queue] = MAX_NAME - 1 - min(longest, _CONSUMER_ROOM)
    return _choose(limits)


def new_consumer_names(queue: bytes, consumers: Iterable[bytes]) -> dict[bytes, bytes]:
    """The new names of consumers; queue: the new name of theirs."""
    return _choose(dict.fromkeys(consumers, MAX_NAME - 1 - len(queue)))


def _choose(limits: Mapping[bytes, int]) -> dict[bytes, bytes]:
    """A new name for each name, given how long it may be at most."""
    chosen = {name: name for name, limit in limits.items() if _is_legal(name, limit)}
    taken = set(chosen)
    for name in sorted(limits.keys() - taken):
        wish = _likeness(name)
        new = wish if len(wish) <= limits[name] else _cut(wish, name, limits[name])
        number = 0
        while new in taken:
            number += 1
            new = _cut(wish, b"%d %b" % (number, name), limits[name])
        chosen[name] = new
        taken.add(new)
    return chosen


def _is_legal(name: bytes, limit: int) -> bool:
    try:
        return len(name) <= limit and split(name) == (name, b"")
    except ClientError:
        return False


def _likeness(name: bytes) -> bytes:
    return b"".join(
        bytes([byte]) if _is_legal(bytes([byte]), 1) else b"%%%02X" % byte for byte in name
    )


def _cut(wish: bytes, seed: bytes, limit: int) -> bytes:
    """As much of a name as there is room for, and what tells it from others cut like it."""
    mark = b"~" + hashlib.sha256(seed).hexdigest()[:_HASH_DIGITS].encode()
    return wish[: limit - len(mark)] + mark
