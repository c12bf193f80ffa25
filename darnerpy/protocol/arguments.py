"""What may follow each verb on its line, and the command that it makes. Pure: the same words always
give an equal command.

A parser gets the words behind the verb. It raises `ClientError` for what is wrong with them, and
`FramingError` where nobody knows then how long the block is that follows the line.
"""

from collections.abc import Callable

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
    FlushExpired,
    Monitor,
    Refused,
    SetStatus,
    Stats,
    Status,
    Verbosity,
)
from .item_commands import Get, Read, Store
from .options import MAX_WAIT_MS, parse_plain_key, parse_read_key, parse_store_key

__all__ = [
    "MAX_COUNT",
    "NOREPLY",
    "FramingError",
    "check_waits",
    "parse_add",
    "parse_backup",
    "parse_cas",
    "parse_confirm",
    "parse_count",
    "parse_delete",
    "parse_delete_backup",
    "parse_dump",
    "parse_flush",
    "parse_flush_all",
    "parse_flush_expired",
    "parse_get",
    "parse_get_and_touch",
    "parse_gets",
    "parse_meta_no_op",
    "parse_meta_set",
    "parse_monitor",
    "parse_nothing",
    "parse_set",
    "parse_stats",
    "parse_status",
    "parse_touch",
    "parse_verbosity",
]

_MAX_FLAGS = 2**32 - 1
_MAX_EXPTIME = 2**62
_MAX_DELTA = 2**64 - 1
_STATUSES = (b"up", b"readonly", b"quiescent", b"writeavoid")

NOREPLY = b"noreply"

MAX_COUNT = 2**31 - 1
"""Items that one command may ask for or confirm."""


class FramingError(ClientError):
    """Where the next command starts can no longer be known: answer, then close."""


def parse_get(args: list[bytes], cas: bool = False) -> Command:
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


def parse_gets(args: list[bytes]) -> Command:
    return parse_get(args, cas=True)


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
    noreply = args[-1] == NOREPLY and len(args) > words
    _no_second_size(args[words : len(args) - noreply])
    return _size(args[3]), noreply


def _no_second_size(more: list[bytes]) -> None:
    """Of a line with a number too many, as of a key with a blank in it, nobody knows the size."""
    if more and more[-1].isdigit():
        raise FramingError(f"what is the size: {more[-1][:30].decode('latin-1')!r} is one too many")


def parse_set(args: list[bytes]) -> Command:
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


def parse_add(args: list[bytes]) -> Command:
    return _never_stored(args, 4, replies.NOT_STORED)


def parse_cas(args: list[bytes]) -> Command:
    return _never_stored(args, 5, replies.NOT_FOUND)


def parse_meta_set(args: list[bytes]) -> Command:
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
    if args and args[-1] == NOREPLY:
        return args[:-1], True
    return args, False


def parse_delete(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args) if len(args) > 1 else (args, False)
    if not args or args[1:] not in ([], [b"0"]):
        raise ClientError("delete takes a queue and at most a 0")
    queue, consumer = parse_plain_key(args[0])
    return Delete(queue, consumer, noreply)


def parse_flush(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("flush takes one queue")
    return Flush(*parse_plain_key(args[0]))


def parse_flush_expired(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("flush_expired takes one queue")
    return FlushExpired(*parse_plain_key(args[0]))


def parse_flush_all(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if args not in ([], [b"0"]):
        raise ClientError("flush_all cannot be delayed")
    return FlushAll(noreply)


def parse_stats(args: list[bytes]) -> Command:
    if not args:
        return Stats(None)
    if len(args) > 1:
        raise ClientError("stats takes at most one queue")
    parse_plain_key(args[0])
    return Stats(args[0])


def parse_monitor(args: list[bytes]) -> Command:
    if len(args) not in (2, 3):
        raise ClientError("monitor takes a queue, seconds and at most a number of items")
    queue, consumer = parse_plain_key(args[0])
    seconds = _number(args[1], "seconds", 0, MAX_WAIT_MS // 1000)
    most = _number(args[2], "number of items", 1, MAX_COUNT) if len(args) == 3 else None
    return Monitor(queue, consumer, args[0], seconds * 1000, most)


def parse_confirm(args: list[bytes]) -> Command:
    if len(args) != 2:
        raise ClientError("confirm takes a queue and a number of items")
    queue, consumer = parse_plain_key(args[0])
    return Confirm(queue, consumer, _number(args[1], "number of items", 1, MAX_COUNT))


def parse_dump(args: list[bytes], kind: type[DumpStats] | type[DumpConfig]) -> Command:
    for name in args:
        parse_plain_key(name)
    return kind(tuple(args))


def parse_status(args: list[bytes]) -> Command:
    if not args:
        return Status()
    status = args[0].lower()
    if len(args) > 1 or status not in _STATUSES:
        raise ClientError(f"status takes one of {b' '.join(_STATUSES).decode()}, or nothing")
    return SetStatus(status.decode())


def parse_backup(args: list[bytes]) -> Command:
    *queues, name = args or [b""]
    if not queues:
        raise ClientError("backup takes queues, or *, and a name")
    backup = _backup_name(name)
    if queues == [b"*"]:
        return Backup(None, backup)
    if any(parse_plain_key(queue)[1] for queue in queues):
        raise ClientError("backup takes queues, not consumers of one")
    return Backup(tuple(queues), backup)


def parse_delete_backup(args: list[bytes]) -> Command:
    if len(args) != 1:
        raise ClientError("delete_backup takes the name of one backup")
    return DeleteBackup(_backup_name(args[0]))


def _backup_name(word: bytes) -> str:
    name = word.decode("latin-1")
    if not is_backup_name(name):
        raise ClientError(f"{BACKUP_NAME} was expected")
    return name


def parse_nothing(verb: str, command: Command) -> Callable[[list[bytes]], Command]:
    def parse(args: list[bytes]) -> Command:
        if args:
            raise ClientError(f"{verb} takes no arguments")
        return command

    return parse


def parse_verbosity(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) > 1 or not all(word.isdigit() for word in args):
        raise ClientError("verbosity takes at most a number")
    return Verbosity(noreply)


# What a cache can be asked and a queue cannot answers as if nothing were there: to ERROR many clients
# take the server for broken, and send it nothing more for a while.


def parse_count(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) != 2:
        raise ClientError("a key and a number are expected")
    parse_plain_key(args[0])
    _number(args[1], "number", 0, _MAX_DELTA)
    return Refused(b"" if noreply else replies.NOT_FOUND)


def parse_touch(args: list[bytes]) -> Command:
    args, noreply = _take_noreply(args)
    if len(args) != 2:
        raise ClientError("a key and an exptime are expected")
    parse_plain_key(args[0])
    _number(args[1], "exptime", -_MAX_EXPTIME, _MAX_EXPTIME)
    return Refused(b"" if noreply else replies.NOT_FOUND)


def parse_get_and_touch(args: list[bytes]) -> Command:
    if len(args) < 2:
        raise ClientError("an exptime and keys are expected")
    _number(args[0], "exptime", -_MAX_EXPTIME, _MAX_EXPTIME)
    for key in args[1:]:
        parse_plain_key(key)
    return Refused(replies.END)


def parse_meta_no_op(args: list[bytes]) -> Command:
    return Refused(replies.MN)
