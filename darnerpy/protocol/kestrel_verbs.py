"""The table of verbs of Kestrel's text protocol: what a line may say, and the command it becomes.

The commands are those of the memcache protocol, so that a session need not know who asked. As there,
nothing is taken for something else: a word too many is refused. Parsers are pure.
"""

from collections.abc import Callable

from ..errors import ClientError
from .arguments import MAX_COUNT
from .commands import Command, Confirm, Delete, Flush, Group, Monitor, Refused
from .item_commands import Get, Read
from .kestrel_replies import REPLIES
from .options import MAX_WAIT_MS, parse_plain_key
from .verbs import VERBS as MEMCACHE
from .verbs import Verb, is_http

__all__ = ["VERBS", "parse_line", "refused"]

_MAX_EXPIRY_MS = 2**62
_PUT = b"put"


def parse_line(line: bytes) -> tuple[Command, bool]:
    """One line without its line end to a command, and whether items follow it (as after any colon).

    What is wrong becomes `Refused`; it is answered after the items, if there are any.
    """
    items = line.endswith(b":")
    words = [word for word in line[: len(line) - items].split(b" ") if word]
    if is_http(words):
        return refused("this is not an HTTP port", fatal=True), False
    name = words[0].lower() if words else b""
    verb = VERBS.get(name)
    if verb is None:
        return refused(f"Unknown command: {repr(name[:60])[2:-1]}"), items
    if items and name != _PUT:
        return refused(f"{verb.name} takes no items"), True
    if name == _PUT and not items:
        # The items come all the same, and must not be taken for commands.
        return refused("put needs a colon at the end of its line", fatal=True), False
    try:
        return verb.parse(words[1:]), items
    except ClientError as error:
        return refused(str(error)), items


def refused(why: str, fatal: bool = False) -> Refused:
    return Refused(REPLIES.client_error(why), fatal)


def _arguments(usage: str, args: list[bytes], least: int, missing: str) -> None:
    """Raises `ClientError` for fewer arguments than that, or more than usage has."""
    if len(args) < least:
        raise ClientError(missing)
    if len(args) >= len(usage.split()):
        raise ClientError(f"Too many words, expected: {usage}")


def _put(args: list[bytes]) -> Command:
    _arguments("put q [expiration]", args, 1, "Queue name required.")
    queue, consumer = parse_plain_key(args[0])
    expiry_ms = 0
    if len(args) > 1:
        digits = args[1].removeprefix(b"-")
        if not digits.isdigit() or int(digits) > _MAX_EXPIRY_MS:
            raise ClientError("Error parsing expiration time.")
        expiry_ms = int(args[1])
    return Group(queue, consumer, expiry_ms)


def _fetch(verb: str) -> Callable[[list[bytes]], Command]:
    peek = verb == "peek"

    def parse(args: list[bytes]) -> Command:
        _arguments(f"{verb} q [timeout]", args, 1, "Queue name required.")
        key = args[0]
        queue, consumer = parse_plain_key(key)
        wait_ms = _timeout(args[1]) if len(args) > 1 else 0
        read = Read(
            key, key, queue, consumer, open=not peek, peek=peek, wait_ms=wait_ms, close_all=True
        )
        return Get((read,), cas=False)

    return parse


def _monitor(args: list[bytes]) -> Command:
    _arguments("monitor q timeout", args, 2, "Queue name & timeout required.")
    queue, consumer = parse_plain_key(args[0])
    return Monitor(queue, consumer, args[0], _timeout(args[1]), None, close_all=True)


def _timeout(word: bytes) -> int:
    if not word.isdigit() or int(word) > MAX_WAIT_MS:
        raise ClientError("Error parsing timeout.")
    return int(word)


def _confirm(args: list[bytes]) -> Command:
    _arguments("confirm q n", args, 2, "Queue name & count required.")
    queue, consumer = parse_plain_key(args[0])
    digits = args[1].removeprefix(b"-")
    if not digits.isdigit():
        raise ClientError("Error parsing count.")
    count = int(args[1])
    if not 0 < count <= MAX_COUNT:
        return Refused(REPLIES.too_few_open)
    return Confirm(queue, consumer, count)


def _flush(args: list[bytes]) -> Command:
    _arguments("flush q", args, 1, "Queue name required.")
    return Flush(*parse_plain_key(args[0]))


def _delete(args: list[bytes]) -> Command:
    _arguments("delete q", args, 1, "Queue name required.")
    return Delete(*parse_plain_key(args[0]), noreply=False)


_TABLE = (
    Verb(
        "put", "put q [expiration]:", "append the items that follow, a line each, then an empty line; +n",
        _put,
    ),
    Verb("get", "get q [timeout]", "close all of q, open the next item; :item or *", _fetch("get")),
    Verb("peek", "peek q [timeout]", "close all of q, look at the next item; :item or *", _fetch("peek")),
    Verb("monitor", "monitor q timeout", "close all of q, open items as they come; :item each, *", _monitor),
    Verb("confirm", "confirm q n", "close the n oldest; +n", _confirm),
    Verb("flush", "flush q", "discard what waits, open reads survive; +0", _flush),
    Verb("delete", "delete q", "remove the queue and all it holds; +0", _delete),
    Verb(
        "status", "status [s]", ":UP, :READONLY, :QUIESCENT or :WRITEAVOID; or change to s; +0",
        MEMCACHE[b"status"].parse, "with s",
    ),
    Verb("version", "version", ":1.x.y", MEMCACHE[b"version"].parse),
    Verb("shutdown", "shutdown", "stops the server; +0", MEMCACHE[b"shutdown"].parse, "yes"),
    Verb("quit", "quit", "closes the connection without a word", MEMCACHE[b"quit"].parse),
)  # fmt: skip

VERBS: dict[bytes, Verb] = {verb.name.encode(): verb for verb in _TABLE}
"""Every verb by its lower-case bytes."""
