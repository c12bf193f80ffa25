"""Items: put one or many, take them, look at them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Annotated, Any

import msgspec

from ...sessions.pace import Pace
from ...sessions.requests import looks, puts, takes
from ...sessions.requests.puts import New, Traits
from ...sessions.steps import Steps
from ...units import LONGEST_MS, parse_size
from .. import schemas
from ..answers import Answer, empty, json
from ..call import Call
from ..declared import Body, Header, Reply, Route, header, query
from ..driving import drive
from ..items import LINES, RAW, answer_of, wants_lines
from ..kinds import CONSUMER, Kind, duration, number
from ..objects import Reader
from ..problems import Problem

__all__ = ["AS", "CONSUMER_OF", "ITEM_HEADERS", "ROUTES", "WAIT", "traits_of"]

_DAY_MS = 86_400_000
_LONGEST_DELAY_MS = 3650 * _DAY_MS
_MOST_LINES_BYTES = 4 * 1024 * 1024
_LINES = (LINES, "application/x-ndjson")
_MANY = 200
"""More are enough for a turn."""

_MOST_FLAGS = 2**32 - 1
_MOST_ID = 2**63 - 1

_TTL = duration(1, LONGEST_MS)
_DELAY = duration(0, _LONGEST_DELAY_MS)

WAIT = query("wait", duration(0, _DAY_MS), "Wait so long for an item to come.", 0)
CONSUMER_OF = query("consumer", CONSUMER, "Read as this consumer of the queue.", b"")
AS = (
    header("Darnerpy-Flags", number(0, _MOST_FLAGS), "32 bits of the client's own.", 0),
    header("Darnerpy-TTL", _TTL, "The item expires after so long.", 0),
    header("Darnerpy-Delay", _DELAY, "Nobody is given it before.", 0),
)
ITEM_HEADERS = (
    Header("Darnerpy-Id", "The number of the item in its queue.", {"type": "integer"}),
    Header("Darnerpy-Flags", "As it was put.", {"type": "integer"}),
    Header("Darnerpy-Attempts", "Deliveries that came back.", {"type": "integer"}),
    Header("Darnerpy-Age", "Seconds since it was put.", {"type": "number"}),
    Header("Darnerpy-TTL", "What is left until it expires, if it does.", {"type": "string"}),
)


def traits_of(given: Mapping[str, Any]) -> Traits:
    return Traits(given["Darnerpy-Flags"], given["Darnerpy-TTL"], given["Darnerpy-Delay"])


# -- putting ---------------------------------------------------------------------------------------


async def put_items(call: Call) -> Answer:
    media_type = call.exchange.headers.get(b"content-type", b"").partition(b";")[0].strip()
    if media_type.decode("latin-1").lower() in _LINES:
        return await _put_lines(call)
    item_id = await call.run(puts.put(call.host, call.queue, call.exchange, traits_of(call.given)))
    return json({"ids": [item_id]}, 201)


async def _put_lines(call: Call) -> Answer:
    traits = traits_of(call.given)
    body = await call.exchange.body(_MOST_LINES_BYTES)
    pace = Pace()
    items: list[New] = []
    for at, line in enumerate(BytesIO(body), 1):
        if pace.is_over():
            await asyncio.sleep(0)
        if not line or line.isspace():
            continue
        if len(items) == puts.MOST_ITEMS:
            raise Problem(413, f"more than {puts.MOST_ITEMS} lines")
        items.append(_item_of(line, at, traits))
    if not items:
        return json({"ids": []}, 201)
    if len(items) > _MANY:
        await drive(_when_let_in(call))
    return json({"ids": await call.run(puts.put_many(call.host, call.queue, items))}, 201)


def _when_let_in(call: Call) -> Steps[None]:
    yield call.means.bulks.enter


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """What an item was at another place is taken no notice of: lines that were given can be put."""

    data: bytes | None = None  # base64
    text: str | None = None
    flags: Annotated[int, msgspec.Meta(ge=0, le=_MOST_FLAGS)] | None = None
    ttl: str | None = None
    delay: str | None = None
    id: int | None = None
    attempts: int | None = None
    age: float | None = None
    size: int | None = None
    lease: str | None = None
    until: float | None = None


_NUMBER = "a whole number"
_LINE = Reader(
    _Line,
    {
        "data": "text in base64",
        "text": "text",
        "flags": f"{_NUMBER} from 0 to {_MOST_FLAGS}",
        "ttl": _TTL.expected,
        "delay": _DELAY.expected,
        **dict.fromkeys(("id", "attempts", "size"), _NUMBER),
        **dict.fromkeys(("age", "until"), "a number"),
        "lease": "text",
    },
)


def _item_of(text: bytes, at: int, traits: Traits) -> New:
    """What a line says goes before what the headers do."""
    line = _LINE.read(text, f"line {at}")
    if (line.data is None) is (line.text is None):
        raise Problem(400, f"line {at}: expected either data, in base64, or text")
    if line.size is not None and line.data is not None and line.size != len(line.data):
        raise Problem(
            400, f"line {at}: it has {len(line.data)} of the {line.size} bytes of an item"
        )
    data = (line.text or "").encode() if line.data is None else line.data
    flags = traits.flags if line.flags is None else line.flags
    ttl = traits.ttl if line.ttl is None else _time("ttl", line.ttl, at, _TTL)
    delay = traits.delay if line.delay is None else _time("delay", line.delay, at, _DELAY)
    return New(data, Traits(flags, ttl, delay))


def _time(what: str, text: str, at: int, kind: Kind[int]) -> int:
    try:
        return kind.parse(text.encode())
    except ValueError:
        raise Problem(400, f"line {at}: {what}: expected {kind.expected}, not {text!r}") from None


# -- taking and looking ----------------------------------------------------------------------------


async def take_items(call: Call) -> Answer:
    number_of = call["n"]
    lines = wants_lines(call, number_of)
    steps = takes.take(
        call.host, call.exchange, call.queue, call["consumer"], number_of, call["wait"]
    )
    given = await call.run_until_stop(steps)
    return answer_of(call, given, lines) if given else empty()


async def peek_items(call: Call) -> Answer:
    after, last = call["after"], call["last"]
    number_of = call["n"] or last or 1
    lines = wants_lines(call, number_of)
    if last is not None and (after or call["offset"]):
        raise Problem(400, "last: goes with neither after nor offset")
    steps = looks.look(
        call.host, call.queue, call["consumer"], call["offset"], number_of, after, last
    )
    seen = await call.run(steps)
    answer = answer_of(call, seen.given, lines, call["bytes"]) if seen.given else empty()
    answer.headers.append((b"darnerpy-next-id", b"%d" % seen.next_id))
    return answer


def _bytes(value: bytes) -> int:
    return parse_size(value.decode("ascii"))


_BYTES = Kind("a size such as 512, 64KiB or 1MiB", _bytes, {"type": "string"})

_ITEM = {RAW: schemas.BINARY, LINES: schemas.ITEM}
_GIVEN = (
    Reply(200, "An item as it is; or, if asked for, a line of JSON for each.", _ITEM, ITEM_HEADERS),
    Reply(204, "There is none."),
)
_NEXT = Header("Darnerpy-Next-Id", "What the next item put will get.", {"type": "integer"})
_SEEN = tuple(replace(reply, headers=(*reply.headers, _NEXT)) for reply in _GIVEN)

ROUTES = (
    Route(
        "POST",
        "/v1/queues/{queue}/items",
        put_items,
        "Put one item, or many",
        "items",
        (Reply(201, "They are in the queue.", {"application/json": schemas.IDS}),),
        AS,
        Body(
            {RAW: schemas.BINARY, LINES: schemas.NEW_ITEM},
            "One item as it is; or a line of JSON for each of many, put in one commit, all or none.",
        ),
        problems=(413, 429, 507),
        description="The queue is made if there is none.",
    ),
    Route(
        "POST",
        "/v1/queues/{queue}/take",
        take_items,
        "Take items",
        "items",
        _GIVEN,
        (
            WAIT,
            query("n", number(1, takes.MOST), "At most so many; more than one in lines.", 1),
            CONSUMER_OF,
        ),
        problems=(404, 406),
        description="What is taken is confirmed, so that nobody else is given it.",
    ),
    Route(
        "GET",
        "/v1/queues/{queue}/items/peek",
        peek_items,
        "Look at items and leave them there",
        "items",
        _SEEN,
        (
            query("offset", number(0, 10**9), "Pass over so many.", 0),
            query("after", number(0, _MOST_ID), "Only items put after the one of that id.", 0),
            query("last", number(0, looks.MOST), "Only so many, the ones put last."),
            query(
                "n",
                number(1, looks.MOST),
                "At most so many; more than one in lines. Otherwise as many as last, or one.",
            ),
            query("bytes", _BYTES, "Of each item only so many bytes."),
            CONSUMER_OF,
        ),
        problems=(404, 406),
        changes=False,
    ),
)
