"""What was taken over and what was not, queue by queue, and how to say so.

Owns the counts and the words. Knows neither where items come from nor where they go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["QueueReport", "Report"]


@dataclass(slots=True)
class QueueReport:
    """One queue of the source.

    name: as the source had it; new_name: as it is called here. items: taken; size: their bytes.
    waiting: how many of them for each consumer, b"" being the queue's own. expired: how many were
    over already. consumers: their new names, where those had to change. damage: what could not be
    read; notes: what else is good to know. refused: why nothing was taken; "" if the queue was.
    """

    name: bytes
    new_name: bytes
    items: int = 0
    size: int = 0
    expired: int = 0
    waiting: dict[bytes, int] = field(default_factory=dict)
    consumers: dict[bytes, bytes] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: str = ""

    def begin(self, consumers: list[bytes]) -> None:
        """Start to count; what an earlier attempt found is forgotten."""
        self.items = self.size = self.expired = 0
        self.waiting = dict.fromkeys((b"", *consumers), 0)

    def count(self, size: int, expired: bool, readers: Iterable[bytes] | None) -> None:
        """One item more. readers: who is still to get it, None: all."""
        self.items += 1
        self.size += size
        self.expired += expired
        for name in self.waiting if readers is None else readers:
            self.waiting[name] += 1

    @property
    def is_whole(self) -> bool:
        """Whether everything that was there was taken."""
        return not (self.refused or self.damage)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to take, not even a consumer's place."""
        return not (self.refused or self.items or self.waiting.keys() - {b""})

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": text(self.name),
            "new_name": text(self.new_name),
            "items": self.items,
            "bytes": self.size,
            "expired": self.expired,
            "consumers": {text(name): waiting for name, waiting in self._named()},
            "renamed_consumers": {text(old): text(new) for old, new in self.consumers.items()},
            "refused": self.refused or None,
            "damage": self.damage,
            "notes": self.notes,
        }

    def _named(self) -> list[tuple[bytes, int]]:
        return [(name, waiting) for name, waiting in self.waiting.items() if name != b""]

    def lines(self) -> list[str]:
        title = text(self.name)
        if self.new_name != self.name:
            title += f" (now {text(self.new_name)})"
        if self.refused:
            return [f"{title}: NOT TAKEN: {self.refused}", *_below("damage", self.damage)]
        lines = [f"{title}: {count(self.items, 'item')}, {count(self.size, 'byte')}"]
        if self.is_empty:
            lines = [f"{title}: empty, and not made here"]
        for name, waiting in self._named():
            lines.append(f"  consumer {text(name)}: {count(waiting, 'item')}")
        for old, new in self.consumers.items():
            lines.append(f"  consumer {text(old)} is now {text(new)}")
        if self.expired:
            lines.append(
                f"  {count(self.expired, 'item')} had expired; darnerpy will treat them so"
            )
        return lines + _below("damage", self.damage) + _below("note", self.notes)


@dataclass(slots=True)
class Report:
    """left_alone: files and directories of the source that are no queue's, each with the reason."""

    queues: list[QueueReport] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether there was anything, and all of it was taken."""
        return bool(self.queues) and all(queue.is_whole for queue in self.queues)

    def as_dict(self, dry_run: bool) -> dict[str, Any]:
        queues = [queue.as_dict() for queue in self.queues]
        return {"dry_run": dry_run, "queues": queues, "left_alone": self.left_alone}

    def as_text(self, dry_run: bool) -> str:
        lines = [line for queue in self.queues for line in queue.lines()]
        lines += [f"left alone: {each}" for each in self.left_alone]
        taken = [queue for queue in self.queues if not (queue.refused or queue.is_empty)]
        items = count(sum(queue.items for queue in taken), "item")
        size = count(sum(queue.size for queue in taken), "byte")
        verb = "would be taken" if dry_run else "taken"
        lines.append(f"{count(len(taken), 'queue')}, {items}, {size} {verb}")
        if refused := sum(bool(queue.refused) for queue in self.queues):
            lines.append(f"{count(refused, 'queue')} NOT {verb}")
        if damaged := sum(bool(queue.damage) for queue in self.queues):
            lines.append(f"{count(damaged, 'queue')} had damage: see above")
        return "\n".join(lines)


def text(name: bytes) -> str:
    """A name for people and for JSON: bytes that are no UTF-8 are shown as `\\xff`."""
    return name.decode("utf-8", "backslashreplace")


def count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _below(word: str, texts: list[str]) -> list[str]:
    return [f"  {word}: {each}" for each in texts]
