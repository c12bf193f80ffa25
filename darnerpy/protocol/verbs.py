"""The one table of verbs: what a line may say, and the command it becomes.

The codec looks verbs up here, `docs/protocol.md` lists them from here, the fuzzer draws its words
from here. Parsers are pure: the same line always gives an equal command, so the codec may remember.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ..errors import ClientError
from ..names import BACKUP_NAME, is_backup_name
from . import replies
from .commands import (
    Backup,
    Command,
    Confirm,
    Delete,
    DeleteBackup,
    DumpConfig,
    DumpStats,
    Flush,
    FlushAll,
    FlushAllExpired,
    FlushExpired,
    ListBackups,
    Monitor,
    Quit,
    Refused,
    Reload,
    SetStatus,
    Shutdown,
    Stats,
    Status,
    Verbosity,
    Version,
)
from .item_commands import Get, Read, Store
from .options import MAX_WAIT_MS, parse_plain_key, parse_read_key, parse_store_key

__all__ = [
    "HTTP_HERE",
    "MAX_COUNT",
    "MAX_LINE",
    "VERBS",
    "FramingError",
    "Verb",
    "check_waits",
    "describe",
    "is_http",
    "is_http_version",
    "parse_line",
]

_MAX_FLAGS = 2**32 - 1
_MAX_EXPTIME = 2**62
_MAX_DELTA = 2**64 - 1
_NOREPLY = b"noreply"
_STATUSES = (b"up", b"readonly", b"quiescent", b"writeavoid")

MAX_LINE = 2048
"""Bytes of a line without its line end (memcached's limit)."""

HTTP_HERE = "this is a memcache port, not HTTP"

MAX_COUNT = 2**31 - 1
"""Items that one command may ask for or confirm."""


class FramingError(ClientError):
    """Where the next command starts can no longer be known: answer, then close."""


@dataclass(frozen=True, slots=True)
class Verb:
    """usage: the line, for people. parse: its arguments (words, verb taken off) to a command.

    admin: when it makes an administrative command, for people: "yes" or in which case.
    """

    name: str
    usage: str
    summary: str
    parse: Callable[[list[bytes]], Command]
    admin: str = ""


def parse_line(line: bytes) -> Command:
    """One line without its line end to a command; whatever is wrong with it becomes `Refused`."""
    words = [word for word in line.split(b" ") if word]
    if not words:
        return Refused(replies.ERROR)
    if is_http(words):
        return Refused(replies.client_error(HTTP_HERE), fatal=True)
    verb = VERBS.get(words[0].lower())
    args = words[1:]
    if verb is None:
        return Refused(replies.ERROR, fatal=_may_store(args))
    try:
        return verb.parse(args)
    except FramingError as error:
        return Refused(replies.client_error(str(error)), fatal=True)
    except ClientError as error:
        silent = verb.name in _SILENCEABLE and args[-1:] == [_NOREPLY]
        return Refused(b"" if silent else replies.client_error(str(error)))


def is_http(words: list[bytes]) -> bool:
    """Whether the words are the first line of an HTTP request: what follows is not meant for us."""
    return len(words) >= 3 and is_http_version(words[-1])


def is_http_version(word: bytes) -> bool:
    return word.startswith(b"HTTP/") and word[5:6].isdigit()


def _may_store(args: list[bytes]) -> bool:
    """Whether an unknown verb may be a storage command: then a block follows, and is no commands."""
    while args and args[-1].lower() == _NOREPLY:
        args = args[:-1]
    return len(args) >= 4 and args[-1].isdigit()


def _get(args: list[bytes], cas: bool = False) -> Command:
    if not args:
        raise ClientError("a key is expected")
    reads = tuple(parse_read_key(key) for key in args)
    for read in reads[1:]:
        check_waits(read, first=False)
    return Get(reads, cas)


def check_waits(read: Read, first: bool) -> None:
    """Raises `ClientError` for a wait in the midst of several keys."""
    if read.wait_ms and not first:
        raise ClientError("only the first key of a get may wait")


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
    noreply = args[-1] == _NOREPLY and len(args) > words
    _no_second_size(args[words : len(args) - noreply])
    return _size(args[3]), noreply


def _no_second_size(more: list[bytes]) -> None:
    """Of a line with a number too many, as of a key with a blank in it, nobody knows the size."""
    if more and more[-1].isdigit():
        raise FramingError(f"what is the size: {more[-1][:30].decode('latin-1')!r} is one too many")


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
    _no_second_size(args[2:])
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
    return Flush(*parse_plain_key(args[0]))


def _flush_expired(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("flush_expired takes one queue")
    return FlushExpired(*parse_plain_key(args[0]))


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


def _monitor(args: list[bytes]) -> Command:
    if len(args) not in (2, 3):
        raise ClientError("monitor takes a queue, seconds and at most a number of items")
    queue, consumer = parse_plain_key(args[0])
    seconds = _number(args[1], "seconds", 0, MAX_WAIT_MS // 1000)
    most = _number(args[2], "number of items", 1, MAX_COUNT) if len(args) == 3 else None
    return Monitor(queue, consumer, args[0], seconds * 1000, most)


def _confirm(args: list[bytes]) -> Command:
    if len(args) != 2:
        raise ClientError("confirm takes a queue and a number of items")
    queue, consumer = parse_plain_key(args[0])
    return Confirm(queue, consumer, _number(args[1], "number of items", 1, MAX_COUNT))


def _dump(args: list[bytes], kind: type[DumpStats] | type[DumpConfig]) -> Command:
    for name in args:
        parse_plain_key(name)
    return kind(tuple(args))


def _status(args: list[bytes]) -> Command:
    if not args:
        return Status()
    status = args[0].lower()
    if len(args) > 1 or status not in _STATUSES:
        raise ClientError(f"status takes one of {b' '.join(_STATUSES).decode()}, or nothing")
    return SetStatus(status.decode())


def _backup(args: list[bytes]) -> Command:
    *queues, name = args or [b""]
    if not queues:
        raise ClientError("backup takes queues, or *, and a name")
    backup = _backup_name(name)
    if queues == [b"*"]:
        return Backup(None, backup)
    if any(parse_plain_key(queue)[1] for queue in queues):
        raise ClientError("backup takes queues, not consumers of one")
    return Backup(tuple(queues), backup)


def _delete_backup(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("delete_backup takes the name of one backup")
    return DeleteBackup(_backup_name(args[0]))


def _backup_name(word: bytes) -> str:
    name = word.decode("latin-1")
    if not is_backup_name(name):
        raise ClientError(f"{BACKUP_NAME} was expected")
    return name


def _alone(verb: str, command: Command) -> Callable[[list[bytes]], Command]:
    def parse(args: list[bytes]) -> Command:
        if args:
            raise ClientError(f"{verb} takes no arguments")
        return command

    return parse


def _verbosity(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) > 1 or not all(word.isdigit() for word in args):
        raise ClientError("verbosity takes at most a number")
    return Verbosity(noreply)


# What a cache can be asked and a queue cannot answers as if nothing were there: to ERROR many clients
# take the server for broken, and send it nothing more for a while.


def _count(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) != 2:
        raise ClientError("a key and a number are expected")
    parse_plain_key(args[0])
    _number(args[1], "number", 0, _MAX_DELTA)
    return Refused(b"" if noreply else replies.NOT_FOUND)


def _touch(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) != 2:
        raise ClientError("a key and an exptime are expected")
    parse_plain_key(args[0])
    _number(args[1], "exptime", -_MAX_EXPTIME, _MAX_EXPTIME)
    return Refused(b"" if noreply else replies.NOT_FOUND)


def _get_and_touch(args: list[bytes]) -> Command:
    if len(args) < 2:
        raise ClientError("an exptime and keys are expected")
    _number(args[0], "exptime", -_MAX_EXPTIME, _MAX_EXPTIME)
    for key in args[1:]:
        parse_plain_key(key)
    return Refused(replies.END)


def _meta_no_op(args: list[bytes]) -> Command:
    return Refused(replies.MN)


_SILENCEABLE = frozenset(("delete", "flush_all", "verbosity", "touch", "incr", "decr"))

_TABLE = (
    Verb("set", "set q[/sync] flags exptime bytes [noreply]", "append an item; STORED", _set),
    Verb("get", "get q[/options] [q2 …]", "take, open, close, abort or peek; VALUE … END", _get),
    Verb("gets", "gets q[/options] [q2 …]", "the same, VALUE carries the item's id", _gets),
    Verb("monitor", "monitor q seconds [max]", "open items as they come; VALUE … END each, END", _monitor),
    Verb("confirm", "confirm q n", "close the n oldest open reads; END, ERROR if fewer are open", _confirm),
    Verb("delete", "delete q [0] [noreply]", "remove the queue and all it holds; DELETED", _delete),
    Verb("flush", "flush q", "discard what waits, open reads survive; END", _flush),
    Verb("flush_all", "flush_all [0] [noreply]", "flush every queue; OK", _flush_all, "yes"),
    Verb("flush_expired", "flush_expired q", "drop what has expired; how many it was", _flush_expired),
    Verb(
        "flush_all_expired", "flush_all_expired", "the same in every queue; how many it was",
        _alone("flush_all_expired", FlushAllExpired()), "yes",
    ),
    Verb("stats", "stats [q]", "STAT lines for the server or one queue; END", _stats),
    Verb(
        "dump_stats", "dump_stats [q …]", "the same in blocks, `queue 'q' {` … `}`; END",
        partial(_dump, kind=DumpStats),
    ),
    Verb(
        "dump_config", "dump_config [q …]", "the settings in blocks, `server {` … `}` first; END",
        partial(_dump, kind=DumpConfig), "yes",
    ),
    Verb(
        "status", "status [s]", "UP, READONLY, QUIESCENT or WRITEAVOID; or change to s; END",
        _status, "with s",
    ),
    Verb("backup", "backup q [q2 …] name", "copy queues, * is all, to backups/name; OK", _backup, "yes"),
    Verb(
        "list_backups", "list_backups", "BACKUP name created queues items bytes path each; END",
        _alone("list_backups", ListBackups()), "yes",
    ),
    Verb(
        "delete_backup", "delete_backup name", "remove backups/name; DELETED or NOT_FOUND",
        _delete_backup, "yes",
    ),
    Verb(
        "reload", "reload", "read the configuration again; Reloaded config.",
        _alone("reload", Reload()), "yes",
    ),
    Verb(
        "shutdown", "shutdown", "stops the server, without a word",
        _alone("shutdown", Shutdown()), "yes",
    ),
    Verb("version", "version", "VERSION 1.x.y", lambda args: Version()),
    Verb("verbosity", "verbosity [n] [noreply]", "OK, and nothing changes", _verbosity),
    Verb("quit", "quit", "closes the connection without a word", lambda args: Quit()),
    Verb("add", "add q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("replace", "replace q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("append", "append q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("prepend", "prepend q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", _add),
    Verb("cas", "cas q flags exptime bytes id [noreply]", "never enqueues; NOT_FOUND", _cas),
    Verb("incr", "incr q value [noreply]", "an item is no counter; NOT_FOUND", _count),
    Verb("decr", "decr q value [noreply]", "an item is no counter; NOT_FOUND", _count),
    Verb("touch", "touch q exptime [noreply]", "changes no expiry; NOT_FOUND", _touch),
    Verb("gat", "gat exptime q [q2 …]", "takes nothing; END", _get_and_touch),
    Verb("gats", "gats exptime q [q2 …]", "takes nothing; END", _get_and_touch),
    Verb("mn", "mn", "the meta protocol's no-op; MN", _meta_no_op),
    Verb("ms", "ms q bytes …", "meta protocol, not spoken: block swallowed; ERROR", _meta_set),
)  # fmt: skip

VERBS: dict[bytes, Verb] = {verb.name.encode(): verb for verb in _TABLE}
"""Every verb by its lower-case bytes; what is not here answers ERROR."""


def describe(verbs: Iterable[Verb] = _TABLE) -> str:
    """Return the table of verbs as Markdown; all of the memcache protocol's if none are given."""
    rows = [f"| `{verb.usage}` | {verb.summary} | {verb.admin} |" for verb in verbs]
    head = ["| line | what it does; what it answers | administrative |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])
