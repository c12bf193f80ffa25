"""`make soak`: kill -9 under load, again and again, with the books kept. Exits 1 on any loss.

python -m tests.soak [--rounds 200] [--seed N]
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.crash.load import Load, drain, verify
from tests.servers import ServerProcess

SYNCS = ("always", "never", "20ms")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of all that is left to chance")
    arguments = parser.parse_args()
    seed = random.randrange(1 << 30) if arguments.seed is None else arguments.seed
    print(f"seed {seed}, {arguments.rounds} rounds", flush=True)

    total: Counter[str] = Counter()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="darnerpy-soak-") as directory:
        for number in range(1, arguments.rounds + 1):
            # The data stay for a few rounds: what one leaves behind must not hurt the next.
            home = Path(directory) / f"data-{number // 10}"
            counts, wrong = soak(home, number, chance)
            total.update(counts)
            total["wrong"] += len(wrong)
            print(f"round {number}: {_line(counts)}{' WRONG' if wrong else ''}", flush=True)
            for line in wrong:
                print(f"  {line}", flush=True)
    print(f"total: {_line(total)}; {'LOSS' if total['wrong'] else 'nothing lost'} (seed {seed})")
    return 1 if total["wrong"] else 0


def soak(home: Path, number: int, chance: random.Random) -> tuple[Counter[str], list[str]]:
    """One life under load, one kill, and what was found after it."""
    settings: dict[str, Any] = {
        "sync": chance.choice(SYNCS),
        "max_open_journals": chance.choice((1, 3, 64)),
        "window_memory": chance.choice(("64KiB", "16MiB")),
        "loop": chance.choice(("uvloop", "asyncio")),
    }
    server = ServerProcess(home, **settings)
    try:
        server.start()
        load = Load(server.address, chance.randrange(1 << 30), f"r{number}", largest=2_000_000)
        load.start()
        time.sleep(chance.uniform(0.05, 2.0))
        server.kill()
        books = load.join()
        server.start()
        left = drain(server.address)
        wrong = verify(books, left) + [f"log: {line}" for line in server.complaints()]
        wrong += [f"log: {line}" for line in server.log().splitlines() if " error " in line]
        if chance.random() < 0.5:
            server.stop()
    except (AssertionError, OSError) as error:
        return Counter(), [f"{type(error).__name__}: {error} ({settings})"]
    finally:
        server.kill()
    counts = Counter(
        commands=load.commands,
        acknowledged=sum(len(each.acked) for each in books),
        taken=sum(len(each.taken) for each in books),
        left=sum(map(len, left.values())),
    )
    return counts, [f"{line} ({settings})" for line in wrong]


def _line(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[what]} {what}" for what in counts if what != "wrong")


if __name__ == "__main__":
    sys.exit(main())
