"""The page of what the library costs: one table of libraries, then what only ours can do."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.embedded.peers import CONFIRMING, OURS, PEERS
from bench.results import Results
from bench.tables import NONE, Held, numbers_to_hold, show, table

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


def _held(results: Results) -> list[Held]:
    """What is wanted of the arena engine, compiled."""
    arena = f"darnerpy, arena{COMPILED}"
    ahead = [
        min(
            ours / (results.value("unsynced", "", name, f"{what}_per_s") or 1)
            for name in CONFIRMING
        )
        for what in ("put", "get")
        if (ours := results.value("unsynced", "", arena, f"{what}_per_s"))
    ]
    synced = results.undisturbed("synced", "", arena, "cpu_us_put")
    hundred = results.undisturbed("synced batches", "", arena, "cpu_us_put")
    more = None if synced is None or hundred is None else 100 * hundred - synced
    return [
        Held(
            "synced puts, beside an append and fdatasync in C",
            "times",
            results.ratio("synced", "", arena, APPEND, metric="put_per_s"),
            0.8,
        ),
        Held("CPU of put_many of 100, synced, more than a synced put", "_us", more, 300, True),
        *(
            Held(
                f"{what}s a second{how}",
                "per_s",
                results.value(kind, "", arena, f"{what}_per_s"),
                wanted,
            )
            for kind, how, wanted in (("unsynced", "", 200_000), ("batches", ", by 100", 1_000_000))
            for what in ("put", "get")
        ),
        Held(
            "beside the fastest library that confirms and recovers",
            "times",
            min(ahead, default=None),
            1,
        ),
        Held(
            "zero-copy reads of 1 MiB, checked",
            "bytes_per_s",
            results.value("zero copy", "", arena, "bytes_per_s"),
            3e9,
        ),
        Held("opening", "_ms", results.value("opening", "", arena, "open_ms"), 50, True),
        Held(
            "its disk is back", "_s", results.value("opening", "", arena, "given_back_s"), 1, True
        ),
    ]


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
    lines += ["", *numbers_to_hold(_held(results))]
    lines += ["## Where this was measured", ""]
    lines += [f"- {name}: {text}" for name, text in facts.items() if text != "not installed"]
    lines += [f"- {note}" for note in results.notes]
    lines += ["", f"Written by `make bench-library` on {datetime.now(UTC):%Y-%m-%d}.", ""]
    return "\n".join(lines)
