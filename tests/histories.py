"""Many clients, a real server that is killed again and again, and judges of all that was answered.

python -m tests.histories [--rounds 20] [--seed N] [--seconds 3] [--clients 8] [--named a,b]
[--failed DIR] [--prove]

Every round has settings of its own. A history in which something is found is kept as JSON, with its
seed, in DIR. --prove runs servers that are broken on purpose instead, each until it is found out.
Exits 1 if anything was found, or, with --prove, if anything was not.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from darnerpy.errors import DarnerError
from darnerpy.testing.accounting import check_accounting
from darnerpy.testing.history import Finding, History
from darnerpy.testing.order import check_order
from tests.servers import ServerProcess
from tests.testing.broken import BREAKS, BrokenServer
from tests.testing.traffic import Traffic

__all__ = ["Round", "play", "prove"]

SYNCS = ("always", "never", "20ms")
LEAST = 2_000
"""Operations in which even what is done seldom, such as a flush, is done a few times."""


class Server(Protocol):
    @property
    def address(self) -> str: ...
    def start(self) -> Any: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


MakeServer = Callable[[Path, dict[str, Any]], Server]


def real_server(home: Path, settings: dict[str, Any]) -> Server:
    return ServerProcess(home, **settings)


@dataclass
class Round:
    """What one round was like: findings and what contradicted the protocol at once."""

    history: History
    findings: list[Finding]
    failures: list[str]

    @property
    def wrong(self) -> bool:
        return bool(self.findings or self.failures)

    def __str__(self) -> str:
        counts: Counter[str] = Counter(each.kind for each in self.history.operations)
        counts.update(each.kind for each in self.history.events)
        counts["unknown"] = sum(o.outcome == "unknown" for o in self.history.operations)
        said = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
        return f"{self.history.about}: {said}"

    def complaints(self) -> list[str]:
        return [*map(str, self.findings), *self.failures]


def play(
    home: Path,
    seed: int,
    seconds: float = 3.0,
    clients: int = 8,
    least: int = 0,
    named: tuple[str, ...] = (),
    lives: int | None = None,
    orderly: bool = True,
    make_server: MakeServer = real_server,
) -> Round:
    """One round on an empty directory: several lives of the server, then all that is left is read.

    seconds, least: how long clients talk, all lives together, and how many operations that must be:
    a slow machine takes longer. named: consumers besides the queues' own.
    lives: of the server, before the one in which all is read; by chance if not given.
    orderly: some lives end with a stop, and the last must; otherwise all are killed.
    """
    chance = random.Random(seed)
    settings: dict[str, Any] = {
        "sync": chance.choice(SYNCS),
        "max_open_reads": chance.choice((1, 1, 3)),
        "max_open_journals": chance.choice((2, 64)),
        "window_memory": chance.choice(("8KiB", "64KiB", "16MiB")),
    }
    traffic = Traffic(chance.randrange(1 << 30), clients, named, settings["max_open_reads"])
    traffic.history.about = f"seed {seed}, {settings}"
    lives = lives or chance.randint(2, 4)
    server = make_server(home, settings)
    try:
        for life in range(lives):
            server.start()
            traffic.event("started")
            traffic.started(server.address)
            time.sleep(seconds / lives * chance.uniform(0.5, 1.5))
            traffic.wait_for(least * (life + 1) // lives)
            traffic.ended()
            traffic.event("killed")
            # The last before all is read is always killed: nothing may depend on a good end.
            if orderly and life < lives - 1 and chance.random() < 0.3:
                server.stop()
            else:
                server.kill()
        traffic.join()
        server.start()
        traffic.event("started")
        traffic.drain(server.address)
        if orderly:
            server.stop()
    except (AssertionError, DarnerError) as error:
        traffic.failures.append(f"server: {str(error)[:2000]}")
    finally:
        traffic.ended()
        server.kill()
        traffic.join()
    history = traffic.history
    return Round(history, check_accounting(history) + check_order(history), traffic.failures)


def prove(breaking: str, rounds: int, seed: int) -> tuple[int, Finding] | None:
    """In which round a broken server was found out, and by what; None: in none of so many."""

    def make(home: Path, settings: dict[str, Any]) -> Server:
        return BrokenServer(breaking, home, **settings)

    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="darnerpy-broken-") as home:
            played = play(
                Path(home), seed + number, 0.6, 6, LEAST, lives=2, orderly=False, make_server=make
            )
        if played.findings:
            return number + 1, played.findings[0]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.histories")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the first round")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--named", default="", help="consumers besides the queues' own, as a,b")
    parser.add_argument(
        "--failed", type=Path, default=Path("build/failed-histories"), metavar="DIR"
    )
    parser.add_argument("--prove", action="store_true", help="break the server on purpose")
    arguments = parser.parse_args()
    seed = random.randrange(1 << 30) if arguments.seed is None else arguments.seed
    if arguments.prove:
        proofs = {name: prove(name, arguments.rounds, seed) for name in BREAKS}
        for name, proof in proofs.items():
            print(f"{name}: {f'round {proof[0]}, {proof[1]}' if proof else 'NOT FOUND'}")
        return 0 if all(proofs.values()) else 1
    named = tuple(filter(None, arguments.named.split(",")))
    bad = operations = 0
    for number in range(seed, seed + arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="darnerpy-histories-") as home:
            played = play(Path(home), number, arguments.seconds, arguments.clients, named=named)
        operations += len(played.history.operations)
        print(f"{played}{' WRONG' if played.wrong else ''}", flush=True)
        if played.wrong:
            bad += 1
            for line in played.complaints()[:10]:
                print(f"  {line}", flush=True)
            arguments.failed.mkdir(parents=True, exist_ok=True)
            (arguments.failed / f"{number}.json").write_bytes(played.history.to_json())
    print(f"{arguments.rounds} rounds, {operations} operations, {bad} wrong (seed {seed})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
