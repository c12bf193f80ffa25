"""Makes inputs for a target, and says of each what is wrong with how it was taken.

An input is new, or made of an earlier one: of the corpus, or one that led to an outcome (an error's
words, a kind of answer) that was not seen before. A run depends on its seed alone.
"""

import re
import signal
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from types import FrameType
from typing import NamedTuple

from tests.fuzz.mutations import mutate

__all__ = ["CORPUS", "Failure", "Fuzzer", "Target", "corpus", "fails", "kind_of", "shrink"]

CORPUS = Path(__file__).parents[1] / "corpus"
MOST_KEPT = 500
LONGEST_KEPT = 20_000
SECONDS = 3.0


class Target(NamedTuple):
    """What is fuzzed. name: as its directory in the corpus. promise: what must hold of any input.

    make: a new input. check: raises AssertionError, or whatever the code raises that it should not;
    gives the outcomes. mutate: what is made of an input. weight: its share of the time.
    """

    name: str
    promise: str
    make: Callable[[Random], bytes]
    check: Callable[[Random, bytes], set[str]]
    mutate: Callable[[Random, bytes], bytes] = mutate
    weight: int = 2


class Failure(NamedTuple):
    """kind: what failed and where, the same for inputs that fail for the same reason."""

    kind: str
    text: str


class TooSlow(BaseException):
    """An input took more time than any may; not an Exception, so that no one can swallow it."""


def fails(target: Target, data: bytes, seed: int) -> Failure | set[str]:
    """What is wrong, else the outcomes. What is random in a check depends on the seed only."""
    try:
        with _time_limit(SECONDS):
            return target.check(Random(seed), data)
    except (Exception, TooSlow) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        if not isinstance(error, TooSlow | RecursionError):  # those come anywhere
            kind += f" at {Path(where.filename).name}:{where.lineno}"
        return Failure(kind, "".join(traceback.format_exception(error, limit=-4)))


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raises `TooSlow` in a block that takes more seconds of processor time than this."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shrink(target: Target, data: bytes, seed: int, kind: str, patience: float = 20) -> bytes:
    """Leave out what is not needed for it to fail like this, in ever smaller portions."""
    portion = len(data) // 2
    deadline = monotonic() + patience
    while portion and monotonic() < deadline:
        at = 0
        while at < len(data) and monotonic() < deadline:
            smaller = data[:at] + data[at + portion :]
            failure = fails(target, smaller, seed)
            if isinstance(failure, Failure) and failure.kind == kind:
                data = smaller
            else:
                at += portion
        portion //= 2
    return data


def corpus(target: str) -> dict[str, bytes]:
    """The inputs kept for a target, by name."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target).glob("*"))}


def kind_of(message: str) -> str:
    """The words of a message, without what depends on the input."""
    message = re.sub(r"""b?'[^']*'|"[^"]*"|/\S+|\(.*\)""", "*", message)
    return re.sub(r"\b[0-9a-f]{2,}\b|[0-9a-f]*\d[0-9a-f]*", "0", message)[:80]


@dataclass
class Fuzzer:
    """One target, being fuzzed. keep: whether inputs with new outcomes are added to the corpus."""

    target: Target
    keep: bool = False
    runs: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.seen: set[str] = set()
        self._pool = list(corpus(self.target.name).values())
        for data in self._pool:
            outcomes = fails(self.target, data, 0)
            self.seen |= outcomes if isinstance(outcomes, set) else set()

    def once(self, random: Random) -> tuple[bytes, int, Failure] | None:
        """Try one input; what failed, and with which seed."""
        if self._pool and random.random() < 0.5:
            data = self.target.mutate(random, random.choice(self._pool))
        else:
            data = self.target.make(random)
        seed = random.getrandbits(32)
        self.runs += 1
        self.size += len(data)
        outcomes = fails(self.target, data, seed)
        if isinstance(outcomes, Failure):
            return data, seed, outcomes
        if outcomes - self.seen:
            self.seen |= outcomes
            self._add(data)
        return None

    def _add(self, data: bytes) -> None:
        if len(data) > LONGEST_KEPT or len(self._pool) >= MOST_KEPT:
            return
        self._pool.append(data)
        if self.keep:
            directory = CORPUS / self.target.name
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"found-{zlib.crc32(data):08x}").write_bytes(data)
