"""Queues: which there are, and what is counted of each."""

from ...sessions.requests import reports
from ...sessions.requests.reports import Report
from .. import schemas
from ..answers import Answer, json
from ..call import Call
from ..declared import Parameter, Reply, Route, query
from ..kinds import GLOB, QUEUE, number
from ..wording import named, path_name, sayable

__all__ = ["ROUTES"]

_MOST = 1000


def queue_object(report: Report) -> dict[str, object]:
    return {**named(report.name), **sayable(report.stats)}


async def list_queues(call: Call) -> Answer:
    steps = reports.several(call.host, call["glob"], call["limit"], call["after"])
    page = await call.run(steps)
    after = None if page.next is None else path_name(page.next)
    return json({"queues": [queue_object(each) for each in page.reports], "next": after})


async def get_queue(call: Call) -> Answer:
    report = await call.run(reports.one(call.host, call.queue))
    consumers = [{**named(n), **sayable(stats)} for n, stats in report.consumers.items()]
    settings = {
        key: {"value": value, "from": origin} for key, (value, origin) in report.settings.items()
    }
    return json({**queue_object(report), "consumers": consumers, "settings": settings})


AFTER = Parameter(
    "after", "query", QUEUE, "Those behind this name: `next` of the answer before.", b""
)

ROUTES = (
    Route(
        "GET",
        "/v1/queues",
        list_queues,
        "List queues",
        "queues",
        (Reply(200, "Queues by name.", {"application/json": schemas.QUEUES}),),
        (
            query("glob", GLOB, "Only those whose names fit.", b""),
            query("limit", number(1, _MOST), "At most so many.", 100),
            AFTER,
        ),
        changes=False,
    ),
    Route(
        "GET",
        "/v1/queues/{queue}",
        get_queue,
        "Show a queue",
        "queues",
        (Reply(200, "What is counted of it.", {"application/json": schemas.QUEUE}),),
        problems=(404,),
        changes=False,
    ),
)
