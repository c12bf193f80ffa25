"""Is there any order of the operations in which a simple queue would have answered the same?

Owns a search for it (Wing and Gong's, remembering as Lowe does what was tried), and the simple queue:
a log, and for each consumer the places that wait and those that are held. It knows all there is
(peek, flush, delete, several consumers, abort to the original place), but its time grows with what
overlaps, so it is for short histories: tens of operations. What was killed before it was answered
has happened, or not, or has happened and was taken back at the kill, if it was a get or a close.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

from ..errors import DarnerError
from .accounting import DEFAULT_TOLERANCE_MS
from .history import Finding, History, Operation, Timeline

__all__ = ["check_linearizable"]


def check_linearizable(
    history: History, tolerance_ms: int = DEFAULT_TOLERANCE_MS, bound: int = 200_000
) -> list[Finding]:
    """The queues whose answers no order explains, each with the operations that do not fit.

    bound: raises `DarnerError` when a queue has taken so many steps without a decision.
    """
    timeline = Timeline(history, tolerance_ms / 1000)
    queues = dict.fromkeys(operation.queue for operation in history.operations)
    return [finding for queue in queues for finding in _search(queue, history, timeline, bound)]


@dataclass(frozen=True)
class _Consumer:
    """waiting: places in the log. held: client, place, and whether it may have been confirmed."""

    waiting: tuple[int, ...] = ()
    held: tuple[tuple[str, int, bool], ...] = ()

    def give_back(self, place: int) -> "_Consumer":
        """To its place."""
        return replace(self, waiting=tuple(sorted((*self.waiting, place))))


@dataclass(frozen=True)
class _State:
    log: tuple[str, ...] = ()
    consumers: tuple[tuple[str, _Consumer], ...] = (("", _Consumer()),)
    gone: frozenset[str] = frozenset()

    def consumer(self, name: str) -> _Consumer:
        return dict(self.consumers).get(name, _Consumer())

    def put(self, name: str, consumer: _Consumer) -> "_State":
        changed = dict(self.consumers) | {name: consumer}
        return replace(self, consumers=tuple(sorted(changed.items(), key=lambda item: item[0])))


@dataclass(frozen=True)
class _Step:
    """Something that happens at one moment between two, or, if end is inf, perhaps never.

    operation: it takes effect; or, by `part`, only makes the consumer it names, as one who waits does
    before an item comes, or what it has opened times out. clients: without an operation, whose
    connections end.
    """

    begin: float
    end: float
    operation: Operation | None = None
    clients: frozenset[str] = frozenset()
    part: Literal["", "mention", "timeout"] = ""


@dataclass
class _Model:
    """The simple queue: what each step may lead to; nothing if it cannot have happened there."""

    timeline: Timeline
    puts: dict[str, Operation] = field(default_factory=dict)

    def after(self, state: _State, step: _Step) -> Iterator[_State]:
        operation = step.operation
        if operation is None:
            yield from self._cut(state, step.clients)
            return
        if step.part == "timeout":
            yield from self._abort(state, operation, True)
            return
        if step.part == "mention":
            yield state.put(operation.consumer, state.consumer(operation.consumer))
            return
        sure = operation.outcome == "ok"
        if not sure and step.end < inf:
            yield state
        if operation.client not in state.gone:
            yield from getattr(self, f"_{operation.kind}")(state, operation, sure)

    def _cut(self, state: _State, clients: frozenset[str]) -> Iterator[_State]:
        state = replace(state, gone=state.gone | clients)
        for name, consumer in state.consumers:
            for entry in consumer.held:
                if entry[0] in clients:
                    rest = replace(consumer, held=tuple(h for h in consumer.held if h != entry))
                    if entry[2]:
                        yield from self._cut(state.put(name, rest), clients)
                    yield from self._cut(state.put(name, rest.give_back(entry[1])), clients)
                    return
        yield state

    def _put(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        place, name = len(state.log), operation.consumer
        state = replace(state, log=(*state.log, operation.value or ""))
        if name:
            yield state.put(name, state.consumer(name).give_back(place))
            return
        yield replace(state, consumers=tuple((n, c.give_back(place)) for n, c in state.consumers))

    def _get(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        for place, left in self._next(state, operation):
            if place is None:
                yield state.put(operation.consumer, left)
            elif operation.kind == "peek":
                yield state.put(operation.consumer, left.give_back(place))
            elif operation.kind == "open" or not sure:
                # A get that was not answered is one whose confirmation may be taken back.
                entry = (operation.client, place, operation.kind == "get")
                held = tuple(sorted((*left.held, entry)))
                yield state.put(operation.consumer, replace(left, held=held))
            else:
                yield state.put(operation.consumer, left)

    _open = _peek = _get

    def _next(self, state: _State, operation: Operation) -> Iterator[tuple[int | None, _Consumer]]:
        """What may come, and what is left then; None is END. What has expired is passed over."""
        consumer = state.consumer(operation.consumer)
        sure = operation.outcome == "ok"
        waiting = consumer.waiting
        while waiting:
            value = state.log[waiting[0]]
            earliest, latest = self.timeline.expires(self.puts[value])
            left = replace(consumer, waiting=waiting[1:])
            if operation.invoked <= latest and (not sure or value == operation.value):
                yield waiting[0], left
            if self.timeline.end(operation) < earliest:
                return
            waiting = waiting[1:]
        if not sure or operation.value is None:
            yield None, replace(consumer, waiting=())

    def _close(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        consumer = state.consumer(operation.consumer)
        entry = self._entry(state, operation)
        rest = tuple(each for each in consumer.held if each != entry)
        if entry is not None and not sure:
            rest = (*rest, (entry[0], entry[1], True))
        yield state.put(operation.consumer, replace(consumer, held=tuple(sorted(rest))))

    def _abort(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        consumer = state.consumer(operation.consumer)
        entry = self._entry(state, operation)
        if entry is not None:
            rest = tuple(each for each in consumer.held if each != entry)
            consumer = replace(consumer, held=rest).give_back(entry[1])
        yield state.put(operation.consumer, consumer)

    def _entry(self, state: _State, operation: Operation) -> tuple[str, int, bool] | None:
        for entry in state.consumer(operation.consumer).held:
            if entry[0] == operation.client and state.log[entry[1]] == operation.value:
                return entry
        return None

    def _flush(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        for name, consumer in state.consumers:
            if operation.consumer in ("", name):
                state = state.put(name, replace(consumer, waiting=()))
        yield state

    def _delete(self, state: _State, operation: Operation, sure: bool) -> Iterator[_State]:
        left = [each for each in state.consumers if each[0] and each[0] != operation.consumer]
        own = state.consumer("") if operation.consumer else _Consumer()
        yield replace(state, consumers=(("", own), *(left if operation.consumer else ())))


def _steps(queue: str, history: History, timeline: Timeline) -> list[_Step]:
    operations = [o for o in history.operations if o.queue == queue and o.outcome != "refused"]
    steps = [_Step(o.invoked, timeline.end(o), o) for o in operations]
    for each in operations:
        if each.kind == "open" and each.value and each.lasts is not None:
            begin = each.invoked + each.lasts - timeline.tolerance
            steps.append(_Step(begin, inf, each, part="timeout"))
    mentions = (_Step(o.invoked, inf, o, part="mention") for o in _first(operations, timeline))
    steps += mentions
    for client, at in timeline.hang_ups():
        mine = [timeline.back(o) for o in operations if o.client == client]
        if mine:
            steps.append(_Step(at, max(mine), None, frozenset([client])))
    for killed, started in timeline.kills():
        clients = frozenset(o.client for o in operations if o.invoked < started)
        steps.append(_Step(killed, started, None, clients))
    steps.sort(key=lambda step: step.begin)
    return steps


def _first(operations: list[Operation], timeline: Timeline) -> Iterator[Operation]:
    """Reads that may have been the first to mention their consumer, at first or after a delete."""
    deleted = [o for o in operations if o.kind == "delete"]
    reads = [o for o in operations if o.consumer and o.kind in ("get", "open", "peek")]
    for read in reads:
        earlier = (
            o for o in reads if o.consumer == read.consumer and timeline.end(o) < read.invoked
        )
        known = max((o.invoked for o in earlier), default=-inf)
        if known == -inf or any(timeline.end(o) > known for o in deleted):
            yield read


def _search(queue: str, history: History, timeline: Timeline, bound: int) -> Iterator[Finding]:
    steps = _steps(queue, history, timeline)
    puts = {
        s.operation.value or "": s.operation
        for s in steps
        if s.operation and s.operation.kind == "put"
    }
    unknown = [
        s.operation
        for s in steps
        if s.operation and s.operation.value and s.operation.value not in puts
    ]
    if unknown:
        yield Finding("invented", f"it was never put into {queue}", unknown[:1])
        return
    model = _Model(timeline, puts)
    needed = sum(1 << number for number, step in enumerate(steps) if step.end < inf)
    tried: set[tuple[int, _State]] = set()
    furthest = 0
    branches: list[tuple[int, _State]] = [(0, _State())]
    while branches:
        done, state = branches.pop()
        if (done, state) in tried:
            continue
        tried.add((done, state))
        if len(tried) > bound:
            raise DarnerError(f"{queue}: undecided after {bound} steps; the history is too long")
        if done & needed == needed:
            return
        if (done & needed).bit_count() > (furthest & needed).bit_count():
            furthest = done
        for number in reversed(_next_steps(steps, done)):
            taken = done | 1 << number
            branches.extend((taken, after) for after in model.after(state, steps[number]))
    possible = [steps[number].operation for number in _next_steps(steps, furthest)]
    why = f"no order of the operations on {queue} explains them; the longest fails at one of these"
    yield Finding("not linearizable", why, [each for each in possible if each is not None])


def _next_steps(steps: list[_Step], done: int) -> list[int]:
    """The steps that may come next: they began before any other that is left had ended."""
    left = [number for number in range(len(steps)) if not done >> number & 1]
    limit = min((steps[number].end for number in left), default=inf)
    return sorted(
        (n for n in left if steps[n].begin <= limit), key=lambda number: steps[number].end
    )
