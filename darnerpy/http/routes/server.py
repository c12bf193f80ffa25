"""The server itself: what it is, how it stands, and what may be done to it over HTTP."""

import os

from ...version import __version__
from ..answers import Answer, json
from ..call import Call
from ..declared import Reply, Route
from ..schemas import SERVER

__all__ = ["ROUTES"]


async def get_server(call: Call) -> Answer:
    host, settings = call.host, call.host.settings
    now = host.clock.monotonic_ms()
    return json(
        {
            "version": __version__,
            "pid": os.getpid(),
            "uptime": (now - host.counters.started) // 1000,
            "status": str(host.guard.status),
            "listen": [str(address) for address in settings.listen],
            "http": [str(address) for address in settings.http_addresses],
            "read_only": settings.http_read_only,
            "get_consumes": settings.http_get_consumes,
        }
    )


ROUTES = (
    Route(
        "GET",
        "/v1/server",
        get_server,
        "Show the server",
        "monitoring",
        (Reply(200, "What it is, and how it stands.", {"application/json": SERVER}),),
        changes=False,
    ),
)
