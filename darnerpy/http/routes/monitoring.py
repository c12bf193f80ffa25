"""What machines and pages look at all the time: health, metrics, history and events."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import msgspec

from ...errors import UnknownConsumerError, UnknownQueueError
from ..answers import Answer, json, raw, stream
from ..call import Call, unquoted
from ..declared import Reply, Route, query
from ..kinds import CONSUMER, GLOB, QUEUE, Kind, one_of
from ..monitoring.exposition import format_for
from ..monitoring.history import Series
from ..monitoring.rings import FIELDS
from ..monitoring.watch import Place
from ..problems import MEDIA_TYPE, Problem, title
from ..schemas import listed, object_of
from ..wording import path_name

__all__ = ["ROUTES"]

_RANGES = {"1m": 60, "10m": 600, "24h": 86400}
_MOST = 200
_WHOLE = {"items", "bytes", "open_reads", "waiters"}
_NOT_KNOWN = float("nan")
_NO_STORE = (b"cache-control", b"no-store")
_encode = msgspec.json.Encoder().encode


def _names(value: bytes) -> list[bytes]:
    names = [QUEUE.parse(unquoted(part)) for part in value.split(b",")]
    if len(names) > _MOST:
        raise ValueError(value)
    return names


_NAMES = Kind(
    f"names of at most {_MOST} queues, in an address of at most 8 KiB, each percent-encoded once more, "
    "with commas between them",
    _names,
    {"type": "string"},
)


async def healthz(call: Call) -> Answer:
    return json({"status": "ok"}, headers=[_NO_STORE])


async def readyz(call: Call) -> Answer:
    reasons = call.means.monitor.health.reasons()
    if not reasons:
        return json({"ready": True, "reasons": []}, headers=[_NO_STORE])
    detail = "not ready: " + ", ".join(str(each["reason"]) for each in reasons)
    problem = {"type": "about:blank", "title": title(503), "status": 503, "detail": detail}
    body = _encode({**problem, "ready": False, "reasons": reasons})
    return raw(body, [_NO_STORE], MEDIA_TYPE, 503)


async def metrics(call: Call) -> Answer:
    accept = call.exchange.headers.get(b"accept", b"").decode("latin-1")
    to = format_for(accept)
    text = call.means.monitor.metrics.text(to, call["queue"])
    return stream(_sent(text), to.media_type, [_NO_STORE, (b"vary", b"accept")])


async def _sent(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if piece:
            yield piece
        else:
            await asyncio.sleep(0)


async def events(call: Call) -> Answer:
    headers = [_NO_STORE, (b"x-accel-buffering", b"no")]
    pieces = call.means.monitor.events.follow(call["queue"])
    return stream(pieces, b"text/event-stream; charset=utf-8", headers)


async def history(call: Call) -> Answer:
    if call["queues"] is not None:
        return await _depths(call, call["queues"])
    kept = call.means.monitor.history
    seconds = _RANGES[call["range"]]
    if call["queue"] is None:
        if call["consumer"] is not None:
            raise Problem(400, "consumer: there is no queue beside it")
        series = kept.of_all(seconds)
    else:
        series = kept.of(_place(call, call["queue"], call["consumer"] or b""), seconds)
    return raw(await _columns(call, series), [_NO_STORE], b"application/json")


def _place(call: Call, queue: bytes, consumer: bytes) -> Place | None:
    """None if it is so new that nobody has looked at it."""
    stored = call.host.broker.queues.get(queue)
    if stored is None or not stored.exists:
        raise UnknownQueueError(f"there is no queue {queue.decode('utf-8', 'backslashreplace')}")
    if stored.known and consumer not in stored.queue.consumers:
        told = (queue + b"+" + consumer).decode("utf-8", "backslashreplace")
        raise UnknownConsumerError(f"there is no consumer {told}")
    watched = call.means.monitor.watch.queues.get(queue)
    return None if watched is None else watched.places.get(consumer)


async def _columns(call: Call, series: Series) -> bytes:
    """A day has thousands of numbers: a column a turn."""
    start, step = _wall(call, series.start), series.step
    rows = len(series.columns.get("items", ()))
    begin = {
        "from": start,
        "step": step,
        "detail": series.detail,
        "coarse": series.detail != "fine",
        "time": list(range(start, start + rows * step, step)),
    }
    parts = [_encode(begin)[:-1]]
    for name in FIELDS:
        column = series.columns.get(name, [_NOT_KNOWN] * rows)
        parts.append(b',"%b":%b' % (name.encode(), _column(column, name in _WHOLE)))
        await asyncio.sleep(0)
    return b"".join(parts) + b"}"


def _column(column: list[float], whole: bool) -> bytes:
    if whole:
        return _encode([None if value != value else int(value) for value in column])
    return _encode([round(value, 3) for value in column])  # NaN is null


def _wall(call: Call, second: int) -> int:
    """A second of the watch's clock as Unix time."""
    clock = call.host.clock
    return (clock.now_ms() - clock.monotonic_ms()) // 1000 + second


async def _depths(call: Call, names: list[bytes]) -> Answer:
    if call["queue"] is not None or call["consumer"] is not None or call["range"] != "1m":
        raise Problem(400, "queues: expected range=1m beside it, and neither queue nor consumer")
    watch, kept = call.means.monitor.watch, call.means.monitor.history
    parts = []
    for number, name in enumerate(names):
        watched = watch.queues.get(name)
        place = None if watched is None else watched.places.get(b"")
        if place is not None:
            column = _column(kept.depth_of(place), whole=True)
            parts.append(b'"%b":%b' % (path_name(name).encode(), column))
        if number % 8 == 7:
            await asyncio.sleep(0)
    start = _wall(call, kept.second - 59)
    body = b'{"from":%d,"step":1,"queues":{%b}}' % (start, b",".join(parts))
    return raw(body, [_NO_STORE], b"application/json")


_TEXT = {"type": "string"}
_COLUMN = {"type": "array", "items": {"type": ["number", "null"]}}
_READY = object_of(
    {"ready": {"type": "boolean"}, "reasons": listed({"type": "object"})},
)
_HISTORY = object_of(
    {
        "from": {"type": "integer", "description": "Unix time of the first row, seconds."},
        "step": {"type": "integer", "description": "Seconds between two rows."},
        "detail": {"type": "string", "enum": ["fine", "coarse", "depth", "none"]},
        "coarse": {"type": "boolean", "description": "Others are busier, and kept in detail."},
        "time": {"type": "array", "items": {"type": "integer"}},
        **dict.fromkeys(FIELDS, _COLUMN),
        "queues": {"type": "object", "additionalProperties": _COLUMN},
    },
    optional=("detail", "coarse", "time", *FIELDS, "queues"),
)

ROUTES = (
    Route(
        "GET",
        "/healthz",
        healthz,
        "Whether the process answers",
        "monitoring",
        (Reply(200, "It does.", {"application/json": object_of({"status": _TEXT})}),),
        changes=False,
        token=False,
        hosts=False,
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        "Whether the server can be used",
        "monitoring",
        (Reply(200, "It can.", {"application/json": _READY}),),
        problems=(503,),
        changes=False,
        token=False,
        hosts=False,
        description="503 while it loads, drains, is out of disk, quiescent, or a journal has failed.",
    ),
    Route(
        "GET",
        "/metrics",
        metrics,
        "Metrics for Prometheus",
        "monitoring",
        (
            Reply(
                200,
                "In Prometheus's text format, or in OpenMetrics if that is asked for.",
                {"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
            ),
        ),
        (query("queue", GLOB, "Only of queues whose names fit.", b""),),
        changes=False,
    ),
    Route(
        "GET",
        "/v1/events",
        events,
        "Follow what changes",
        "monitoring",
        (Reply(200, "Server-sent events, without end.", {"text/event-stream": _TEXT}),),
        (query("queue", GLOB, "Only of queues whose names fit.", b""),),
        changes=False,
    ),
    Route(
        "GET",
        "/v1/history",
        history,
        "What was, for charts",
        "monitoring",
        (Reply(200, "Columns, oldest first; null is not known.", {"application/json": _HISTORY}),),
        (
            query("queue", QUEUE, "Of this queue; without it, of all together."),
            query("consumer", CONSUMER, "Of this consumer of the queue."),
            query("range", one_of(*_RANGES), "How far back.", "10m"),
            query("queues", _NAMES, "Of each of these the depth, in the last minute."),
        ),
        problems=(404,),
        changes=False,
    ),
)
