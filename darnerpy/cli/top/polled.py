"""Snapshots from the memcache port: `stats`, asked again and again.

Owns the rates, which come from counters that never fall: what was put, and what was put and neither waits
nor is held. Of a queue that was made anew or of a server that was started anew they begin with 0.
"""

import time
from collections.abc import Iterator, Mapping

from ...units import Address, UnixAddress
from ..client import Client
from ..counts import Counts, by_queue
from .snapshots import Row, Snapshot, Totals, since

__all__ = ["polled"]

_SHARE = 10
"""Asking takes at most this part of the time: of thousands of queues there is much to say."""


class _Counted:
    """What was counted at the look before, and when."""

    def __init__(self) -> None:
        self.at = 0.0
        self.of: dict[str, tuple[int, int]] = {}


def polled(
    address: Address | UnixAddress, timeout_ms: int, interval_s: float
) -> Iterator[Snapshot]:
    """One snapshot after another, the first one without rates. Raises as `Client` does."""
    before = _Counted()
    with Client(address, timeout_ms) as client:
        while True:
            begun = time.monotonic()
            server, queues = by_queue(client.stats())
            taken = time.monotonic()
            yield _snapshot(f"{address}", server, queues, before, taken)
            took = time.monotonic() - begun
            time.sleep(max(interval_s - took, took * (_SHARE - 1), 0.0))


def _snapshot(
    origin: str, server: Counts, queues: Mapping[str, Counts], before: _Counted, now: float
) -> Snapshot:
    passed = now - before.at if before.at else 0.0
    counted: dict[str, tuple[int, int]] = {}
    rows = {}
    for name, counts in queues.items():
        if "put_items" not in counts:  # an alias holds nothing
            row = _row(name, counts, now)
            put = _number(counts, "total_items")
            gone = put - row.items - row.open
            if passed and name in before.of and "items" in counts:
                row = row._replace(
                    puts=max(0, put - before.of[name][0]) / passed,
                    gets=max(0, gone - before.of[name][1]) / passed,
                )
            rows[name] = row
            counted[name] = put, gone
    before.at, before.of = now, counted
    return Snapshot(origin, passed > 0, _totals(server, rows), rows)


def _row(name: str, counts: Counts, now: float) -> Row:
    items, delayed = _number(counts, "items"), _number(counts, "delayed")
    return Row(
        name,
        items,
        _number(counts, "bytes"),
        _number(counts, "open_transactions"),
        _number(counts, "waiters"),
        delayed,
        since(now, _number(counts, "age"), items, delayed),
        disk=_number(counts, "logsize"),
        state=counts.get("state", "ready"),
        paused=counts.get("paused", "none"),
        lagging=counts.get("lagging", "0") != "0",
    )


def _totals(server: Counts, rows: Mapping[str, Row]) -> Totals:
    every = rows.values()
    waiting = [row.since for row in every if row.since is not None]
    return Totals(
        server.get("version", ""),
        server.get("status", "up"),
        _number(server, "uptime"),
        sum(not row.is_consumer for row in every),
        sum(row.items for row in every),
        sum(row.bytes for row in every),
        sum(row.open for row in every),
        sum(row.waiters for row in every),
        min(waiting) if waiting else None,
        sum(row.puts for row in every if not row.is_consumer),
        sum(row.gets for row in every),
        _number(server, "curr_connections"),
        sum(row.disk for row in every if not row.is_consumer),
        commit_ms=float(server.get("commit_ms", "0")),
        troubles=_troubles(server),
    )


def _troubles(server: Counts) -> tuple[str, ...]:
    found = []
    if server.get("out_of_disk", "0") != "0":
        found.append("out of disk")
    if loading := _number(server, "loading_queues"):
        found.append(f"{loading:,} loading")
    if failed := _number(server, "failed_queues"):
        found.append(f"{failed:,} failed")
    return tuple(found)


def _number(counts: Counts, name: str) -> int:
    text = counts.get(name, "0")
    return int(text) if text.removeprefix("-").isdecimal() else 0
