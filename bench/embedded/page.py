"""The page of what the library costs: one table of libraries, then what only ours can do."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.embedded.peers import OURS, PEERS
from bench.results import Results
from bench.tables import NONE, show, table

__all__ = ["APPEND", "COMPILED", "PURE", "page"]

APPEND = "append and fdatasync, in C"
COMPILED, PURE = "", ", pure Python"


def _cell(results: Results, kind: str, peer: str, what: str) -> str:
    rate = results.value(kind, "", peer, f"{what}_per_s")
    cost = results.undisturbed(kind, "", peer, f"cpu_us_{what}")
    if rate is None:
        return NONE
    return f"{show('ops_per_s', rate)}, {show('cpu_us', cost)}"


def _row(results: Results, peer: str, about: str) -> list[str]:
    kinds = (("unsynced", "put"), ("unsynced", "get"), ("batches", "put"), ("batches", "get"))
    synced = (("synced", "put"), ("synced", "get"), ("synced batches", "put"))
    return [peer, *(_cell(results, kind, peer, what) for kind, what in (*kinds, *synced)), about]


def page(results: Results, facts: dict[str, str], backlog: int) -> str:
    """The whole page as Markdown."""
    heads = ["", "put", "get", "put, by 100", "get, by 100"]
    heads += ["synced put", "synced get", "synced put, by 100", "what it is"]
    rows = [
        _row(results, name + label, each.about)
        for name, each in OURS.items()
        for label in (COMPILED, PURE)
    ]
    rows += [_row(results, name, each.about) for name, each in PEERS.items()]
    rows.append(_row(results, APPEND, "the limit of a synced put"))
    lines = [
        "# How fast the library is",
        "",
        "Items of 128 bytes, one process, one thread, one core. Each cell says how many a second, and how "
        "many microseconds of the processor one costs. A *get* takes an item for good; where a library "
        "has something to confirm, it is confirmed. *By 100*: a hundred in one call, counted by item. "
        "*Synced*: the item is on disk when the call returns, as far as the library can do that.",
        "",
        *table(heads, rows),
        "## What only the arena engine does",
        "",
    ]
    for label in (COMPILED, PURE):
        peer = f"darnerpy, arena{label}"
        copied = results.value("zero copy", "", peer, "bytes_per_s")
        if copied is not None:
            lines.append(
                f"- {peer}: items of 1 MiB, reserved and confirmed without copying them, each checked: "
                f"{show('bytes_per_s', copied)}."
            )
        opened = results.value("opening", "", peer, "open_ms")
        if opened is not None:
            disk, left, most = (
                show(f"{each}_bytes", results.value("opening", "", peer, f"{each}_bytes"))
                for each in ("disk", "left", "most")
            )
            back = show("given_s", results.value("opening", "", peer, "given_back_s"))
            lines.append(
                f"- {peer}: a queue with {backlog:,} items ({disk}) opens in "
                f"{show('open_ms', opened)}; drained, it has given its disk back (but {left}) after "
                f"{back}; the process took {most} at most."
            )
    lines += ["", "## Where this was measured", ""]
    lines += [f"- {name}: {text}" for name, text in facts.items() if text != "not installed"]
    lines += [f"- {note}" for note in results.notes]
    lines += ["", f"Written by `make bench-library` on {datetime.now(UTC):%Y-%m-%d}.", ""]
    return "\n".join(lines)
