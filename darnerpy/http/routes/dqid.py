"""dqid's endpoints, as they are: push, get and stats, of the queue `default` or the one that is named."""

from ...errors import UnknownQueueError
from ...sessions.requests import puts, reports, takes
from .. import schemas
from ..answers import Answer, empty, json
from ..call import Call
from ..declared import Body, Reply, Route, query
from ..items import RAW, answer_of
from ..kinds import QUEUE
from ..problems import Problem
from ..wording import sayable
from .items import AS, ITEM_HEADERS, traits_of

__all__ = ["ROUTES"]

_OF = query("queue", QUEUE, "Another queue.", b"default")


async def push(call: Call) -> Answer:
    steps = puts.put(call.host, call["queue"], call.exchange, traits_of(call.given))
    return json({"ids": [await call.run(steps)]}, 201)


async def get(call: Call) -> Answer:
    if not call.host.settings.http_get_consumes:
        raise Problem(403, "http_get_consumes is false: take items by POST /v1/queues/QUEUE/take")
    try:
        given = await call.run(takes.take(call.host, call.exchange, call["queue"], b"", 1))
    except UnknownQueueError:
        given = []
    return answer_of(call, given, lines=False) if given else empty()


async def stats(call: Call) -> Answer:
    said = await call.run(reports.waiting(call.host, call["queue"]))
    return json({"queueSize": said["items"], **sayable(said)})


ROUTES = (
    Route(
        "POST",
        "/push",
        push,
        "Put an item",
        "dqid",
        (Reply(201, "It is in the queue.", {"application/json": schemas.IDS}),),
        (_OF, *AS),
        Body({RAW: schemas.BINARY}),
        problems=(413, 429, 507),
    ),
    Route(
        "GET",
        "/get",
        get,
        "Take an item",
        "dqid",
        (Reply(200, "It.", {RAW: schemas.BINARY}, ITEM_HEADERS), Reply(204, "There is none.")),
        (_OF,),
    ),
    Route(
        "GET",
        "/stats",
        stats,
        "How many items wait",
        "dqid",
        (Reply(200, "The same numbers as of the queue.", {"application/json": schemas.SIZE}),),
        (_OF,),
        changes=False,
    ),
)
