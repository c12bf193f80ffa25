"""What a route is: declared once, and known by it to the router, to the guard and to OpenAPI.

Owns the form of such a declaration. Who does not say otherwise is guarded in every respect.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer
from .call import Call
from .kinds import Kind

__all__ = ["Body", "Handler", "Header", "Parameter", "Reply", "Route", "header", "query"]

Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Parameter:
    """What can be said in the query (`where`), or in a header of the request."""

    name: str
    where: str
    kind: Kind[Any]
    help: str
    default: Any = None
    required: bool = False


def query(name: str, kind: Kind[Any], help: str, default: Any = None) -> Parameter:
    return Parameter(name, "query", kind, help, default)


def header(name: str, kind: Kind[Any], help: str, default: Any = None) -> Parameter:
    return Parameter(name, "header", kind, help, default)


@dataclass(frozen=True)
class Header:
    """Of an answer."""

    name: str
    help: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Body:
    """What a request has for a body: the schema of each media type that it may be of."""

    content: Mapping[str, Mapping[str, Any]]
    help: str = ""
    required: bool = True


@dataclass(frozen=True)
class Reply:
    """An answer that can be had. content: the schema of each media type; none if it has no body."""

    status: int
    help: str
    content: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True)
class Route:
    """path: with `{queue}`, `{consumer}` or the like for what may be anything.

    changes: it takes, puts or changes something, so foreign pages may not ask for it, nor may anybody if
    HTTP is read-only. token, hosts: whether a token and a known host are asked for.
    any_query: what is in the query is not looked at, since others put something there, too.
    problems: those statuses it has beside the ones that all have.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    replies: tuple[Reply, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[int, ...] = ()
    changes: bool = True
    token: bool = True
    hosts: bool = True
    any_query: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """Unique among all."""
        return self.handler.__name__
