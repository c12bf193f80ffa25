"""System calls that fail under load, one after another: the first, the second, the third of each."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

from darnerpy.journals.engines import DISK_ENGINES
from tests.crash.disks import Faults, files_of
from tests.crash.load import Books, Ledger, Load, drain, verify
from tests.servers import ServerProcess
from tests.soak.rounds import Round, Setting

__all__ = ["failures"]

CALLS = (
    ("write,pwrite64", ("EIO", "ENOSPC")),
    ("fdatasync,fsync", ("EIO", "ENOSPC")),
    ("openat", ("EIO", "EMFILE", "ENOSPC")),
    ("rename,renameat,renameat2", ("EIO", "EROFS")),
    ("unlink,unlinkat", ("EIO", "EROFS")),
    ("pread64,mmap", ("EIO", "ENOMEM")),
)
QUEUES = ("jobs", "mail", "work", "new")
SYNCS = ("always", "never", "20ms")


def failures(setting: Setting) -> Iterator[Round]:
    number = 0
    while time.monotonic() < setting.until:
        for calls, errors in CALLS:
            number += 1
            which = 1 + number // len(CALLS)
            yield _life(setting, number, calls, setting.chance.choice(errors), which)


def _life(setting: Setting, number: int, calls: str, error: str, which: int) -> Round:
    """A load; a call that fails in each thread, then all of them for a while; what is left after it."""
    chance = setting.chance
    settings: dict[str, Any] = {
        "sync": chance.choice(SYNCS),
        "engine": chance.choice(list(DISK_ENGINES)),
        "max_open_journals": chance.choice((1, 3, 64)),
        "window_memory": chance.choice(("64KiB", "16MiB")),
    }
    home = setting.home / f"life-{number}"
    about = f"{calls} {error} {which}, {settings}"
    counts = Counter({"lives": 1, f"lives of {settings['engine']}": 1})
    server = ServerProcess(home, environ=setting.environ, min_free_disk="off", **settings)
    try:
        server.start()
        load = Load(server.address, chance.randrange(1 << 30), f"r{number}", tolerant=True)
        load.start()
        paths = [path for queue in QUEUES for path in files_of(server, queue)]
        time.sleep(chance.uniform(0.05, 0.3))
        for when, seconds in ((f"{which}", 1.0), (f"{which}+", 0.3)):
            with Faults(server, calls, error, when, paths=paths) as faults:
                time.sleep(seconds)
            counts["injected errors"] += faults.injected
        wrong = list(_recovers(server, load))
        server.kill()
        books = load.join()
        server.start()
        ledger = Ledger(books)
        wrong += verify(ledger, drain(server.address))
        counts += Counter(acknowledged=ledger.acknowledged, refused=ledger.refused)
        wrong += [f"log: {line}" for line in server.complaints()]
    except (AssertionError, OSError) as failure:
        wrong = [f"{type(failure).__name__}: {failure}"]
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)
    return Round(counts, [f"{each} ({about})" for each in wrong])


def _recovers(server: ServerProcess, load: Load) -> Iterator[str]:
    """The cause is gone: every queue must work again, without a restart."""
    books = Books(load.watch)
    load.books.append(books)
    with server.connect() as wire:
        for queue, size in product(QUEUES, (10, 300_000)):
            deadline = time.monotonic() + 15
            reply = b""
            while reply != b"STORED\r\n":
                data = b"recovered:%d:" % len(books.entries) + b"x" * size
                books.note("sent", queue, data)
                reply = wire.ask(b"set %b 0 0 %d\r\n%b\r\n" % (queue.encode(), len(data), data))
                if time.monotonic() > deadline:
                    yield f"{queue} does not recover: {reply!r}"
                    return
                time.sleep(0.02)
            books.note("acked", queue, data)
