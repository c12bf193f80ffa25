"""Leases: reliable reads of clients that need not stay connected."""

from ...sessions.requests import leases
from ...sessions.requests.leases import MAX_TTL_MS, MIN_TTL_MS
from .. import schemas
from ..answers import Answer, empty, json
from ..call import Call
from ..declared import Header, Reply, Route, query
from ..items import LINES, RAW, answer_of, wants_lines
from ..kinds import duration
from .items import CONSUMER_OF, ITEM_HEADERS, WAIT

__all__ = ["ROUTES"]

_TTL_MS = 30_000
_TTL = query("ttl", duration(MIN_TTL_MS, MAX_TTL_MS), "How long it lasts.", _TTL_MS)


async def lease_item(call: Call) -> Answer:
    steps = leases.lease(
        call.host, call.exchange, call.queue, call["consumer"], call["ttl"], call["wait"]
    )
    given = await call.run_until_stop(steps)
    if given is None:
        return empty()
    answer = answer_of(call, [given], wants_lines(call, 1), status=201)
    answer.headers.append((b"location", b"/v1/leases/" + given.lease.encode()))
    return answer


async def confirm_lease(call: Call) -> Answer:
    await call.run(leases.confirm(call.host, call.places["lease"]))
    return empty()


async def abort_lease(call: Call) -> Answer:
    await call.run(leases.abort(call.host, call.places["lease"]))
    return empty()


async def extend_lease(call: Call) -> Answer:
    until = await call.run(leases.extend(call.host, call.places["lease"], call["ttl"]))
    return json({"until": until / 1000})


_PROBLEMS = (404, 410)

ROUTES = (
    Route(
        "POST",
        "/v1/queues/{queue}/leases",
        lease_item,
        "Lease an item",
        "leases",
        (
            Reply(
                201,
                "The item, as it is or, if asked for, in a line of JSON. It is back in its place when "
                "the lease is over and was not confirmed.",
                {RAW: schemas.BINARY, LINES: schemas.LEASED},
                (
                    *ITEM_HEADERS,
                    Header("Darnerpy-Lease", "What the lease is called.", {"type": "string"}),
                    Header(
                        "Darnerpy-Until",
                        "Until when, in seconds since the epoch.",
                        {"type": "number"},
                    ),
                    Header("Location", "Where it is confirmed.", {"type": "string"}),
                ),
            ),
            Reply(204, "There is none."),
        ),
        (_TTL, WAIT, CONSUMER_OF),
        problems=(404,),
    ),
    Route(
        "DELETE",
        "/v1/leases/{lease}",
        confirm_lease,
        "Confirm a leased item",
        "leases",
        (Reply(204, "It is done with."),),
        problems=_PROBLEMS,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/abort",
        abort_lease,
        "Give a leased item back",
        "leases",
        (Reply(204, "It is in its place again, with one attempt more."),),
        problems=_PROBLEMS,
    ),
    Route(
        "POST",
        "/v1/leases/{lease}/extend",
        extend_lease,
        "Have a lease last longer, or shorter",
        "leases",
        (
            Reply(
                200, "Until when, in seconds since the epoch.", {"application/json": schemas.UNTIL}
            ),
        ),
        (_TTL,),
        problems=_PROBLEMS,
    ),
)
