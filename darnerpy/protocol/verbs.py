"""The one table of verbs: what a line may say, and the command it becomes.

The codec looks verbs up here, `docs/protocol.md` lists them from here, the fuzzer draws its words
from here. Parsers are pure: the same line always gives an equal command, so the codec may remember.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ClientError
from . import replies
from .commands import (
    Command,
    Delete,
    Flush,
    FlushAll,
    Get,
    Quit,
    Refused,
    Stats,
    Store,
    Verbosity,
    Version,
)
from .options import parse_plain_key, parse_read_key, parse_store_key

__all__ = ["VERBS", "FramingError", "Verb", "describe", "parse_line"]

_MAX_FLAGS = 2**32 - 1
_MAX_EXPTIME = 2**62
_NOREPLY = b"noreply"


class FramingError(ClientError):
    """Where the next command starts can no longer be known: answer, then close."""


@dataclass(frozen=True, slots=True)
class Verb:
    """usage: the line, for people. parse: its arguments (words, verb taken off) to a command."""

    name: str
    usage: str
    summary: str
    parse: Callable[[list[bytes]], Command]


def parse_line(line: bytes) -> Command:
    """One line without its line end to a command; whatever is wrong with it becomes `Refused`."""
    words = [word for word in line.split(b" ") if word]
    if not words:
        return Refused(replies.ERROR)
    if len(words) == 3 and words[2].startswith(b"HTTP/"):
        return Refused(replies.client_error("this is a memcache port, not HTTP"), fatal=True)
    verb = VERBS.get(words[0].lower())
    if verb is None:
        return Refused(replies.ERROR)
    args = words[1:]
    try:
        return verb.parse(args)
    except FramingError as error:
        return Refused(replies.client_error(str(error)), fatal=True)
    except ClientError as error:
        silent = verb.name in _SILENCEABLE and args[-1:] == [_NOREPLY]
        return Refused(b"" if silent else replies.client_error(str(error)))


def _get(args: list[bytes], cas: bool = False) -> Command:
    if not args:
        raise ClientError("a key is expected")
    reads = tuple(parse_read_key(key) for key in args)
    if any(read.wait_ms for read in reads[1:]):
        raise ClientError("only the first key of a get may wait")
    return Get(reads, cas)


def _gets(args: list[bytes]) -> Command:
    return _get(args, cas=True)


def _size(word: bytes) -> int:
    if not word.isdigit():
        raise FramingError(f"bad size {word[:30].decode('latin-1')!r}, a number of bytes expected")
    return int(word)


def _stored(args: list[bytes], words: int) -> tuple[int, bool]:
    """The size and noreply of a storage line with so many words before noreply.

    Raises `FramingError` if the block cannot be found; all later errors may rely on the size.
    """
    if len(args) < 4:
        raise FramingError("key, flags, exptime and size are expected")
    return _size(args[3]), args[-1] == _NOREPLY and len(args) > words


def _set(args: list[bytes]) -> Command:
    size, noreply = _stored(args, 4)
    try:
        if len(args) > 4 + noreply:
            raise ClientError("only noreply may follow the size")
        queue, consumer, sync = parse_store_key(args[0])
        flags = _number(args[1], "flags", 0, _MAX_FLAGS)
        exptime = _number(args[2], "exptime", -_MAX_EXPTIME, _MAX_EXPTIME)
    except ClientError as error:
        refusal = b"" if noreply else replies.client_error(str(error))
        return Store(b"", b"", 0, 0, size, False, noreply, refusal)
    return Store(queue, consumer, flags, exptime, size, sync, noreply)


def _never_stored(args: list[bytes], words: int, reply: bytes) -> Command:
    size, noreply = _stored(args, words)
    return Store(b"", b"", 0, 0, size, False, noreply, b"" if noreply else reply)


def _add(args: list[bytes]) -> Command:
    return _never_stored(args, 4, replies.NOT_STORED)


def _cas(args: list[bytes]) -> Command:
    return _never_stored(args, 5, replies.NOT_FOUND)


def _meta_set(args: list[bytes]) -> Command:
    if len(args) < 2:
        raise FramingError("key and size are expected")
    return Store(b"", b"", 0, 0, _size(args[1]), False, False, replies.ERROR)


def _number(word: bytes, what: str, low: int, high: int) -> int:
    digits = word[1:] if low < 0 and word[:1] == b"-" else word
    if digits.isdigit() and low <= (number := int(word)) <= high:
        return number
    raise ClientError(f"bad {what} {word[:30].decode('latin-1')!r}, {low} to {high} expected")


def _take_noreply(args: list[bytes]) -> tuple[list[bytes], bool]:
    if args and args[-1] == _NOREPLY:
        return args[:-1], True
    return args, False


def _delete(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args) if len(args) > 1 else (args, False)
    if not args or args[1:] not in ([], [b"0"]):
        raise ClientError("delete takes a queue and at most a 0")
    queue, consumer = parse_plain_key(args[0])
    return Delete(queue, consumer, noreply)


def _flush(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("flush takes one queue")
    queue, consumer = parse_plain_key(args[0])
    return Flush(queue, consumer)


def _flush_all(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if args not in ([], [b"0"]):
        raise ClientError("flush_all cannot be delayed")
    return FlushAll(noreply)


def _stats(args: list[bytes]) -> Command:
    if not args:
        return Stats(None)
    if len(args) > 1:
        raise ClientError("stats takes at most one queue")
    parse_plain_key(args[0])
    return Stats(args[0])


def _verbosity(args: list[bytes]) -> Command:
    return Verbosity(_take_noreply(args)[1])


def _unknown(args: list[bytes]) -> Command:
    return Refused(b"" if args[-1:] == [_NOREPLY] else replies.ERROR)


_SILENCEABLE = frozenset(("delete", "flush_all", "verbosity"))

_TABLE = (
    Verb("set", "set q[/sync] flags exptime bytes [noreply]", "append an item; STORED", _set),
    Verb("get", "get q[/options] [q2 …]", "take, open, close, abort or peek; VALUE … END", _get),
    Verb("gets", "gets q[/options] [q2 …]", "the same, VALUE carries the item's id", _gets),
    Verb("delete", "delete q [0] [noreply]", "remove the queue and all it holds; DELETED", _delete),
    Verb("flush", "flush q", "discard what waits, open reads survive; END", _flush),
    Verb("flush_all", "flush_all [0] [noreply]", "flush every queue; OK", _flush_all),
    Verb("stats", "stats [q]", "STAT lines for the server or one queue; END", _stats),
    Verb("version", "version", "VERSION 1.x.y", lambda args: Version()),
    Verb("verbosity", "verbosity [n] [noreply]", "OK, and nothing changes", _verbosity),
    Verb("quit", "quit", "closes the connection without a word", lambda args: Quit()),
    Verb("add", "add q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("replace", "replace q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("append", "append q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("prepend", "prepend q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("cas", "cas q flags exptime bytes id [noreply]", "never enqueues; NOT_FOUND", _cas),
    Verb("touch", "touch q exptime [noreply]", "means nothing to a queue; ERROR", _unknown),
    Verb("incr", "incr q value [noreply]", "means nothing to a queue; ERROR", _unknown),
    Verb("decr", "decr q value [noreply]", "means nothing to a queue; ERROR", _unknown),
    Verb("ms", "ms q bytes …", "meta protocol, not spoken: block swallowed; ERROR", _meta_set),
)

VERBS: dict[bytes, Verb] = {verb.name.encode(): verb for verb in _TABLE}
"""Every verb by its lower-case bytes; what is not here answers ERROR."""


def describe() -> str:
    """Return the table of all verbs as Markdown."""
    rows = [f"| `{verb.usage}` | {verb.summary} |" for verb in _TABLE]
    return "\n".join(["| line | what it does; what it answers |", "|---|---|", *rows, ""])
