"""The one table of verbs, and what a line is before its verb is known.

The codec looks verbs up here, `docs/protocol.md` lists them from here, the fuzzer draws its words
from here. What may follow a verb is in `arguments.py`. The same line always gives an equal command, so
the codec may remember.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ..errors import ClientError
from . import replies
from .arguments import (
    NOREPLY,
    FramingError,
    parse_add,
    parse_backup,
    parse_cas,
    parse_confirm,
    parse_count,
    parse_delete,
    parse_delete_backup,
    parse_dump,
    parse_flush,
    parse_flush_all,
    parse_flush_expired,
    parse_get,
    parse_get_and_touch,
    parse_gets,
    parse_meta_no_op,
    parse_meta_set,
    parse_monitor,
    parse_nothing,
    parse_set,
    parse_stats,
    parse_status,
    parse_touch,
    parse_verbosity,
)
from .commands import (
    Command,
    DumpConfig,
    DumpStats,
    FlushAllExpired,
    ListBackups,
    Quit,
    Refused,
    Reload,
    Shutdown,
    Version,
)

__all__ = [
    "HTTP_HERE",
    "MAX_LINE",
    "VERBS",
    "Verb",
    "describe",
    "is_http",
    "is_http_version",
    "parse_line",
]

MAX_LINE = 2048
"""Bytes of a line without its line end (memcached's limit)."""

HTTP_HERE = "this is a memcache port, not HTTP"


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
    except ClientError as error:
        fatal = isinstance(error, FramingError)
        silent = verb.name in _SILENCEABLE and args[-1:] == [NOREPLY] and not fatal
        return Refused(b"" if silent else replies.client_error(str(error)), fatal)


def is_http(words: list[bytes]) -> bool:
    """Whether the words are the first line of an HTTP request: what follows is not meant for us."""
    return len(words) >= 3 and is_http_version(words[-1])


def is_http_version(word: bytes) -> bool:
    return word.startswith(b"HTTP/") and word[5:6].isdigit()


def _may_store(args: list[bytes]) -> bool:
    """Whether an unknown verb may be a storage command: then a block follows, and is no commands."""
    while args and args[-1].lower() == NOREPLY:
        args = args[:-1]
    return len(args) >= 4 and args[-1].isdigit()


_SILENCEABLE = frozenset(("delete", "flush_all", "verbosity", "touch", "incr", "decr"))

_TABLE = (
    Verb("set", "set q[/sync] flags exptime bytes [noreply]", "append an item; STORED", parse_set),
    Verb("get", "get q[/options] [q2 …]", "take, open, close, abort or peek; VALUE … END", parse_get),
    Verb("gets", "gets q[/options] [q2 …]", "the same, VALUE carries the item's id", parse_gets),
    Verb(
        "monitor", "monitor q seconds [max]", "open items as they come; VALUE … END each, END",
        parse_monitor,
    ),
    Verb(
        "confirm", "confirm q n", "close the n oldest open reads; END, ERROR if fewer are open",
        parse_confirm,
    ),
    Verb("delete", "delete q [0] [noreply]", "remove the queue and all it holds; DELETED", parse_delete),
    Verb("flush", "flush q", "discard what waits, open reads survive; END", parse_flush),
    Verb("flush_all", "flush_all [0] [noreply]", "flush every queue; OK", parse_flush_all, "yes"),
    Verb("flush_expired", "flush_expired q", "drop what has expired; how many it was", parse_flush_expired),
    Verb(
        "flush_all_expired", "flush_all_expired", "the same in every queue; how many it was",
        parse_nothing("flush_all_expired", FlushAllExpired()), "yes",
    ),
    Verb("stats", "stats [q]", "STAT lines for the server or one queue; END", parse_stats),
    Verb(
        "dump_stats", "dump_stats [q …]", "the same in blocks, `queue 'q' {` … `}`; END",
        partial(parse_dump, kind=DumpStats),
    ),
    Verb(
        "dump_config", "dump_config [q …]", "the settings in blocks, `server {` … `}` first; END",
        partial(parse_dump, kind=DumpConfig), "yes",
    ),
    Verb(
        "status", "status [s]", "UP, READONLY, QUIESCENT or WRITEAVOID; or change to s; END",
        parse_status, "with s",
    ),
    Verb("backup", "backup q [q2 …] name", "copy queues, * is all, to backups/name; OK", parse_backup, "yes"),
    Verb(
        "list_backups", "list_backups", "BACKUP name created queues items bytes path each; END",
        parse_nothing("list_backups", ListBackups()), "yes",
    ),
    Verb(
        "delete_backup", "delete_backup name", "remove backups/name; DELETED or NOT_FOUND",
        parse_delete_backup, "yes",
    ),
    Verb(
        "reload", "reload", "read the configuration again; Reloaded config.",
        parse_nothing("reload", Reload()), "yes",
    ),
    Verb(
        "shutdown", "shutdown", "stops the server, without a word",
        parse_nothing("shutdown", Shutdown()), "yes",
    ),
    Verb("version", "version", "VERSION 1.x.y", lambda args: Version()),
    Verb("verbosity", "verbosity [n] [noreply]", "OK, and nothing changes", parse_verbosity),
    Verb("quit", "quit", "closes the connection without a word", lambda args: Quit()),
    Verb("add", "add q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", parse_add),
    Verb("replace", "replace q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", parse_add),
    Verb("append", "append q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", parse_add),
    Verb("prepend", "prepend q flags exptime bytes [noreply]", "never enqueues; NOT_STORED", parse_add),
    Verb("cas", "cas q flags exptime bytes id [noreply]", "never enqueues; NOT_FOUND", parse_cas),
    Verb("incr", "incr q value [noreply]", "an item is no counter; NOT_FOUND", parse_count),
    Verb("decr", "decr q value [noreply]", "an item is no counter; NOT_FOUND", parse_count),
    Verb("touch", "touch q exptime [noreply]", "changes no expiry; NOT_FOUND", parse_touch),
    Verb("gat", "gat exptime q [q2 …]", "takes nothing; END", parse_get_and_touch),
    Verb("gats", "gats exptime q [q2 …]", "takes nothing; END", parse_get_and_touch),
    Verb("mn", "mn", "the meta protocol's no-op; MN", parse_meta_no_op),
    Verb("ms", "ms q bytes …", "meta protocol, not spoken: block swallowed; ERROR", parse_meta_set),
)  # fmt: skip

VERBS: dict[bytes, Verb] = {verb.name.encode(): verb for verb in _TABLE}
"""Every verb by its lower-case bytes; what is not here answers ERROR."""


def describe(verbs: Iterable[Verb] = _TABLE) -> str:
    """Return the table of verbs as Markdown; all of the memcache protocol's if none are given."""
    rows = [f"| `{verb.usage}` | {verb.summary} | {verb.admin} |" for verb in verbs]
    head = ["| line | what it does; what it answers | administrative |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])
