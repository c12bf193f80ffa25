"""The named consumers of a queue: which there are, a new one, one less."""

import msgspec

from ...sessions.requests import consumers
from .. import schemas
from ..answers import Answer, empty, json
from ..call import Call, unquoted
from ..declared import Body, Reply, Route
from ..objects import Reader
from ..wording import named, sayable

__all__ = ["ROUTES"]

_JSON = "application/json"


class _How(msgspec.Struct, forbid_unknown_fields=True):
    start: str | None = None
    copy_from: str | None = None  # percent-encoded, as all names


_FIELDS = {"start": "tail or head", "copy_from": "the name of a consumer, percent-encoded"}
_HOW = Reader(_How, _FIELDS)


async def list_consumers(call: Call) -> Answer:
    found = await call.run(consumers.consumers(call.host, call.queue))
    return json({"consumers": [_said(name, stats) for name, stats in found]})


async def get_consumer(call: Call) -> Answer:
    name = call.places["consumer"]
    return json(_said(name, await call.run(consumers.consumer(call.host, call.queue, name))))


async def make_consumer(call: Call) -> Answer:
    how = await call.json(_HOW, none=_How())
    copied = None if how.copy_from is None else unquoted(how.copy_from.encode())
    name = call.places["consumer"]
    asked = call.exchange.who, call.queue, name, how.start, copied
    made = await call.run(consumers.make_consumer(call.host, *asked))
    return json(_said(name, made.stats), 201 if made.new else 200)


async def drop_consumer(call: Call) -> Answer:
    name = call.places["consumer"]
    await call.run(consumers.drop_consumer(call.host, call.exchange.who, call.queue, name))
    return empty()


def _said(name: bytes, stats: consumers.Stats) -> dict[str, object]:
    return {**named(name), **sayable(stats)}


_AT = "/v1/queues/{queue}/consumers/{consumer}"
_SAID = {_JSON: schemas.CONSUMER}

ROUTES = (
    Route(
        "GET",
        "/v1/queues/{queue}/consumers",
        list_consumers,
        "List the consumers of a queue",
        "consumers",
        (Reply(200, "The named ones, by name.", {_JSON: schemas.CONSUMERS}),),
        problems=(404,),
        changes=False,
    ),
    Route(
        "GET",
        _AT,
        get_consumer,
        "Show a consumer",
        "consumers",
        (Reply(200, "What is counted of it.", _SAID),),
        problems=(404,),
        changes=False,
    ),
    Route(
        "PUT",
        _AT,
        make_consumer,
        "Make a consumer",
        "consumers",
        (Reply(201, "It is new.", _SAID), Reply(200, "It was there, made like this.", _SAID)),
        body=Body({_JSON: schemas.HOW_CONSUMER}, "What is not given is as settings say.", False),
        problems=(409, 413),
        description="The queue is made if there is none.",
    ),
    Route(
        "DELETE",
        _AT,
        drop_consumer,
        "Drop a consumer",
        "consumers",
        (Reply(204, "Its place is forgotten."),),
        problems=(404,),
    ),
)
