"""Queues whose engine is not the one their settings name: said in the log, with the way to change that.

The disk decides which engine a queue has, so a setting holds for queues that are new.
"""

import logging
import shlex
from collections.abc import Iterable, Mapping
from os import fsdecode
from pathlib import Path

from ..journals.contract import Engine
from ..units import counted
from .stored import StoredQueue

__all__ = ["warn_of_mismatches"]

log = logging.getLogger("darnerpy.broker")

_NAMED = 5
"""So many are named at most: there may be thousands."""


def warn_of_mismatches(
    queues: Iterable[StoredQueue], engines: Mapping[str, Engine], data: Path
) -> None:
    """One line for all that have one engine and should have another."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for stored in queues:
        if stored.engine != stored.settings.engine:
            found.setdefault((stored.engine, stored.settings.engine), []).append(stored.name)
    for (engine, wanted), names in sorted(found.items()):
        listed = " ".join(shlex.quote(fsdecode(name)) for name in names[:_NAMED])
        listed += " …" if len(names) > _NAMED else ""
        if not engines[engine].on_disk:
            remedy = "what is in memory stays there until a restart"
        elif not engines[wanted].on_disk:
            remedy = "what is on disk stays there until the queue is deleted"
        else:
            options = f"--engine {wanted} --data {shlex.quote(str(data))}"
            remedy = f"with the server stopped, darnerpy convert {listed} {options} changes that"
        log.warning(
            "%s in %s, where settings say %s: %s",
            counted(len(names), "queue"),
            engine,
            wanted,
            remedy,
            extra={"queues": listed},
        )
