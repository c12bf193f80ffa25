"""Server-sent events: what changes, once a second, and who did what to whole queues.

Owns that all streams share one encoding, and that a client which does not read costs a bounded amount of
memory: what it has not read is dropped, and it is told everything anew as soon as it reads again. Events of
the past are not kept. Knows no socket.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from ...config import QueueRule
from ...sessions.acts import Act
from ..wording import path_name
from .slices import brief
from .watch import Place, Watch, Watched

__all__ = ["Events", "totals_of"]

_TOGETHER = 200
"""Queues in one event."""

_MOST_UNREAD = 1024 * 1024
"""Bytes that a stream may have behind, and not the first event alone."""

_QUIET_LOOKS = 15
_COMMENT = b": still here\n\n"
_RETRY = b"retry: 1000\n\n"

_ENCODER = msgspec.json.Encoder()
_encode = _ENCODER.encode


class _Told(msgspec.Struct, gc=False, omit_defaults=True):
    """A consumer, as events have it: under the names of `stats`, but for the rates, which are a second's."""

    name: str
    items: int | None = None
    bytes: int | None = None
    total_items: int | None = None
    age: int | None = None
    waiters: int | None = None
    open_transactions: int | None = None
    delayed: int | None = None
    expired_items: int | None = None
    discarded: int | None = None
    purged: int | None = None
    dead_lettered: int | None = None
    dropped: int | None = None
    canceled_transactions: int | None = None
    logsize: int | None = None
    lagging: int | None = None
    paused: str | None = None
    damaged_items: int | None = None
    kept: int | None = None
    put_rate: float | None = None
    get_rate: float | None = None
    state: str = "ready"
    consumer: str = ""
    text: str = ""


_PAUSED = ("none", "puts", "gets", "both")


def _told(watched: Watched, place: Place) -> bytes:
    sample, counters, rates = place.last, place.consumer.counters, place.rates
    consumer = path_name(place.name) if place.name else ""
    name = place.name or watched.stored.name
    text = name.decode("utf-8", "backslashreplace")
    if text == (consumer or watched.name):
        text = ""
    if sample is None:
        return _encode(_Told(watched.name, state=watched.state, consumer=consumer, text=text))
    return _encode(
        _Told(
            watched.name,
            sample.items,
            sample.bytes,
            sample.puts,
            sample.age,
            sample.waiters,
            sample.open_reads,
            sample.delayed,
            sample.expired,
            sample.discarded,
            sample.purged,
            counters.dead,
            counters.dropped,
            sample.returned,
            watched.stored.disk_bytes,
            sample.lagging,
            _PAUSED[sample.paused],
            None if place.name else watched.harm.lost,
            None if place.name else watched.harm.kept,
            round(rates[0], 2),
            round(rates[1], 2),
            watched.state,
            consumer,
            text,
        )
    )


def totals_of(watch: Watch, is_ready: bool) -> dict[str, object]:
    """Of the whole server, at the last look."""
    host, sums, process = watch.host, watch.sums, watch.process
    broker, counters = host.broker, host.counters
    return {
        "version": watch.version,
        "uptime": (host.clock.monotonic_ms() - counters.started) // 1000,
        "time": host.clock.now_ms(),
        "status": str(host.guard.status),
        "ready": is_ready,
        "read_only": host.settings.http_read_only,
        "queues": sums.queues,
        "loading": int(broker.loading),
        "loading_queues": sums.loading,
        "failed_queues": sums.failed,
        "failed": watch.failed[:10],
        "curr_items": sums.items,
        "bytes": sums.bytes,
        "open_transactions": sums.open_reads,
        "waiters": sums.waiters,
        "delayed": sums.delayed,
        "damaged_items": broker.past.lost + sums.lost,
        "kept": sums.kept,
        "age": sums.oldest,
        "put_rate": round(watch.rates[0], 2),
        "get_rate": round(watch.rates[1], 2),
        "curr_connections": counters.connections,
        "disk_bytes": sums.disk,
        "disk_free": watch.disk_free,
        "out_of_disk": int(broker.space.error is not None),
        "memory": process.resident,
        "commit_p99": None if watch.commit_p99 is None else round(watch.commit_p99 * 1000, 3),
        "open_journals": broker.open_journals,
    }


class _Stream:
    """One client. glob: b"" is all. behind: it has to be told everything anew."""

    def __init__(self, glob: bytes) -> None:
        self.glob = glob
        self.behind = True
        self.closed = False
        self.came = asyncio.Event()
        self._unread: deque[bytes] = deque()
        self._size = 0

    def put(self, piece: bytes) -> None:
        if not self.behind:
            self._unread.append(piece)
            self._size += len(piece)
            if self._size > _MOST_UNREAD and len(self._unread) > 1:
                self._unread.clear()
                self._size = 0
                self.behind = True
        self.came.set()

    def take(self) -> bytes:
        """All that is unread, b"" if there is nothing."""
        pieces, self._unread, self._size = self._unread, deque(), 0
        if not self.closed:
            self.came.clear()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        self.closed = True
        self.came.set()


class Events:
    """is_ready: whether the server would say so."""

    def __init__(self, watch: Watch, is_ready: Callable[[], bool]) -> None:
        self._watch = watch
        self._is_ready = is_ready
        self._streams: set[_Stream] = set()
        self._closed = False
        watch.telling.append(self._tell)
        watch.host.acts.watchers.append(self._tell_act)

    @property
    def streams(self) -> int:
        """Clients that follow."""
        return len(self._streams)

    def close(self) -> None:
        """The server stops: all streams end."""
        self._closed = True
        self._watch.host.acts.watchers.remove(self._tell_act)
        for stream in self._streams:
            stream.close()

    async def follow(self, glob: bytes) -> AsyncIterator[bytes]:
        """What one client is sent, from now on until the server stops or the client is gone."""
        stream = _Stream(glob)
        self._streams.add(stream)
        if self._closed:
            stream.close()
        try:
            yield _RETRY
            while not stream.closed:
                if stream.behind:
                    stream.behind = False
                    for piece in self._everything(glob):
                        if piece:
                            yield piece
                        else:
                            await asyncio.sleep(0)
                unread = stream.take()
                if unread:
                    yield unread
                elif not stream.behind:
                    await stream.came.wait()
        finally:
            self._streams.discard(stream)

    # -- what is told ------------------------------------------------------------------------------

    def _tell(self, second: int) -> Iterator[None]:
        """What the last look has seen change, to all; encoded once."""
        if not self._streams:
            return
        watch, cut = self._watch, brief()
        changed: list[tuple[bytes, bytes]] = []
        looks = watch.looks
        for number, watched in enumerate(list(watch.queues.values())):
            anew = watched.changed == looks
            if anew and not watched.places:
                changed.append((watched.stored.name, _unknown(watched)))
            changed += [
                (watched.stored.name, _told(watched, place))
                for place in list(watched.places.values())
                if anew or place.changed == looks
            ]
            if number % 4 == 0 and cut.is_over():
                yield
        totals = _encode(totals_of(watch, self._is_ready()))
        made: dict[bytes, list[bytes]] = {}
        for stream in list(self._streams):
            pieces = made.get(stream.glob)
            if pieces is None:
                yield
                pieces = made[stream.glob] = self._pieces(stream.glob, changed, totals)
            for piece in pieces:
                stream.put(piece)

    def _pieces(
        self, glob: bytes, changed: list[tuple[bytes, bytes]], totals: bytes
    ) -> list[bytes]:
        if glob:
            matches = QueueRule(glob, {}).matches
            told = [each for name, each in changed if matches(name)]
        else:
            told = [each for _, each in changed]
        parts = [told[at : at + _TOGETHER] for at in range(0, len(told), _TOGETHER)] or [[]]
        gone = _encode(self._watch.gone)
        last = len(parts) - 1
        pieces = [
            _event(part, totals if at == last else b"", gone if at == last else b"")
            for at, part in enumerate(parts)
        ]
        if self._watch.looks % _QUIET_LOOKS == 0:
            pieces.append(_COMMENT)
        return pieces

    def _everything(self, glob: bytes) -> Iterator[bytes]:
        """All that is known of all queues; b"" where others should have their turn."""
        watch, cut = self._watch, brief()
        matches = QueueRule(glob, {}).matches if glob else None
        told: list[bytes] = []
        first = True
        for number, watched in enumerate(list(watch.queues.values())):
            if matches is None or matches(watched.stored.name):
                if not watched.places:
                    told.append(_unknown(watched))
                told += [_told(watched, place) for place in list(watched.places.values())]
            if len(told) >= _TOGETHER:
                yield _event(told, first=first)
                told, first = [], False
            elif number % 4 == 0 and cut.is_over():
                yield b""
        yield _event(told, _encode(totals_of(watch, self._is_ready())), first=first)

    def _tell_act(self, act: Act) -> None:
        if not self._streams:
            return
        queue, plus, consumer = act.queue.partition(b"+")
        told: dict[str, object] = {
            "act": act.act,
            "queue": path_name(queue),
            **({"consumer": path_name(consumer)} if plus else {}),
            "who": act.who,
            "time": act.time,
        }
        told.update((key, _sayable(value)) for key, value in act.more.items() if key not in told)
        piece = b"event: admin\ndata: " + _encode(told) + b"\n\n"
        for stream in self._streams:
            if not stream.glob or QueueRule(stream.glob, {}).matches(queue):
                stream.put(piece)


def _unknown(watched: Watched) -> bytes:
    """A queue of which nothing is known but its name: its journal is not open yet, or cannot be."""
    text = watched.stored.name.decode("utf-8", "backslashreplace")
    text = "" if text == watched.name else text
    return _encode(_Told(watched.name, state=watched.state, text=text))


def _event(told: list[bytes], totals: bytes = b"", gone: bytes = b"", first: bool = False) -> bytes:
    parts = [b'event: stats\ndata: {"all":true,' if first else b"event: stats\ndata: {"]
    if totals:
        parts += [b'"totals":', totals, b","]
    if gone and gone != b"[]":
        parts += [b'"gone":', gone, b","]
    parts += [b'"queues":[', b",".join(told), b"]}\n\n"]
    return b"".join(parts)


def _sayable(value: object) -> object:
    if isinstance(value, bytes):
        return path_name(value)
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
