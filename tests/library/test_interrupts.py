"""Ctrl-C, and whatever else is raised in the middle of something: nothing that was acknowledged is lost,
nothing is handed out twice, and everything goes on.

Only waiting can be interrupted without a trace. What is raised inside the core has everything read anew
from the journals; here that is done at every line of it, one after another.
"""

import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import darnerpy
from tests.library.programs import result, start
from tests.library.test_waiting import Caller, waiters
from tests.servers import wait_until

PACKAGE = str(Path(darnerpy.__file__).parent)
CORE = tuple(f"{PACKAGE}/{room}/" for room in ("brokers", "queues", "journals"))
FRONT = f"{PACKAGE}/library/"

# What lies around the lock: whoever is stopped while it is let go leaves it locked, and a signal is never
# handled there.
_AROUND_THE_LOCK = (
    "reader.py",
    "queue.py",
    "reserved.py",
    "directory.py",
    "registry.py",
    "reading.py",
    "scheduler.py",
    "desk.py",
    "putting.py",
)


class Interruption(BaseException):
    """As KeyboardInterrupt, but nobody else raises it."""


class Bomb:
    """Raises at the so-and-so-many-th line that this thread runs in some files. gone_off: where."""

    def __init__(self, number: int, files: tuple[str, ...]) -> None:
        self.gone_off = ""
        self._left = number
        self._files = files

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self._files) else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._left -= 1
            if not self._left:
                sys.settrace(None)
                self.gone_off = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise Interruption(self.gone_off)
        return self._line

    def __enter__(self) -> "Bomb":
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> bool:
        sys.settrace(self._before)
        return kind is Interruption


def put(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> None:
    q.put(b"new")


def put_many(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> None:
    q.put_many([b"new", b"newer"])


def get(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> bytes:
    return q.get()


def get_many(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> list[bytes]:
    return q.get_many(2)


def confirm(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> None:
    item.confirm()


def abort(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> None:
    item.abort()


def reserve(q: darnerpy.Queue, item: darnerpy.ReservedItem) -> darnerpy.ReservedItem:
    return q.reserve()


CALLS: list[Callable[..., Any]] = [put, put_many, get, get_many, confirm, abort, reserve]


def drained(q: darnerpy.Queue) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(q.get(block=False))
        except darnerpy.Empty:
            return found


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize(
    ("engine", "sync", "stride"),
    [("memory", "never", 1), ("leveldb", "never", 7), ("leveldb", "always", 11)],
)
def test_at_every_line(
    tmp_path: Path, engine: str, sync: str, stride: int, call: Callable[..., Any]
) -> None:
    """Three items are acknowledged, two of them held, when the call is cut off at a line of the core."""
    with darnerpy.Queue(tmp_path, engine=engine, sync=sync) as q:
        line, last = 1, False
        while not last:
            q.put_many([b"held", b"item", b"third", b"fourth"])
            held, item = q.reserve(), q.reserve()
            outcome: Any = None
            with Bomb(line, CORE) as bomb:
                outcome = call(q, item)
            last = not bomb.gone_off
            line += stride
            assert held.data == b"held"
            held.confirm()  # whoever holds an item goes on holding it
            got = [b"held"]
            if isinstance(outcome, bytes | list):
                got += [outcome] if isinstance(outcome, bytes) else outcome
            if isinstance(outcome, darnerpy.ReservedItem):
                got.append(bytes(outcome.data))
                outcome.confirm()
            del outcome
            if call not in (confirm, abort):
                item.confirm()
                got.append(b"item")
            del item
            got += drained(q)
            assert len(q) == 0, bomb.gone_off
            counts = Counter(got)
            assert max(counts.values()) == 1, (bomb.gone_off, got)
            must = {b"held", b"third", b"fourth"} | (set() if call is confirm else {b"item"})
            if not bomb.gone_off and call in (put, put_many):
                must |= {b"new"} | ({b"newer"} if call is put_many else set())
            assert must <= counts.keys(), (bomb.gone_off, got)
            if call is put_many:  # all or nothing
                assert (b"new" in counts) == (b"newer" in counts), bomb.gone_off
            assert q.stats()["open_transactions"] == 0, bomb.gone_off
        assert line > 50


@pytest.mark.parametrize("call", [put, get, reserve], ids=lambda call: call.__name__)
def test_what_is_asked_next_is_answered_from_what_is_read_again(
    tmp_path: Path, engine: str, call: Callable[..., Any]
) -> None:
    with darnerpy.Queue(tmp_path, engine=engine, max_items=300) as q:
        audit = q.consumer("audit")
        q.put_many([b"item"] * 3)
        looks: list[Callable[[], object]] = [
            lambda: 2 <= len(q) <= 300,
            lambda: not q.empty(),
            lambda: q.bytes >= 8,
            lambda: not q.full(),
            lambda: q.consumers() == ["audit"],
            lambda: len(audit) >= 3,
            lambda: not audit.empty(),
        ]
        for number, look in enumerate(looks * 4):
            with Bomb(10 + 7 * number, CORE) as bomb:
                held = call(q, None)
            if call is reserve and not bomb.gone_off:
                held.abort()
            assert look(), (bomb.gone_off, number % len(looks))
            q.put_many([b"item"] * 2)


def test_in_the_front_too(tmp_path: Path) -> None:
    """At the lines of the front that are not about the lock itself."""
    files = tuple(
        str(path) for path in Path(FRONT).rglob("*.py") if path.name not in _AROUND_THE_LOCK
    )
    with darnerpy.Queue(tmp_path, engine="memory", sync="never") as q:
        for call in (put, get, get_many, confirm, abort, reserve):
            line, last = 1, False
            while not last:
                q.put_many([b"held", b"item", b"third"])
                held, item = q.reserve(), q.reserve()
                outcome: Any = None
                with Bomb(line, files) as bomb:
                    outcome = call(q, item)
                last, line = not bomb.gone_off, line + 1
                held.confirm()
                del outcome, item
                counts = Counter(drained(q))
                assert not counts or max(counts.values()) == 1, (bomb.gone_off, counts)
                if bomb.gone_off and call is not confirm:
                    assert counts[b"third"] == 1, (bomb.gone_off, counts)
                assert len(q) == 0


def test_the_others_go_on(tmp_path: Path) -> None:
    """While one thread is cut off again and again, others wait, put and hold items of the same queue."""
    with darnerpy.Queue(tmp_path, engine="leveldb", sync="never") as q:
        q.put(b"held")
        held = q.reserve()
        for line in range(40, 200, 40):
            caller = Caller(q.get)
            wait_until(lambda: waiters(q) == 1)
            with Bomb(line, CORE) as bomb:
                q.put_many([b"cut off"])
            assert bomb.gone_off
            q.put(b"to whoever waits")
            assert caller.join() in (b"to whoever waits", b"cut off")
            drained(q)
        held.confirm()
        assert q.put(b"x") > 5


def test_who_waits_for_a_commit_that_was_cut_off_is_told(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, sync="always") as q:
        q.put(b"so that the journal is open")
        journal = q._desk.directory.broker.queues[b"default"].journal
        assert journal is not None
        here, go_on = threading.Event(), threading.Event()
        write = journal.write

        def slow_write(*args: Any) -> None:
            here.set()
            assert go_on.wait(20)
            write(*args)

        journal.write = slow_write  # type: ignore[method-assign, assignment]
        caller = Caller(q.put, b"slowly")
        assert here.wait(20)
        with Bomb(20, CORE) as bomb:
            q.get()
        assert bomb.gone_off
        go_on.set()
        with suppress(
            darnerpy.JournalError
        ):  # or it was written, and known to be, before the other
            caller.join()
        assert q.put(b"after") > 1
        assert drained(q)[0] == b"so that the journal is open"


@pytest.mark.parametrize("engine", ["memory", "leveldb", "arena"])
def test_no_thread_is_left_for_the_garbage(tmp_path: Path, engine: str) -> None:
    """When a `Thread` goes Python runs a callback, and ignores what is raised there: Ctrl-C, too. So none
    may go in the midst of whatever comes later, when garbage happens to be collected.
    """
    gc.collect()
    gc.disable()
    try:
        with darnerpy.Queue(tmp_path, engine=engine, sync="never") as q:
            for _ in range(3):
                q.put(b"later", delay=1000)  # something is waited for in a thread
                mine = [t for t in threading.enumerate() if t.name.startswith("darnerpy-")]
                threads = [weakref.ref(thread) for thread in mine]
                assert threads
                del mine
                with Bomb(20, CORE) as bomb:
                    q.put(b"cut off")
                assert bomb.gone_off
                q.put(b"x")
                assert not [thread for each in threads if (thread := each()) is not None]
    finally:
        gc.enable()


# -- signals ---------------------------------------------------------------------------------------


@pytest.fixture
def alarms() -> Iterator[None]:
    """SIGALRM raises in the main thread, as the timeout of many a program does."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Account:
    """sure: what was acknowledged; perhaps: what was tried; got: what has arrived."""

    def __init__(self) -> None:
        self.sure: set[int] = set()
        self.perhaps: set[int] = set()
        self.got: set[int] = set()
        self.stopped = 0

    def turn(self, q: darnerpy.Queue, number: int, seconds: float) -> None:
        """Put an item and take one. One signal at most, so that it never comes where it is dealt with."""
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            self.perhaps.add(number)
            q.put(b"%d" % number)
            self.sure.add(number)
            with q.reserve(block=False) as item:
                self.got.add(int(item.data))
            signal.setitimer(signal.ITIMER_REAL, 0)
        except darnerpy.Empty:
            pass
        except Interruption:
            self.stopped += 1


@pytest.mark.usefixtures("alarms")
# A signal in the middle of an iterator or a finalizer has Python say so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("engine", "turns"), [("memory", 1500), ("leveldb", 300), ("arena", 300)])
def test_signals_at_any_moment(tmp_path: Path, engine: str, turns: int) -> None:
    """The main thread is stopped again and again, wherever it is: no item is lost."""
    chance, account = Random(1), Account()
    with darnerpy.Queue(tmp_path, engine=engine, sync="never") as q:
        q.put(b"0")
        for number in range(1, turns):
            # Every other turn is left alone: a journal takes longer to be read than to be interrupted.
            account.turn(q, number, chance.uniform(0.00001, 0.0004) if number % 2 else 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        wait_until(lambda: q.stats()["open_transactions"] == 0)
        account.got |= set(map(int, drained(q)))
        assert account.stopped > 5
        assert len(account.sure) > 5
        assert account.sure <= account.got <= account.perhaps | {0}
        assert len(q) == 0


@pytest.mark.usefixtures("alarms")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("engine", "sync"), [("memory", "never"), ("arena", "always")])
def test_other_threads_lose_nothing(tmp_path: Path, engine: str, sync: str) -> None:
    """While the main thread is stopped again and again, others put, take and hold items of the queue."""
    chance, accounts, over = Random(2), [Account() for _ in range(4)], threading.Event()
    with darnerpy.Queue(tmp_path, engine=engine, sync=sync) as q:
        q.put(b"0")

        def work(thread: int) -> None:
            account, number = accounts[thread], thread * 1_000_000
            while not over.is_set():
                number += 1
                account.perhaps.add(number)
                with suppress(darnerpy.CutOffError):
                    q.put(b"%d" % number)
                    account.sure.add(number)
                with suppress(darnerpy.Empty, darnerpy.CutOffError, darnerpy.NotHeldError):
                    if number % 2:
                        account.got.add(int(q.get(timeout=0.05)))
                    else:
                        with q.reserve(timeout=0.05) as item:
                            account.got.add(int(item.data))

        callers = [Caller(work, thread) for thread in range(1, 4)]
        for number in range(1, 400):
            accounts[0].turn(q, number, chance.uniform(0.00001, 0.001) if number % 2 else 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        over.set()
        for caller in callers:
            caller.join()
        sure, perhaps, got = {0}, {0}, set[int]()
        for account in accounts:
            sure, perhaps, got = sure | account.sure, perhaps | account.perhaps, got | account.got
        wait_until(lambda: q.stats()["open_transactions"] == 0)
        got |= set(map(int, drained(q)))
        assert sure <= got <= perhaps
        assert accounts[0].stopped > 0


def test_waiting_is_interrupted_and_eats_nothing(tmp_path: Path) -> None:
    for call in ("q.get()", "q.reserve()", "q.get_many(5)", "next(iter(q))", "q.get(timeout=100)"):
        program = start(
            f"""
            q = darnerpy.Queue(path, sync="never")
            try:
                print("waits", flush=True)
                {call}
            except KeyboardInterrupt:
                print("interrupted", flush=True)
            q.put(b"next")
            assert q.get() == b"next"
            q.close()
            """,
            tmp_path,
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "waits\n"
        time.sleep(0.05)
        os.kill(program.pid, signal.SIGINT)
        told = result(program)
        assert (told.returncode, told.stdout) == (0, "interrupted\n"), told.stderr


def test_a_program_that_is_interrupted_ends(tmp_path: Path) -> None:
    """A loop of puts and gets ends with the traceback of Ctrl-C, and no other; what it said is there."""
    program = start(
        """
        with darnerpy.Queue(path, sync="never") as q:
            print("begins", flush=True)
            while True:
                print(q.put(b"x" * 100), flush=True)
                q.put(b"y")
                q.get()
        """,
        tmp_path,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begins\n"
    said = [program.stdout.readline() for _ in range(200)]
    os.kill(program.pid, signal.SIGINT)
    told = result(program)
    assert told.returncode == -signal.SIGINT, told.stderr
    assert told.stderr.rstrip().endswith("KeyboardInterrupt"), told.stderr
    last = int([*said, *told.stdout.split("\n")][-2])
    with darnerpy.Queue(tmp_path) as q:
        assert q.stats()["total_items"] >= last  # type: ignore[operator]
