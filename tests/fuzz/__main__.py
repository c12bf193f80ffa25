"""Throw bytes at whatever reads bytes: `python -m tests.fuzz --minutes N [--target T] [--seed S]`.

Mutations of a corpus and of inputs made by their grammar, not guided by coverage: of the bugs that
these found within a hundred inputs or so, atheris found none in a minute each, stopped by checksums.
A finding is made as small as possible and printed so that it can be put into the corpus and into a
test; it ends the run with code 1. `--keep` adds inputs with outcomes that no input of the corpus has.
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from random import Random, SystemRandom

from tests.fuzz.engine import Failure, Fuzzer, fails, shrink
from tests.fuzz.targets import TARGETS

MEMORY = 1 << 30
"""Bytes that may be taken on top of what a start takes: an input that asks for more is a finding."""


def run(fuzzers: list[Fuzzer], minutes: float, seed: int) -> int:
    random = Random(seed)
    deadline = time.monotonic() + minutes * 60
    weights = [fuzzer.target.weight for fuzzer in fuzzers]
    spent = [0.0] * len(fuzzers)
    while (begun := time.monotonic()) < deadline:
        # Whose share of the time is the furthest behind.
        at = min(range(len(fuzzers)), key=lambda n: spent[n] / weights[n])
        fuzzer = fuzzers[at]
        failed = fuzzer.once(random)
        spent[at] += time.monotonic() - begun
        if failed:
            _tell(fuzzer, *failed, seed)
            return 1
    print(f"nothing found in {minutes:g} minutes, seed {seed}:")
    for fuzzer in fuzzers:
        counts = f"{fuzzer.runs:,} inputs, {fuzzer.size / 1e6:.1f} MB, {len(fuzzer.seen)} outcomes"
        print(f"  {fuzzer.target.name}: {counts}")
    return 0


def _tell(fuzzer: Fuzzer, data: bytes, check_seed: int, failure: Failure, seed: int) -> None:
    target = fuzzer.target
    small = shrink(target, data, check_seed, failure.kind)
    again = fails(target, small, check_seed)
    print(again.text if isinstance(again, Failure) else failure.text)
    print(f"{target.name} (seed {seed}, input {fuzzer.runs}, check seed {check_seed}).")
    print(f"Promised: {target.promise}. Failed on, made small:")
    print(repr(small))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--target", choices=[target.name for target in TARGETS], action="append")
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(32))
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    chosen = [target for target in TARGETS if not args.target or target.name in args.target]
    return run([Fuzzer(target, args.keep) for target in chosen], args.minutes, args.seed)


if __name__ == "__main__":
    sys.exit(main())
