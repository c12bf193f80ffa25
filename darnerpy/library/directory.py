"""One data directory that this process has open, shared by all who use it.

Owns the lock under which everything is decided, the broker behind it, and how both are made anew when
a turn was cut off: nothing in memory is believed then, the journals are closed and read again, and whoever
holds an item goes on holding it. Owns as well the settings in force, and who waits for room. Knows of
a front only that it holds, waits and has to be closed.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable
from weakref import WeakSet

from ..brokers.datadir import DataDir
from ..brokers.local import LocalBroker
from ..brokers.store import Store
from ..brokers.stored import StoredQueue
from ..brokers.turn import Taken, Turn, Unready, untake
from ..clock import Clock, SystemClock
from ..config import QueueRule, Settings
from ..config.checks import check
from ..errors import ConfigError, CutOffError, DarnerError, ForkedError
from ..journals.contract import Journal
from ..journals.memory import MemoryEngine
from ..locks import Lock
from ..queues.open_reads import OpenRead
from .arguments import text_of_queue
from .keywords import Given, rule_for
from .places import Place
from .scheduler import Scheduler

__all__ = ["Directory", "Front", "cut_off"]

T = TypeVar("T")


class Front(Protocol):
    """Whoever uses a directory and is to be closed."""

    def close_forgotten(self) -> None:
        """Close it, and say that nobody did."""
        ...


@runtime_checkable
class Holder(Protocol):
    """Whoever holds an item."""

    @property
    def closed(self) -> bool: ...


def cut_off() -> CutOffError:
    """What is told to whoever waits for a commit of which nobody knows."""
    return CutOffError("interrupted while it was being written; whether it is, is not known")


class Directory:
    """lock: held while anything is decided. turn, scheduler, broker: see there; they are new ones after a
    turn was cut off. places: the queues that are open, by name. watched: those of them for which
    somebody waits for room, or has a view.

    unheld, undelivered: what was held, or on its way to whoever took it, when a turn was cut off; by
    queue, until it is read again.

    users: all that use it. fronts: those of them that are to be closed when the program ends. Raises what
    `DataDir` does.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.lock: Any = Lock()
        self.clock = SystemClock()
        self.data = DataDir(path)
        self.places: dict[bytes, Place] = {}
        self.watched: set[Place] = set()
        self.fronts: WeakSet[Front] = WeakSet()
        self.unheld: list[tuple[bytes, OpenRead]] = []
        self.undelivered: list[tuple[bytes, bytes, Taken, int]] = []
        self.users: set[object] = set()
        self.is_forked = self.is_closed = False
        self.settings = settings
        self._memory = MemoryEngine()
        self._spared: list[Journal] = []
        self._rules: dict[bytes, QueueRule] = {}
        self._reviving = Lock()
        self.turn, self.scheduler, self.broker = self._begin()
        # From keywords alone there is nothing to compare: those that differ are refused.
        self.broker.warn_of_mismatches(partial(settings.names, "engine"))

    def _begin(self) -> tuple[Turn, Scheduler, LocalBroker]:
        """A broker that has yet to read anything, and what it works with."""
        turn = Turn()
        scheduler = Scheduler(
            self.lock, turn, self.clock, self._clock_was_set, self._look_at_places
        )
        broker = LocalBroker(
            self._in_force(),
            self.data,
            self.clock,
            scheduler,
            self._make_store,
            at_turn_end=_ignore,
        )
        turn.serve(broker, self.settings.min_free_disk)
        return turn, scheduler, broker

    def _make_store(
        self, settings: Settings, data: DataDir, clock: Clock, scheduler: Scheduler
    ) -> Store:
        store = Store(settings, data, clock, scheduler, scheduler.workers)
        store.engines["memory"] = self._memory  # what it holds outlives a broker
        return store

    def _in_force(self) -> Settings:
        # Free space is looked at when something is put: no timer of a program that does nothing.
        rules = (*self.settings.queue_rules, *self._rules.values())
        return replace(self.settings, queue_rules=rules, min_free_disk=None)

    def _clock_was_set(self) -> None:
        self.broker.clock_was_set()

    # -- turns -------------------------------------------------------------------------------------

    def run(self, work: Callable[[], T]) -> T:
        """Do something in a turn of its own. Raises `Unready` if one was cut off."""
        with self.lock:
            turn = self.turn
            turn.begin()
            try:
                try:
                    result = work()
                except (DarnerError, Unready):
                    turn.end()
                    raise
                turn.end()
                self.scheduler.settle()
            except BaseException:
                self.scheduler.cut_off()
                raise
        return result

    def revive(self) -> None:
        """If a turn was cut off, have everything read again. May take long; thread-safe.

        If this is cut off as well, it is as if it had not begun.
        """
        with self._reviving:
            with self.lock:  # else it may only be under way
                if not self.turn.busy:
                    return
            self.scheduler.stop_threadsafe()
            self._let_go()
            turn, scheduler, broker = self._begin()
            with self.lock:
                for stored in self.broker.every:
                    self._hand_on(stored, turn, broker)
                self.turn, self.scheduler, self.broker = turn, scheduler, broker

    def _let_go(self) -> None:
        """Close all journals as they are. What is in memory only is spared, for the next broker."""
        every = self.broker.every
        self._spared += [each.journal for each in every if each.journal and not each.on_disk]
        for stored in every:
            journal = stored.abandon()
            if journal is not None and stored.on_disk:
                journal.close()

    def _hand_on(self, old: StoredQueue, turn: Turn, broker: LocalBroker) -> None:
        """Whoever holds items of a queue goes on holding them, once it is read again."""
        stored = broker.queues.get(old.name)
        if stored is None and old.stored and old.deletion is None:
            stored = broker.add(old.name, stored=True, engine=old.engine)
        self.unheld += [(old.name, each) for each in _held(old)]
        error = cut_off()
        for each in (*old.queue.unwritten, old.deletion):
            if each is not None:
                each.ended, each.error = True, error  # who does not wait for it yet is told, too
        if stored is not None:
            turn.begin()
            stored.when_ready(partial(self._give_again, stored))
            turn.end()

    def _give_again(self, stored: StoredQueue) -> None:
        """Whoever held an item holds it; what was on its way to somebody is in its place."""
        for name, held in self.unheld:
            if name == stored.name and (stored.error or not stored.queue.hold_again(held)):
                held.gone = True
        for name, consumer, box, batch in self.undelivered:
            if name == stored.name and stored.error is None:
                untake(stored, consumer, box, batch)
        # If that was cut off, it is done once more.
        self.unheld = [each for each in self.unheld if each[0] != stored.name]
        self.undelivered = [each for each in self.undelivered if each[0] != stored.name]

    def _look_at_places(self) -> bool:
        for place in list(self.watched):
            if not place.look(self.broker):
                self.watched.discard(place)
        return bool(self.watched)

    def watch(self, place: Place) -> None:
        """Somebody waits for room there, or has a view."""
        self.watched.add(place)
        self.turn.after = True

    # -- settings ----------------------------------------------------------------------------------

    def join(self, name: bytes, given: Given, user: object) -> Place:
        """Begin to use a queue with these settings. Raises `ConfigError` if it is used with others."""
        with self.lock:
            self._check_shared(given, f"{self.path}")
            place = self.places.get(name)
            if place is None:
                place = self._take_place(name, given)
            else:
                where = f"{self.path}: queue {text_of_queue(name)!r}"
                now = self.broker.create(name).settings
                for key, value in given.queue.items():
                    if getattr(now, key) != value:
                        raise ConfigError(
                            f"{where}: {key} is {getattr(now, key)!r} where it is open already, not "
                            f"{value!r}"
                        )
            place.users.add(user)
            return place

    def _take_place(self, name: bytes, given: Given) -> Place:
        where = f"{self.path}: queue {text_of_queue(name)!r}"
        if name in self.settings.aliases:
            raise ConfigError(f"{where}: it is an alias in the configuration")
        self._check_engine(name, given, where)
        if given.queue:
            self._rules[name] = rule_for(name, given.queue)
            try:
                check(self._in_force(), f"{self.path}: ")
            except ConfigError:
                del self._rules[name]
                raise
            self.broker.configure(self._in_force())
        place = self.places[name] = Place(name)
        return place

    def _check_engine(self, name: bytes, given: Given, where: str) -> None:
        asked, stored = given.queue.get("engine"), self.broker.queues.get(name)
        if asked and stored is not None and stored.stored and asked != stored.engine:
            raise ConfigError(
                f"{where}: engine is {stored.engine!r} on disk, not {asked!r}; `darnerpy convert` changes "
                "it"
            )

    def check_shared(self, given: Given) -> None:
        """Raises `ConfigError` if settings differ from those that all share."""
        self._check_shared(given, f"{self.path}")

    def _check_shared(self, given: Given, where: str) -> None:
        for key, value in given.shared.items():
            now = getattr(self.settings, key)
            if now != value:
                raise ConfigError(
                    f"{where}: {key} is {now!r} for the whole directory, which is open, not {value!r}"
                )

    def part(self, place: Place, user: object) -> None:
        """Use a queue no more. It may be called again."""
        with self.lock:
            place.users.discard(user)
            if not place.users:
                self.places.pop(place.name, None)
                self._rules.pop(place.name, None)

    # -- the end -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish what is under way, put on disk what is owed, let others have the directory."""
        scheduler = self.scheduler
        try:
            with self.lock:  # else a turn may only be under way
                is_sound = not self.turn.busy
            if is_sound:
                self._do_all()
                self.run(self.broker.close)
                self._do_all()
        finally:
            try:
                scheduler.stop_threadsafe()
                self._let_go()
            finally:
                if not self.is_closed:
                    self.is_closed = True
                    self.data.close()

    def _do_all(self) -> None:
        scheduler = self.scheduler
        while True:
            if scheduler.work():
                continue
            with self.lock:
                if scheduler.jobs:
                    continue
                if scheduler.over or all(stored.idle for stored in self.broker.every):
                    return
                scheduler.rest()

    def fork(self) -> None:
        """This is a child of the process whose directory it is: keep away from it."""
        self.is_forked = True
        self.lock = ForkedLock(self.path)
        self.data.close()


class ForkedLock:
    """Stands where a lock was: nobody gets it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        raise ForkedError(
            f"data directory {self._path} was opened before this process was forked, by its parent: "
            "open it anew"
        )

    def __exit__(self, *exception: object) -> None:
        pass


def _held(stored: StoredQueue) -> list[OpenRead]:
    """What is truly in somebody's hands; what was still on its way to somebody is gone."""
    found: list[OpenRead] = []
    for consumer in stored.queue.consumers.values():
        for held in consumer.open.values():
            if isinstance(held.holder, Holder) and not (held.holder.closed or held.gone):
                found.append(held)
            else:
                held.gone = True
    return found


def _ignore(end_turn: Callable[[], None]) -> None:
    """Whoever has the lock ends the turn."""
