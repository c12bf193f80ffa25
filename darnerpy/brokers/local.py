"""All queues of this process by name, kept in a data directory.

Owns the names and the turn: what many connections asked of many queues in one turn of the event loop
is committed at its end, one batch a queue. What a queue does is in `queues`, how it is kept in
`stored`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from heapq import heapify, heappop
from typing import Any

from ..clock import Clock
from ..config import Settings
from ..errors import DarnerError, ServerError
from ..journals.engines import engine_in, name_in
from ..journals.workers import Done
from ..names import is_queue
from ..queues.batches import Completion
from ..queues.events import Events
from ..queues.observer import Observer
from ..queues.upkeep import clock_was_set
from ..queues.windows import Windows
from .backup import Told, back_up
from .backups import Kept, delete, kept
from .clockwatch import ClockWatch
from .datadir import DataDir
from .maintenance import Maintenance
from .mismatches import warn_of_mismatches
from .mover import Mover
from .scheduling import Scheduler
from .space import Space
from .startup import Startup
from .store import Store
from .stored import StoredQueue
from .totals import Totals

__all__ = ["LocalBroker"]

log = logging.getLogger("darnerpy.broker")

_MEASURED_AT_ONCE = 2
"""Of the threads that open and write."""


class LocalBroker:
    """queues: every queue there is, and those that only have waiters.

    aliases: names that stand for several queues and consumers; alias_puts: items and bytes put to
    each. mover: carries items between queues. created, deleted: counts since the start. past: what those
    deleted had counted. dirty: queues in which something was decided that is not committed.

    at_turn_end: calls a function when all is decided that is decided together, by default soon; who wants
    to know how long turns take puts himself in between.
    """

    def __init__(
        self,
        settings: Settings,
        data: DataDir,
        clock: Clock,
        scheduler: Scheduler,
        store: Callable[..., Store] = Store,
        at_turn_end: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.queues: dict[bytes, StoredQueue] = {}
        self.created = 0
        self.deleted = 0
        self.past = Totals()
        self._loading: Startup | None = None
        self._store = store(settings, data, clock, scheduler)
        self._scheduler = scheduler
        self.at_turn_end = at_turn_end or scheduler.call_soon
        self._clock_watch = ClockWatch(clock, scheduler, self.clock_was_set)
        self.mover = Mover(self.create, self._store.space)
        self._maintenance = Maintenance(clock, self.mover)
        self._make = partial(
            StoredQueue,
            self._store,
            changed=self._changed,
            gone=self._gone,
            look_after=self._maintenance.look_after,
        )
        self.dirty: list[StoredQueue] = []
        self._tell: Callable[[list[Events]], None] | None = None
        self._due: list[Observer] = []
        self._masked: dict[bytes, StoredQueue] = {}
        self.aliases: Mapping[bytes, tuple[tuple[bytes, bytes], ...]] = {}
        self.alias_puts: dict[bytes, tuple[int, int]] = {}
        for path, name in data.found().items():
            try:
                engine = engine_in(path, self._store.engines.values())
                known = name or name_in(path)
            except DarnerError as error:
                log.error("left alone: %s", error, extra={"path": path})
                continue
            if known and is_queue(known):
                self.add(known, stored=True, engine=engine.name if engine else "")
            elif known:
                log.warning("left alone: no queue can be called so", extra={"path": path})
        self._mask(settings.aliases)

    # -- queues by name ----------------------------------------------------------------------------

    def create(self, name: bytes) -> StoredQueue:
        """The queue of that name, a new one if there is none."""
        return self.queues.get(name) or self.add(name, stored=False)

    def forget(self, stored: StoredQueue) -> None:
        """Drop a queue in which nothing was ever stored and for which nobody waits any more.

        Whoever asks late may mean one that is dropped already, while another of that name is in use.
        """
        if stored.unused and self.queues.get(stored.name) is stored:
            stored.delete()

    def delete(self, name: bytes) -> Completion | None:
        """Delete a queue; None if there is none."""
        stored = self.queues.get(name)
        return None if stored is None else stored.delete()

    def existing(self) -> Iterator[StoredQueue]:
        """Queues that hold or held items, by name. Whoever takes their time gets those still there."""
        names = list(self.queues)
        heapify(names)  # the sorting, too, is done as one after another is taken
        while names:
            stored = self.queues.get(heappop(names))
            if stored is not None and stored.exists:
                yield stored

    def back_up(self, names: Sequence[bytes] | None, backup: str, done: Told) -> None:
        """Write queues, all if None, to a new directory among the backups; see `backup`."""
        known = [stored for stored in self.every if stored.on_disk]
        if names is not None:
            missing = set(names) - {stored.name for stored in known}
            if missing:
                text = b", ".join(sorted(missing)).decode("utf-8", "backslashreplace")
                done(ServerError(f"not on disk: {text}"))
                return
            known = [stored for stored in known if stored.name in names]
        back_up(self._store, known, backup, done)

    def list_backups(self, done: Callable[[list[Kept], ServerError | None], None]) -> None:
        """Tell which backups are kept, the oldest first."""

        def listed(found: list[Kept] | None, error: BaseException | None) -> None:
            done(found or [], _error("cannot list backups", error))

        self._store.background.submit(partial(kept, self._store.data.backups), listed)

    def delete_backup(self, name: str, done: Callable[[bool, ServerError | None], None]) -> None:
        """Remove a backup; tell whether there was one."""

        def deleted(found: bool | None, error: BaseException | None) -> None:
            done(bool(found), _error(f"cannot delete backup {name}", error))

        self._store.background.submit(partial(delete, self._store.data.backups, name), deleted)

    def configure(self, settings: Settings) -> None:
        """Apply new settings to all queues; what they need to know of the server stays as it was."""
        self._store.settings = replace(
            self._store.settings, queue_rules=settings.queue_rules, aliases=settings.aliases
        )
        self._mask(settings.aliases)
        for stored in list(self.queues.values()):
            stored.configure()
        self.space.watch(settings.min_free_disk)

    def configure_one(self, settings: Settings, name: bytes) -> None:
        """Apply new settings of just one queue."""
        self._store.settings = replace(self._store.settings, queue_rules=settings.queue_rules)
        stored = self.queues.get(name)
        if stored is not None:
            stored.configure()

    def warn_of_mismatches(self, which: Callable[[bytes], bool] = lambda name: True) -> None:
        """Log which queues, of those that are meant, have another engine than their settings name."""
        queues = [stored for stored in self.every if which(stored.name)]
        warn_of_mismatches(queues, self._store.engines, self._store.data.path)

    def _mask(self, aliases: Mapping[bytes, tuple[tuple[bytes, bytes], ...]]) -> None:
        """A queue with the name of an alias cannot be reached while there is the alias."""
        self.aliases = aliases
        self.queues |= self._masked
        self._masked = {}
        for name in aliases:
            if name in self.queues:
                self._masked[name] = self.queues.pop(name)
                log.warning("a queue is hidden by an alias of the same name", extra={"queue": name})

    def add(self, name: bytes, stored: bool, engine: str = "") -> StoredQueue:
        """A queue of which there is none yet. stored: it has a journal already, of that engine."""
        queue = self.queues[name] = self._make(name, stored, engine)
        if self._tell is not None:
            queue.observe(self._is_due)
        return queue

    def _gone(self, stored: StoredQueue) -> None:
        self.deleted += stored.stored
        self.past.add(stored)
        for queues in (self.queues, self._masked):
            if queues.get(stored.name) is stored:
                del queues[stored.name]

    # -- the turn ----------------------------------------------------------------------------------

    def end_turn(self) -> None:
        """Commit what was decided since the last time, one batch a queue."""
        dirty, self.dirty = self.dirty, []
        if dirty:
            self._store.journals.turn += 1
            for stored in dirty:
                stored.commit()
        if self._due:
            self._tell_events()

    def tell_commits(self, told: Callable[[float], None]) -> None:
        """Tell how many seconds each write in a thread takes from now on."""
        self._store.commit_told = told

    def _changed(self, stored: StoredQueue) -> None:
        if not stored.stored:
            stored.stored = True
            self.created += 1
        if not self.dirty:
            self.at_turn_end(self.end_turn)
        self.dirty.append(stored)

    # -- what happens ------------------------------------------------------------------------------

    def observe(self, tell: Callable[[list[Events]], None] | None) -> None:
        """At the end of each turn, tell what has become true of the queues whose settings say `tap`.

        None: of none any more.
        """
        self._tell = tell
        for stored in self.every:
            stored.observe(None if tell is None else self._is_due)

    def _is_due(self, observer: Observer) -> None:
        if not (self._due or self.dirty):
            self.at_turn_end(self.end_turn)
        self._due.append(observer)

    def _tell_events(self) -> None:
        due, self._due = self._due, []
        events: list[Events] = []
        for observer in due:
            events += observer.collect()
        if events and self._tell is not None:
            self._tell(events)

    # -- start and stop ----------------------------------------------------------------------------

    def load(self) -> None:
        """Open every journal once, in the background, to learn what is in it."""
        store = self._store
        self.space.watch(store.settings.min_free_disk)
        self._clock_watch.start()
        self.warn_of_mismatches()
        queues = list(self.queues.values())
        self._loading = Startup(queues, store.clock, self._scheduler, store.journals.most)

    @property
    def loading(self) -> bool:
        """Whether some queues' counters are still unknown: not all journals have been opened yet."""
        return self._loading is not None and not self._loading.over

    def clock_was_set(self) -> None:
        """Look again at what waits for a time of the wall clock."""
        for stored in self.every:
            if stored.works:
                clock_was_set(stored.queue)

    def in_thread(self, work: Callable[[], Any], done: Done) -> None:
        """Have something done that may block and concerns no queue's journal."""
        self._store.in_thread(work, done)

    def measure(self, done: Callable[[], None]) -> None:
        """Bring `disk_bytes` of the open journals up to date, a few at a time, then call back."""
        left = [stored for stored in self.queues.values() if stored.journal is not None]
        under_way = _MEASURED_AT_ONCE

        def measure_next() -> None:
            nonlocal under_way
            while left:
                if left.pop().measure(measure_next):
                    return
            under_way -= 1
            if not under_way:
                done()

        for _ in range(_MEASURED_AT_ONCE):
            self._scheduler.call_soon(measure_next)

    @property
    def space(self) -> Space:
        """Whether there is disk left."""
        return self._store.space

    @property
    def retired(self) -> int:
        """Queues deleted because of their age."""
        return self._maintenance.retired

    @property
    def windows(self) -> Windows:
        return self._store.windows

    @property
    def open_journals(self) -> int:
        return len(self._store.journals)

    @property
    def max_open_journals(self) -> int:
        return self._store.journals.most

    @property
    def commit_ms(self) -> float:
        """How long the last commit in a thread took."""
        return self._store.commit_ms

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to or from any journal."""
        return all(stored.idle for stored in self.every)

    @property
    def every(self) -> list[StoredQueue]:
        """Also those that an alias hides."""
        return [*self.queues.values(), *self._masked.values()]

    def close(self) -> None:
        """Sync and close all journals; one that is still being worked on is left as after a kill."""
        self.space.stop()
        self._clock_watch.stop()
        for stored in self.every:
            if stored.idle:
                stored.shut()
        self._store.close()


def _error(what: str, error: BaseException | None) -> ServerError | None:
    return None if error is None else ServerError(f"{what}: {error}")
