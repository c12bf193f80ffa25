"""kill -9 while a server tells what happens: all that a client was told is in the ring, and once."""

import os
import random
import time
from collections import Counter

import pytest

from darnerpy.server.events import Event
from tests.conftest import MakeServer, needs_pump
from tests.crash.load import CONSUMERS, Books, Load
from tests.taps import told_in
from tests.unit.audit import Audit, Place

LIVES = 3
SENT_AT_ONCE = 64 * 1024 - 100


@needs_pump  # elsewhere a reply may leave some microseconds before what it is about is told
@pytest.mark.parametrize("sync", ["always", "never", "20ms"])
def test_all_that_was_acknowledged_is_told_once(make_server: MakeServer, sync: str) -> None:
    chance = random.Random(sync)
    server = make_server(tap="true", tap_size="64MiB", sync=sync, loop="pump")
    books: list[Books] = []
    for life in range(LIVES):
        load = Load(server.address, chance.randrange(1 << 30), f"life{life}")
        load.start()
        load.wait_for(200)
        time.sleep(chance.uniform(0, 0.4))  # the random moment
        server.kill()
        books += load.join()
        server.start()
        assert not server.complaints()
    events = told_in(server.data)
    assert [event.number for event in events] == list(range(len(events)))
    assert sum(event.kind == "start" for event in events) == LIVES + 1
    check_books(books, events)
    follow(events)


DONE = {
    "acked": "put",
    "synced": "put",
    "took": "take",
    "held": "open",
    "closed": "close",
    "returned": "abort",
}
BEGUN = {"sent": "put", "closing": "close", "returning": "abort"}


def check_books(books: list[Books], events: list[Event]) -> None:
    """By kind, key and size of the item: all that was answered was told, and no more than was asked."""
    entries = [(what, key, len(data)) for each in books for _, what, key, data in each.entries]
    done = Counter((DONE[what], key, size) for what, key, size in entries if what in DONE)
    begun = Counter((BEGUN[what], key, size) for what, key, size in entries if what in BEGUN)
    told = Counter((event.kind, key_of(event), event.size) for event in events)
    untold = done - told
    early = {what for what in untold if may_be_early(*what)}
    assert sum(untold[what] for what in early) <= len(books)
    assert not untold.keys() - early, "acknowledged, and not told"
    asked = {what: number for what, number in told.items() if what[0] in BEGUN.values()}
    too_often = Counter(asked) - begun
    assert not too_often, "told more often than it was asked for"
    # Which item a get would have had, when it was not answered, nobody knows.
    for kind in ("take", "open"):
        every = [sum(n for what, n in of.items() if what[0] == kind) for of in (told, done)]
        assert abs(every[0] - every[1]) <= len(books)


def may_be_early(kind: str, key: str, size: int) -> bool:
    """Whether an answer may leave before its event is told: one with an item that is written need not wait
    for a write under way, as the event does, and a large one is not kept until the turn is over.
    """
    return kind == "open" or (kind == "take" and size > SENT_AT_ONCE)


def key_of(event: Event) -> str:
    return os.fsdecode(event.queue + (b"+" + event.consumer if event.consumer else b""))


def follow(events: list[Event]) -> None:
    """The events of each item can have been so. Of what was in the last turn before a kill, and nobody was
    answered, some may be done and not told.
    """
    audits: dict[bytes, Audit] = {}
    last: dict[bytes, int] = {}
    unsure: set[bytes] = set()
    for event in events:
        queue, number = event.queue, event.id
        if event.kind == "start":
            unsure = set(audits)
            for audit in audits.values():
                for place in audit.places.values():
                    place.waiting |= place.held
                    place.held.clear()
            continue
        if queue not in audits:
            audits[queue] = Audit()
            for consumer in ("", *CONSUMERS.get(os.fsdecode(queue), ())):
                audits[queue].add(consumer.encode(), Place(1, set()))
            last[queue] = 0
        audit = audits[queue]
        if event.kind in ("flush", "delete"):
            assert event.kind == "delete" or last[queue]
        elif event.kind == "put" or number > last[queue]:
            gap = set(range(last[queue] + 1, number + (event.kind != "put")))
            assert not gap or queue in unsure, event
            audit.lost |= gap
            last[queue] = number
            unsure.discard(queue)
        if event.kind == "delete" and not event.consumer:
            del audits[queue]
        elif event.kind == "flush":
            audit.places[event.consumer].waiting.clear()
        else:
            audit.hear((event.kind, event.consumer, number, event.size, event.target))
