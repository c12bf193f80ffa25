"""Many simulated histories: `python -m tests.simulate [--minutes 1] [--seed N] [--engine arena]`.

Exits 1 on a finding. It is replayed with `--seed N --minutes 0`: one history, and what is wrong with it.
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter

from darnerpy.testing.simulation.run import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first history")
    parser.add_argument("--engine", choices=("leveldb", "arena"), default="leveldb")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # failures are injected by the thousand
    seed = random.randrange(1 << 30) if arguments.seed is None else arguments.seed
    deadline = time.monotonic() + arguments.minutes * 60
    counts: Counter[str] = Counter()
    wrong = 0
    while True:
        outcome = simulate(seed, engine=arguments.engine)
        counts += outcome.counts
        if outcome.findings:
            wrong += 1
            print(f"seed {seed}:", *outcome.findings, sep="\n", flush=True)
        seed += 1
        if time.monotonic() >= deadline:
            break
    print(", ".join(f"{count} {what}" for what, count in counts.items()), f"; {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
