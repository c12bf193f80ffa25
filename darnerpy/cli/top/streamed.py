"""Snapshots from HTTP: the server tells once a second what has changed.

Owns what was told before, since only that is told again which is new. Rates come from the server.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..client import Unreachable
from ..web import Web
from ..web_arguments import WebAddress
from .snapshots import Row, Snapshot, Totals, since

__all__ = ["streamed"]


def streamed(address: WebAddress, timeout_ms: int, token: str) -> Iterator[Snapshot]:
    """One snapshot after another, until the server ends it. Raises as `Web` does."""
    rows: dict[str, Row] = {}
    with Web(address, timeout_ms, token) as server:
        reply = server.ask("GET", "v1", "events", accept="text/event-stream")
        for told in _events(server.lines_of(reply)):
            now = time.monotonic()
            if told.get("all"):
                rows = {}
            for each in told["queues"]:
                row = _row(each, now)
                rows[row.name] = row
            for gone in told.get("gone", ()):
                _forget(rows, _name(gone))
            if "totals" in told:
                yield Snapshot(f"{address}", True, _totals(told["totals"], now), dict(rows))
    raise Unreachable(f"cannot reach {address}: the server has ended it")


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """What is said by each event of statistics."""
    kind, data = b"", b""
    for line in lines:
        field, _, value = line.rstrip(b"\r\n").partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            kind = value
        elif field == b"data":
            data += value
        elif not line.strip():
            if kind == b"stats" and data:
                yield json.loads(data)
            kind, data = b"", b""


def _name(told: str) -> str:
    return os.fsdecode(unquote_to_bytes(told))


def _forget(rows: dict[str, Row], name: str) -> None:
    """A queue goes with its consumers."""
    rows.pop(name, None)
    if "+" not in name:
        for each in [each for each in rows if each.startswith(f"{name}+")]:
            del rows[each]


def _row(told: Mapping[str, Any], now: float) -> Row:
    name = _name(told["name"])
    if consumer := told.get("consumer"):
        name += f"+{_name(consumer)}"
    items, delayed = told.get("items") or 0, told.get("delayed") or 0
    return Row(
        name,
        items,
        told.get("bytes") or 0,
        told.get("open_transactions") or 0,
        told.get("waiters") or 0,
        delayed,
        since(now, told.get("age") or 0, items, delayed),
        told.get("put_rate") or 0.0,
        told.get("get_rate") or 0.0,
        told.get("logsize") or 0,
        told.get("state") or "ready",
        told.get("paused") or "none",
        bool(told.get("lagging")),
    )


def _totals(told: Mapping[str, Any], now: float) -> Totals:
    troubles = []
    if told.get("out_of_disk"):
        troubles.append("out of disk")
    if loading := told.get("loading_queues"):
        troubles.append(f"{loading:,} loading")
    if failed := told.get("failed_queues"):
        troubles.append(f"{failed:,} failed")
    return Totals(
        told.get("version", ""),
        told.get("status", "up"),
        told.get("uptime", 0),
        told.get("queues", 0),
        told.get("curr_items", 0),
        told.get("bytes", 0),
        told.get("open_transactions", 0),
        told.get("waiters", 0),
        now - told["age"] / 1000 if told.get("age") else None,
        told.get("put_rate", 0.0),
        told.get("get_rate", 0.0),
        told.get("curr_connections", 0),
        told.get("disk_bytes"),
        told.get("disk_free"),
        told.get("memory"),
        None,
        told.get("commit_p99"),
        tuple(troubles),
    )
