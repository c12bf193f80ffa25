"""kill -9 under load, again and again, with the books kept."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from darnerpy.journals.engines import DISK_ENGINES
from tests.crash.load import Ledger, Load, drain, verify
from tests.servers import LOOPS, ServerProcess
from tests.soak.rounds import Round, Setting

__all__ = ["kills"]

SYNCS = ("always", "never", "20ms")


def kills(setting: Setting) -> Iterator[Round]:
    number = 0
    while time.monotonic() < setting.until:
        number += 1
        # The data stay for a few rounds: what one leaves behind must not hurt the next.
        data = number // 10
        engine = list(DISK_ENGINES)[data % len(DISK_ENGINES)]
        yield _round(setting, setting.home / f"data-{data}", f"r{number}", engine)


def _round(setting: Setting, home: Path, name: str, engine: str) -> Round:
    """One life under load, one kill, and what was found after it."""
    chance = setting.chance
    settings: dict[str, Any] = {
        "engine": engine,
        "sync": chance.choice(SYNCS),
        "max_open_journals": chance.choice((1, 3, 64)),
        "window_memory": chance.choice(("64KiB", "16MiB")),
        "loop": chance.choice(list(LOOPS)),
    }
    server = ServerProcess(home, environ=setting.environ, **settings)
    try:
        server.start()
        load = Load(server.address, chance.randrange(1 << 30), name, largest=2_000_000)
        load.start()
        time.sleep(chance.uniform(0.05, 2.0))
        server.kill()
        books = load.join()
        server.start()
        left = drain(server.address)
        wrong = verify(books, left) + [f"log: {line}" for line in server.complaints()]
        if chance.random() < 0.5:
            server.stop()
    except (AssertionError, OSError) as error:
        return Round(Counter(kills=1), [f"{type(error).__name__}: {error} ({settings})"])
    finally:
        server.kill()
    counts = Counter(
        {
            "kills": 1,
            f"kills of {engine}": 1,
            "entries": load.commands,
            "acknowledged": Ledger(books).acknowledged,
            "left": sum(map(len, left.values())),
        }
    )
    return Round(counts, [f"{each} ({settings})" for each in wrong])
