"""What can be asked, for machines."""

from collections.abc import Sequence
from functools import cache

import msgspec

from ..answers import Answer, raw
from ..call import Call
from ..declared import Reply, Route
from ..openapi import document

__all__ = ["about"]

_JSON = "application/json"


def about(routes: Sequence[Route]) -> Route:
    """The route that tells about these, and itself."""

    @cache
    def text() -> bytes:
        return msgspec.json.format(msgspec.json.encode(document([*routes, route])), indent=2)

    async def describe(call: Call) -> Answer:
        return raw(text(), [], _JSON.encode())

    route = Route(
        "GET",
        "/openapi.json",
        describe,
        "Describe all this",
        "monitoring",
        (Reply(200, "OpenAPI 3.1.", {_JSON: {"type": "object"}}),),
        changes=False,
    )
    return route
