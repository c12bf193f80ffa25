"""What is done to a queue as a whole: pause and resume, purge, move, redrive. Each is a line of the log."""

from ...queues.batches import PAUSED_GETS, PAUSED_PUTS
from ...sessions.requests import moves, pauses, purges
from ...sessions.requests.moves import Moved
from .. import schemas
from ..answers import Answer, json
from ..call import Call
from ..declared import Parameter, Reply, Route, query
from ..kinds import BOOLEAN, QUEUE, duration, number, one_of
from .items import CONSUMER_OF

__all__ = ["ROUTES"]

_MOST = 2**53
_CENTURY_MS = 36_500 * 86_400_000
_BITS = {"puts": PAUSED_PUTS, "gets": PAUSED_GETS}
_WHAT = query("what", one_of(*_BITS), "One of both only.")


async def pause_queue(call: Call) -> Answer:
    steps = pauses.pause(call.host, call.exchange.who, call.queue, _bits(call["what"]))
    return _paused(await call.run(steps))


async def resume_queue(call: Call) -> Answer:
    steps = pauses.resume(call.host, call.exchange.who, call.queue, _bits(call["what"]))
    return _paused(await call.run(steps))


def _bits(what: str | None) -> int:
    return PAUSED_PUTS | PAUSED_GETS if what is None else _BITS[what]


def _paused(bits: int) -> Answer:
    return json({"paused": [what for what, bit in _BITS.items() if bits & bit]})


async def purge_items(call: Call) -> Answer:
    who, everything = call.exchange.who, call["all"] == "true"
    how = call["first"], call["older_than"], everything
    steps = purges.purge(call.host, who, call.queue, call["consumer"], *how)
    return json({"purged": await call.run(steps)})


async def move_items(call: Call) -> Answer:
    who, to = call.exchange.who, call["to"]
    steps = moves.move(call.host, who, call.queue, call["consumer"], to, call["n"])
    return _moved(await call.run(steps))


async def redrive_items(call: Call) -> Answer:
    steps = moves.redrive(call.host, call.exchange.who, call.queue, call["n"], call["to"])
    return _moved(await call.run(steps))


def _moved(done: Moved) -> Answer:
    said: dict[str, object] = {"moved": done.moved, "left": done.left, "unknown": done.unknown}
    return json({**said, "stopped": done.stopped} if done.stopped else said)


_N = query("n", number(1, _MOST), "At most so many; else all that wait.")
_PAUSED = (Reply(200, "What of it is paused now.", {"application/json": schemas.PAUSED}),)
_MOVED = (Reply(200, "How many have gone, and have not.", {"application/json": schemas.MOVED}),)

ROUTES = (
    Route(
        "POST",
        "/v1/queues/{queue}/pause",
        pause_queue,
        "Pause a queue",
        "acts",
        _PAUSED,
        (_WHAT,),
        problems=(404,),
        description="Durable. What is held already may be confirmed.",
    ),
    Route(
        "POST",
        "/v1/queues/{queue}/resume",
        resume_queue,
        "Resume a queue",
        "acts",
        _PAUSED,
        (_WHAT,),
        problems=(404,),
    ),
    Route(
        "DELETE",
        "/v1/queues/{queue}/items",
        purge_items,
        "Throw items away",
        "acts",
        (Reply(200, "How many are gone.", {"application/json": schemas.PURGED}),),
        (
            query("first", number(1, _MOST), "The first so many."),
            query("older_than", duration(0, _CENTURY_MS), "Those that were put before."),
            query("all", BOOLEAN, "All that wait."),
            CONSUMER_OF,
        ),
        problems=(404,),
        description="One of first, older_than and all has to be given; the first two go together.",
    ),
    Route(
        "POST",
        "/v1/queues/{queue}/move",
        move_items,
        "Move items to another queue",
        "acts",
        _MOVED,
        (
            Parameter("to", "query", QUEUE, "The other queue.", required=True),
            _N,
            CONSUMER_OF,
        ),
        problems=(404, 507),
        description="The other queue is made if there is none. It stops when that is full, and says so.",
    ),
    Route(
        "POST",
        "/v1/queues/{queue}/redrive",
        redrive_items,
        "Move items back to where they came from",
        "acts",
        _MOVED,
        (_N, query("to", QUEUE, "All to this queue instead.")),
        problems=(404, 507),
        description="For dead letters. Those of which it is not known where they came from stay.",
    ),
)
