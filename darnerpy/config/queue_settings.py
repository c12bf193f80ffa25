"""What may differ from queue to queue, and how the tables of a file come to be one queue's settings.

A field of `QueueSettings` made with `option` is, by that alone, a TOML key, a `DARNERPY_...` variable,
a command line flag and a line of the documentation. Knows no other table than those it is given.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Any, Literal

from ..units import SyncPolicy
from .kinds import (
    BOOLEAN,
    CONSUMER,
    CONSUMERS,
    DEAD_LETTER,
    DURATION,
    OPTIONAL_COUNT,
    OPTIONAL_SIZE,
    QUEUE,
    SYNC,
    TIMEOUT,
    integer,
    name_of,
    one_of,
    size,
    text_of_name,
)
from .options import option

__all__ = ["QueueRule", "QueueSettings", "chosen", "laid_over"]


@dataclass(frozen=True)
class QueueSettings:
    """What may differ from queue to queue, and some of it from consumer to consumer.

    Times are milliseconds, sizes are bytes, None is off; of names, b"" is none.
    """

    sync: SyncPolicy = option(
        SYNC,
        "always",
        "When an item is forced to disk: before its reply, left to the system, or at most that "
        "much later.",
        top_level=True,
    )
    sync_ops: int | None = option(
        OPTIONAL_COUNT,
        "off",
        "Force all to disk with every so many items that are put or confirmed, before their "
        "replies; sync is never then, or a duration.",
        top_level=True,
    )
    max_item_bytes: int = option(
        size(most=1 << 30), "64MiB", "A larger item is refused.", for_consumers=True
    )
    max_items: int | None = option(
        OPTIONAL_COUNT, "off", "Items that may wait in the queue; open ones do not count."
    )
    max_bytes: int | None = option(
        OPTIONAL_SIZE, "off", "Bytes of items that may wait in the queue; open ones do not count."
    )
    discard_old_when_full: bool = option(
        BOOLEAN, "false", "A full queue discards its oldest items rather than refuse a new one."
    )
    max_age: int | None = option(
        TIMEOUT, "off", "An item that has waited for longer than this expires.", for_consumers=True
    )
    ignore_client_expiry: bool = option(
        BOOLEAN,
        "false",
        "Take no notice of the expiry time that a client sends with an item.",
        for_consumers=True,
    )
    expire_to: bytes = option(
        QUEUE,
        "",
        "The queue that expired items move to; without one they are discarded.",
        for_consumers=True,
    )
    max_queue_age: int | None = option(
        TIMEOUT, "off", "Delete the queue when it is this old, if nothing is in it."
    )
    open_timeout: int | None = option(
        TIMEOUT,
        "off",
        "An item held open for this long goes back to its place in the queue.",
        for_consumers=True,
    )
    max_attempts: int = option(
        integer(0),
        "0",
        "How often an item may be delivered. If it is not confirmed after so many deliveries, it "
        "moves to dead_letter; 0 is no limit.",
        for_consumers=True,
    )
    dead_letter: bytes = option(
        DEAD_LETTER,
        "",
        "The queue for items that came back too often; drop discards them.",
        for_consumers=True,
    )
    retry_delay: int | None = option(
        TIMEOUT,
        "off",
        "How long an item that came back waits for its next delivery, doubled with every further "
        "attempt.",
        for_consumers=True,
    )
    max_retry_delay: int = option(
        DURATION, "1h", "The longest that retry_delay grows to.", for_consumers=True
    )
    fanout_only: bool = option(
        BOOLEAN, "false", "Items are for the named consumers only; the queue itself keeps none."
    )
    consumers: tuple[bytes, ...] = option(
        CONSUMERS, "", "Consumers that the queue has from the start.", table_only=True
    )
    start: Literal["tail", "head"] = option(
        one_of("tail", "head"),
        "tail",
        "Whether a new consumer begins behind all that waits or with the oldest item.",
        for_consumers=True,
    )
    copy_from: bytes = option(
        CONSUMER,
        "",
        "The consumer of the same queue whose position a new consumer begins at.",
        for_consumers=True,
        table_only=True,
    )
    max_lag_items: int | None = option(
        OPTIONAL_COUNT, "off", "Items that may wait for a named consumer.", for_consumers=True
    )
    max_lag_bytes: int | None = option(
        OPTIONAL_SIZE,
        "off",
        "Bytes of items that may wait for a named consumer.",
        for_consumers=True,
    )
    lag_action: Literal["refuse", "discard"] = option(
        one_of("refuse", "discard"),
        "refuse",
        "At the limit of a named consumer, refuse new items or discard its oldest.",
        for_consumers=True,
    )
    max_idle: int | None = option(
        TIMEOUT,
        "off",
        "Take lag_action when items wait for a named consumer that nobody has read for this long.",
        for_consumers=True,
    )
    tap: bool = option(
        BOOLEAN, "false", "Tell what happens to each item, for darnerpy tap to follow."
    )
    engine: Literal["leveldb", "arena", "memory"] = option(
        one_of("leveldb", "arena", "memory"),
        "leveldb",
        "Where items live: on disk, in a LevelDB or in memory-mapped files; or in memory only and gone "
        "with the process.",
    )
    arena_size: int = option(
        size(least=4096, most=1 << 30),
        "128MiB",
        "The largest file that items of an arena are kept in; those of a small queue are smaller.",
    )
    max_arenas_in_memory: int = option(
        integer(2), "3", "So many files of an arena, at most, are mapped into memory at once."
    )
    compression: Literal["off", "snappy"] = option(
        one_of("off", "snappy"),
        "off",
        "With snappy, a backlog of text takes less disk, and every put more CPU.",
    )


_SPECIAL = re.compile(rb"[*?\[]")
_WILDCARD = re.compile(r"\[(!?+)(\]|[^\]])[^\]]*\]|[*?]")


@dataclass(frozen=True)
class QueueRule:
    """The settings that one `[queues."glob"]` table gives; with a `+`, it is for consumers.

    Globs go by characters; of a name that is not UTF-8, each byte that is none counts as one.

    called: what errors call it, if it is of no file.
    """

    glob: bytes
    values: Mapping[str, Any]
    called: str = ""

    @classmethod
    def for_one(cls, name: bytes, values: Mapping[str, Any], called: str) -> "QueueRule":
        """As a table for just that queue has it, whatever its name."""
        return cls(_SPECIAL.sub(rb"[\g<0>]", name), values, called)

    @cached_property
    def for_consumers(self) -> bool:
        return b"+" in self.glob

    @cached_property
    def specificity(self) -> tuple[bool, int]:
        """Order rules: a literal name above every glob, then by the count of literal characters."""
        literal, wildcards = _WILDCARD.subn("", text_of_name(self.glob))
        return wildcards == 0, len(literal)

    @property
    def literal(self) -> bool:
        return self.specificity[0]

    @cached_property
    def example(self) -> bytes:
        """A name that the glob matches: a class is its first member, other wildcards themselves."""
        text = text_of_name(self.glob)
        return name_of(_WILDCARD.sub(lambda wild: "?" if wild[1] else wild[2] or wild[0], text))

    def matches(self, name: bytes) -> bool:
        """Whether the table is for this queue, or for this `queue+consumer`."""
        if self.literal:
            return name == self.glob
        return self._pattern.match(text_of_name(name)) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(translate(text_of_name(self.glob)))


def laid_over(lower: Mapping[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    """What two tables give, the second one going before the first, key by key.

    Of `sync = "always"` and `sync_ops`, which exclude each other, the word of the second one holds.
    """
    found = {**lower, **higher}
    if found.get("sync_ops") and "sync" in found and found["sync"].always:
        del found["sync" if "sync_ops" in higher else "sync_ops"]
    return found


def chosen(values: Mapping[str, Any]) -> QueueSettings:
    """The settings that come of what all tables give: `sync_ops` alone means `never` beside it."""
    if values.get("sync_ops") and "sync" not in values:
        values = {**values, "sync": SyncPolicy(always=False)}
    return QueueSettings(**values)
