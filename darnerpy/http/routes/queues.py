"""Queues: which there are, and what is counted of each."""

import asyncio

import msgspec

from ...sessions.pace import Pace
from ...sessions.requests import deletes, reports, settings
from ...sessions.requests.reports import Report
from .. import schemas
from ..answers import Answer, empty, json
from ..call import Call
from ..declared import Body, Parameter, Reply, Route, query
from ..kinds import GLOB, QUEUE, number
from ..objects import Reader
from ..wording import named, path_name, sayable

__all__ = ["ROUTES"]

_MOST = 1000
_encode = msgspec.json.Encoder().encode
_VALUES = Reader(dict[str, object], {})
_UNTIL = "the next reload or restart"


def queue_object(report: Report) -> dict[str, object]:
    return {**named(report.name), **sayable(report.stats)}


async def list_queues(call: Call) -> Answer:
    steps = reports.several(call.host, call["glob"], call["limit"], call["after"])
    page = await call.run(steps)
    pace = Pace()
    queues: list[msgspec.Raw] = []
    for each in page.reports:
        queues.append(msgspec.Raw(_encode(queue_object(each))))
        if pace.is_over():
            await asyncio.sleep(0)
    after = None if page.next is None else path_name(page.next)
    return json({"queues": queues, "next": after})


async def get_queue(call: Call) -> Answer:
    report = await call.run(reports.one(call.host, call.queue))
    consumers = [{**named(n), **sayable(stats)} for n, stats in report.consumers.items()]
    said = {**queue_object(report), "consumers": consumers, "settings": _settings(report)}
    return json(said)


def _settings(report: Report) -> dict[str, object]:
    return {
        key: sayable({"value": value, "from": origin})
        for key, (value, origin) in report.settings.items()
    }


async def delete_queue(call: Call) -> Answer:
    await call.run(deletes.delete_queue(call.host, call.exchange.who, call.queue))
    return empty()


async def change_settings(call: Call) -> Answer:
    values = await call.json(_VALUES)
    who = call.exchange.who
    await call.run(settings.change_settings(call.host, who, call.queue, values))
    report = await call.run(reports.one(call.host, call.queue))
    return json({**named(report.name), "settings": _settings(report), "until": _UNTIL})


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
    Route(
        "DELETE",
        "/v1/queues/{queue}",
        delete_queue,
        "Delete a queue",
        "queues",
        (Reply(204, "It is gone, with all that it held."),),
        problems=(404,),
    ),
    Route(
        "PATCH",
        "/v1/queues/{queue}/settings",
        change_settings,
        "Change settings of a queue",
        "queues",
        (Reply(200, "What holds for it now.", {"application/json": schemas.CHANGED}),),
        body=Body({"application/json": schemas.CHANGES}, "Values as in the configuration file."),
        problems=(404, 413),
        description="Until the next reload or restart: what is to last belongs into the file.",
    ),
)
