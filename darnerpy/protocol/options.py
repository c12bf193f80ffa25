"""The options behind a key: `work/t=500/close/open`.

Owns their grammar and which of them go together. Nothing here pops an item by mistake: what is not
understood is refused (Kestrel took an unknown option for a plain, committing get).
"""

from ..errors import ClientError
from ..names import split
from .item_commands import Read

__all__ = ["MAX_OFFSET", "MAX_WAIT_MS", "parse_plain_key", "parse_read_key", "parse_store_key"]

MAX_WAIT_MS = 2**31 - 1
MAX_OFFSET = 100_000
_MAX_ID = 2**63 - 1
_FLAGS = frozenset((b"open", b"close", b"abort", b"peek"))
_WITH_ID = frozenset((b"close", b"abort"))


def parse_read_key(key: bytes) -> Read:
    """Take a get's key apart. Raises `ClientError` for anything but the documented options."""
    name, _, rest = key.partition(b"/")
    queue, consumer = split(name)
    chosen: set[bytes] = set()
    ids: dict[bytes, int] = {}
    wait_ms = 0
    offset: int | None = None
    for option in rest.split(b"/"):
        word, equals, value = option.partition(b"=")
        if option in _FLAGS:
            chosen.add(option)
        elif equals and word == b"t":
            wait_ms = _wait(value)
        elif equals and word == b"offset":
            offset = _offset(value)
        elif equals and word in _WITH_ID:
            if ids:
                raise ClientError("only one id may be closed or aborted")
            ids[word] = _id(word, value)
        elif option:
            known = "/t=ms /open /close[=id] /abort[=id] /peek[/offset=n]"
            raise ClientError(f"unknown option /{_show(option)}, one of {known} expected")
    closes, aborts = b"close" in chosen, b"abort" in chosen
    if (aborts and len(chosen) > 1) or (b"abort" in ids and chosen) or (aborts and ids):
        raise ClientError("abort must be by itself")
    if closes and ids:
        raise ClientError("either close or close=id")
    if b"peek" in chosen and (len(chosen) > 1 or ids):
        raise ClientError("cannot open or close and peek")
    if offset is not None and (b"peek" not in chosen or wait_ms):
        raise ClientError("offset goes with peek, and does not wait")
    return Read(
        key,
        name,
        queue,
        consumer,
        b"open" in chosen,
        closes,
        aborts,
        b"peek" in chosen,
        wait_ms,
        plain=not (chosen or ids),
        close_id=ids.get(b"close", 0),
        abort_id=ids.get(b"abort", 0),
        offset=offset or 0,
    )


def parse_store_key(key: bytes) -> tuple[bytes, bytes, bool]:
    """Take a set's key apart into queue, consumer and whether `/sync` (Darner's) was asked for."""
    name, _, rest = key.partition(b"/")
    queue, consumer = split(name)
    sync = False
    for option in rest.split(b"/"):
        if option == b"sync":
            sync = True
        elif option:
            raise ClientError(f"unknown option /{_show(option)}, only /sync goes with set")
    return queue, consumer, sync


def parse_plain_key(key: bytes) -> tuple[bytes, bytes]:
    """Take a key apart where options have no meaning (delete, flush, stats)."""
    if b"/" in key:
        raise ClientError(f"options are not allowed here: {_show(key)}")
    return split(key)


def _wait(digits: bytes) -> int:
    if not digits.isdigit() or int(digits) > MAX_WAIT_MS:
        raise ClientError(f"bad wait /t={_show(digits)}, 0 to {MAX_WAIT_MS} milliseconds expected")
    return int(digits)


def _offset(digits: bytes) -> int:
    if not digits.isdigit() or int(digits) > MAX_OFFSET:
        raise ClientError(f"bad offset /offset={_show(digits)}, 0 to {MAX_OFFSET} items expected")
    return int(digits)


def _id(word: bytes, digits: bytes) -> int:
    if not digits.isdigit() or not 0 < int(digits) <= _MAX_ID:
        option = f"/{word.decode()}={_show(digits)}"
        raise ClientError(f"bad id {option}, the id that gets gave is expected")
    return int(digits)


def _show(raw: bytes) -> str:
    return repr(raw[:60])[2:-1]  # nothing but printable ASCII goes back into a reply
