"""Runs inside a server under test, before it: breaks it on purpose, or looks at what it keeps.

Python imports this by its name from a directory in PYTHONPATH. SOAK_FAULT names what to break;
SOAK_GAUGE a file in which to put, on SIGUSR1, how many objects of ours there are, and tasks.
"""

import asyncio
import gc
import json
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from typing import Any


def no_sync() -> None:
    from darnerpy.journals.leveldb import journal as leveldb
    from darnerpy.journals.leveldb import opening

    journal: Any = leveldb.LevelDbJournal
    database: Any = opening.Database
    write = journal.write
    journal.write = lambda self, batch, sync: write(self, batch, False)
    database.sync_logs = lambda self: None


def answers_early() -> None:
    from darnerpy.journals.leveldb import journal as leveldb

    journal: Any = leveldb.LevelDbJournal
    write = journal.write
    late: dict[int, Any] = {}

    def behind(self: Any, batch: Any, sync: bool) -> None:
        before, late[id(self)] = late.get(id(self)), batch
        if before is not None:
            write(self, before, sync)

    journal.write = behind


def ignores_errors() -> None:
    from darnerpy.errors import JournalError
    from darnerpy.journals.leveldb import journal as leveldb

    journal: Any = leveldb.LevelDbJournal
    write = journal.write

    def hopeful(self: Any, batch: Any, sync: bool) -> None:
        with suppress(JournalError):
            write(self, batch, sync)

    journal.write = hopeful


def keeps_open_reads() -> None:
    from darnerpy.sessions import session

    kind: Any = session.Session
    kind.vanish = lambda self: None


def leaks() -> None:
    from darnerpy.server import connection

    kind: Any = connection.Connection
    lost = kind.connection_lost
    kept: list[bytearray] = []

    def keeping(self: Any, error: Any) -> None:
        lost(self, error)
        kept.append(bytearray(os.urandom(20_000)))

    kind.connection_lost = keeping


def blocks() -> None:
    from darnerpy.server import connection

    kind: Any = connection.Connection
    lost = kind.connection_lost

    def slow(self: Any, error: Any) -> None:
        time.sleep(0.02)
        lost(self, error)

    kind.connection_lost = slow


def forgets_by_name() -> None:
    from darnerpy.brokers import local

    kind: Any = local.LocalBroker

    def forget(self: Any, stored: Any) -> None:
        if stored.unused:
            self.queues.pop(stored.name, None)

    kind.forget = forget


def gauge(path: str) -> None:
    def write(*_: object) -> None:
        gc.collect()
        kinds = Counter(
            type(each).__name__
            for each in gc.get_objects()
            if str(type(each).__module__).startswith("darnerpy.")
        )
        kinds["Task"] = len(asyncio.all_tasks())
        with open(f"{path}.new", "w") as file:
            json.dump(kinds, file)
        os.rename(f"{path}.new", path)

    signal.signal(signal.SIGUSR1, write)


if os.environ.get("SOAK_FAULT"):
    globals()[os.environ["SOAK_FAULT"]]()
if os.environ.get("SOAK_GAUGE"):
    gauge(os.environ["SOAK_GAUGE"])
