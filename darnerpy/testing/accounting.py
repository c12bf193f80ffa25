"""Is every item accounted for: none lost, none twice, none that nobody put?

Owns that question for each consumer, and no other: order does not matter here. What it allows is what
the protocol documents: an open read that was cut (abort, disconnect, kill, timeout) comes again; a
plain get whose answer was lost may have cost one item; a put or close of unknown outcome may or may
not have happened; an expired item is gone; flush and delete discard what was put before they ended.
Items that are moved to another queue (dead letters) are not understood.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from math import inf

from .history import Delivery, Finding, History, Operation, Timeline

__all__ = ["Consumer", "check_accounting", "consumers"]

DEFAULT_TOLERANCE_MS = 20


def check_accounting(history: History, tolerance_ms: int = DEFAULT_TOLERANCE_MS) -> list[Finding]:
    """What cannot have happened to single items. Losses are seen only in what was drained.

    tolerance_ms: by how much the clocks of server and clients may differ over the life of an item.
    """
    history.check()
    timeline = Timeline(history, tolerance_ms / 1000)
    findings: list[Finding] = []
    for each in consumers(history, timeline):
        findings += each.unexpected()
        findings += each.repeated()
        findings += each.undead()
        if (each.queue, each.name) in set(history.drained):
            findings += each.lost()
    return findings


def consumers(history: History, timeline: Timeline) -> Iterator["Consumer"]:
    """Each consumer that was ever mentioned, with what concerns it."""
    names: dict[str, set[str]] = defaultdict(set)
    by_queue: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        names[operation.queue] |= {"", operation.consumer}
        by_queue[operation.queue].append(operation)
    homes = {o.value: o for o in history.operations if o.kind == "put"}
    for queue, operations in by_queue.items():
        for name in sorted(names[queue]):
            yield Consumer(queue, name, operations, homes, timeline)


class Consumer:
    """One consumer's part of a history.

    puts: by value, all of its queue that it may see. everywhere: the same of all queues. discards:
    flushes and deletes that concern it. sightings: every get, open and peek that was answered.
    doubtful: gets and opens whose answer was lost. deliveries: by value.
    """

    def __init__(
        self,
        queue: str,
        name: str,
        operations: list[Operation],
        everywhere: dict[str | None, Operation],
        timeline: Timeline,
    ) -> None:
        self.queue = queue
        self.name = name
        self.timeline = timeline
        self.everywhere = everywhere
        for_it = [o for o in operations if o.consumer in ("", name) and o.outcome != "refused"]
        self.puts = {o.value or "": o for o in for_it if o.kind == "put"}
        self.discards = sorted(
            (o for o in for_it if o.kind in ("flush", "delete")), key=lambda o: o.invoked
        )
        reads = [o for o in operations if o.consumer == name]
        asked = [o for o in reads if o.kind in ("get", "open", "peek") and o.outcome != "refused"]
        self.sightings = [o for o in asked if o.outcome == "ok"]
        self.doubtful = [o for o in asked if o.outcome == "unknown" and o.kind != "peek"]
        self.deliveries = timeline.deliveries(reads)
        made = [*asked, *(o for o in self.puts.values() if name and o.consumer == name)]
        self._mentions = sorted(made, key=lambda o: o.invoked)
        self._deleted = [timeline.end(o) for o in self.discards if o.kind == "delete"]
        self._last_discard = max((timeline.end(o) for o in self.discards), default=-inf)
        self._last_seen = max((timeline.end(o) for o in self.sightings), default=-inf)

    @property
    def title(self) -> str:
        return f"{self.queue}+{self.name}" if self.name else self.queue

    # -- which items it must and may see -----------------------------------------------------------

    def must_see(self, put: Operation) -> bool:
        """Whether the put was acknowledged and the consumer certainly existed by then."""
        if put.outcome != "ok":
            return False
        if not self.name or put.consumer:
            return True
        since = max((end for end in self._deleted if end <= put.invoked), default=-inf)
        return any(
            o.invoked > since and self.timeline.end(o) < put.invoked and o.outcome == "ok"
            for o in self._mentions[: self._mentioned_before(put.invoked)]
        )

    def may_see(self, put: Operation) -> bool:
        """Whether the consumer may have existed when the item was put."""
        return (
            not self.name
            or bool(put.consumer)
            or self._mentioned_before(self.timeline.end(put)) > 0
        )

    def _mentioned_before(self, moment: float) -> int:
        return bisect_left(self._mentions, moment, key=lambda o: o.invoked)

    def discarded(self, put: Operation) -> bool:
        """Whether a flush or delete may have discarded it."""
        return self._last_discard >= put.invoked

    # -- the checks --------------------------------------------------------------------------------

    def unexpected(self) -> Iterator[Finding]:
        """Items that were not put here, not yet, not for this consumer, or have expired."""
        for seen in self.sightings:
            if seen.value is None:
                continue
            put = self.puts.get(seen.value)
            if put is None:
                yield self._not_put(seen)
            elif self.timeline.end(seen) < put.invoked:
                yield Finding("invented", "it was delivered before it was put", [put, seen])
            elif not self.may_see(put):
                why = f"it was put before anyone had mentioned {self.title}"
                yield Finding("another's item", why, [put, *self._mentions[:1], seen])
            elif seen.invoked > self.timeline.expires(put)[1]:
                why = f"it was put to last {put.lasts} s, and asked for after that"
                yield Finding("expired item delivered", why, [put, seen])

    def _not_put(self, seen: Operation) -> Finding:
        put = self.everywhere.get(seen.value)
        if put is None:
            return Finding("invented", "nobody has put it", [seen])
        if put.outcome == "refused":
            return Finding("refused item delivered", "its put was refused", [put, seen])
        return Finding("another's item", f"it was not put for {self.title}", [put, seen])

    def repeated(self) -> Iterator[Finding]:
        """Items delivered although they were confirmed, or still in someone's hands."""
        for deliveries in self.deliveries.values():
            for one, other in combinations(deliveries, 2):
                first, second = one.operation, other.operation
                if one.release > self.timeline.end(second) and other.release > self.timeline.end(
                    first
                ):
                    sure = one.confirmed or other.confirmed
                    why = "it was confirmed" if sure else "it was held by someone"
                    yield Finding("delivered twice", why, [first, second])
                    break

    def undead(self) -> Iterator[Finding]:
        """Items seen after a flush or delete has discarded them."""
        discards = [o for o in self.discards if o.outcome == "ok"]
        for seen in self.sightings if discards else ():
            put = self.puts.get(seen.value or "")
            if put is None or put.returned is None:
                continue
            since = bisect_right(discards, put.returned, key=lambda o: o.invoked)
            for discard in discards[since:]:
                if self.timeline.end(discard) >= seen.invoked:
                    continue
                if discard.kind == "delete" or not self._survived(seen.value or "", discard):
                    why = f"it was put before the {discard.kind}, and seen after it"
                    yield Finding("discarded item delivered", why, [put, discard, seen])
                    break

    def _survived(self, value: str, flush: Operation) -> bool:
        """Whether someone may have held it while all that waited was discarded."""
        begin, end = flush.invoked, self.timeline.end(flush)
        known = self.deliveries.get(value, ())
        return any(d.operation.invoked <= end and d.back >= begin for d in known) or any(
            o.invoked <= end and self.timeline.back(o) >= begin for o in self.doubtful
        )

    def lost(self) -> Iterator[Finding]:
        """Acknowledged items that were neither confirmed nor found when all was drained."""
        missing = [put for value, put in self.puts.items() if self._missed(put, value)]
        missing.sort(key=lambda put: put.invoked)
        # A plain get whose answer was lost may have taken one of those put before it ended.
        gets = sorted(self.timeline.end(o) for o in self.doubtful if o.kind == "get")
        unexcused = []
        for put in reversed(missing):
            if gets and gets[-1] >= put.invoked:
                gets.pop()
            else:
                unexcused.append(put)
        for put in reversed(unexcused):
            why = f"{self.title} was drained, and it has neither been confirmed nor found"
            history = [delivery.operation for delivery in self._of(put)]
            yield Finding("lost", why, [put, *history])

    def _missed(self, put: Operation, value: str) -> bool:
        # Confirmed, perhaps confirmed, or held by someone who is still there.
        if any(d.confirmed is not False or d.release == inf for d in self._of(put)):
            return False
        gone = self.discarded(put) or self.timeline.expires(put)[0] <= self._last_seen
        return self.must_see(put) and not gone

    def _of(self, put: Operation) -> list[Delivery]:
        return self.deliveries.get(put.value or "", [])
