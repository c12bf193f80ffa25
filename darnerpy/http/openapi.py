"""What can be asked over HTTP, for machines: OpenAPI 3.1, made of the routes as they are declared.

Owns the form. What all answers have in common (problems, a date) is said once. The pages are not in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..version import __version__
from .declared import Header, Parameter, Reply, Route
from .kinds import CONSUMER, QUEUE
from .problems import MEDIA_TYPE, title
from .schemas import object_of

__all__ = ["document"]

Json = dict[str, Any]

_ABOUT = """\
The same queues as on the memcache port. Names are percent-encoded bytes. Durations have their unit:
`500ms`, `30s`, `2h`. Unknown parameters are refused, and so is a body where none is taken. Every answer of
400 and above is a problem document, whose `detail` says what was wrong.

What is at `/v1/queues/{queue}` is at `/v1/queue`, too, where the name of the queue is the parameter
`queue`: for names that a browser or a proxy would take for something else, such as `..`."""

_TAGS = {
    "queues": "Queues, and what is counted of them.",
    "items": "Items: put, taken, looked at.",
    "leases": "Reliable reads of clients that need not stay connected.",
    "consumers": "Named consumers: each gets all items of a queue.",
    "acts": "What is done to a queue as a whole; each is a line of the log.",
    "dqid": "The endpoints of dqid.",
    "monitoring": "What machines look at all the time.",
}

_PROBLEM = object_of(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people: what was wrong."},
    }
)

_HELP = {
    400: "It cannot be done, or is not understood.",
    401: "A token is needed, and one that the server knows.",
    403: "A page from elsewhere has asked, or HTTP is read-only.",
    404: "There is no such queue, consumer or lease.",
    406: "Several items are answered in lines only.",
    408: "The request did not come whole in time.",
    409: "It is there, and was made another way.",
    410: "The lease is over.",
    413: "It is larger than the queue ever allows.",
    414: "The address is too long.",
    415: "The body is encoded, which is not undone here.",
    421: "The host is none of those that are known.",
    429: "The queue is full.",
    431: "The head of the request is too large.",
    500: "The server has made a mistake.",
    503: "Paused, read-only, quiescent, or the queue cannot be used for now.",
    507: "There is not enough disk left.",
}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer."}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}

_PLACES = {"queue": (QUEUE, "The queue."), "consumer": (CONSUMER, "The consumer.")}


def document(routes: Iterable[Route]) -> Json:
    paths: dict[str, Json] = {}
    for route in routes:
        if route.tag in _TAGS:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "darnerpy",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": help} for name, help in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "responses": {f"{status}": _problem(status) for status in _HELP},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "If the server has http_token_file.",
                }
            },
        },
    }


def _operation(route: Route) -> Json:
    places = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    said: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*map(_place, places), *map(_parameter, route.parameters)],
        "responses": _responses(route),
        "security": [{"token": []}, {}] if route.token else [],
    }
    if route.description:
        said["description"] = route.description
    if route.body is not None:
        said["requestBody"] = {
            "description": route.body.help or "The item.",
            "content": _content(route.body.content),
            "required": route.body.required,
        }
    return said


def _place(name: str) -> Json:
    kind, help = _PLACES.get(name, (None, f"The {name}."))
    schema = {"type": "string", "minLength": 1} if kind is None else kind.schema
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": help}


def _parameter(parameter: Parameter) -> Json:
    kind = parameter.kind
    said: Json = {
        "name": parameter.name,
        "in": parameter.where,
        "schema": dict(kind.schema),
        "description": f"{parameter.help} Takes {kind.expected}.",
    }
    if parameter.required:
        said["required"] = True
    return said


def _responses(route: Route) -> Json:
    said = {str(reply.status): _reply(reply) for reply in route.replies}
    for status in sorted({*_common(route), *route.problems}):
        said.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return said


def _common(route: Route) -> set[int]:
    """The problems that a route has whatever it does."""
    found = {400, 408, 414, 431, 500, 503}
    found |= {421} if route.hosts else set()
    found |= {401} if route.token else set()
    found |= {415} if route.body is not None else set()
    return found | ({403} if route.changes else set())


def _reply(reply: Reply) -> Json:
    said: Json = {"description": reply.help}
    if reply.content:
        said["content"] = _content(reply.content)
    if reply.headers:
        said["headers"] = {header.name: _header(header) for header in reply.headers}
    return said


def _header(header: Header) -> Json:
    return {"schema": dict(header.schema), "description": header.help}


def _content(content: Mapping[str, Mapping[str, Any]]) -> Json:
    return {media_type: {"schema": dict(schema)} for media_type, schema in content.items()}


def _problem(status: int) -> Json:
    content = {MEDIA_TYPE.decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said: Json = {"description": f"{title(status)}. {_HELP[status]}", "content": content}
    if status in _HEADERS:
        said["headers"] = _HEADERS[status]
    return said
