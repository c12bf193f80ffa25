"""Which route is asked for, by method and path, and with which parameters.

Owns the tree of paths. A path is taken apart as it was sent, percent-encoded, so that a name may hold
anything; nothing is normalised, and a slash at the end makes another path. Browsers and proxies do
normalise, and take `.` and `..` away however they are encoded: so each path under a queue can also be
had without it, under `/v1/queue`, with the name in `?queue=`, and its consumers at `/v1/queue/consumer`, with
theirs in `?consumer=`, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import ClientError
from .call import pairs, place
from .declared import Parameter, Route
from .exchange import Exchange
from .kinds import CONSUMER, QUEUE, Kind
from .problems import Problem

__all__ = ["Found", "Router", "parameters_of", "check_body"]

_UNDER_A_QUEUE = "/v1/queues/{queue}"
_WITHOUT_IT = "/v1/queue"
_A_CONSUMER = "/consumers/{consumer}"
_WITHOUT_BOTH = "/v1/queue/consumer"
_KINDS: dict[str, Kind[bytes]] = {"queue": QUEUE, "consumer": CONSUMER}
_OURS = b"darnerpy-"


class Found(NamedTuple):
    route: Route
    places: Mapping[str, Any]
    named: tuple[str, ...]
    """What is named in the query instead of the path."""


class _Node:
    __slots__ = ("any", "children", "name", "named", "routes")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.any: _Node | None = None
        self.name = ""
        self.named: tuple[str, ...] = ()
        self.routes: dict[str, Route] = {}


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in self.routes:
            self._add(route, route.path)
            if not route.path.startswith(_UNDER_A_QUEUE):
                continue
            under = route.path.removeprefix(_UNDER_A_QUEUE)
            self._add(route, _WITHOUT_IT + under, "queue")
            if under == _A_CONSUMER:
                self._add(route, _WITHOUT_BOTH, "queue", "consumer")

    def _add(self, route: Route, path: str, *named: str) -> None:
        node = self._root
        for part in path.split("/")[1:]:
            if part.startswith("{"):
                if node.any is None:
                    node.any = _Node()
                node.any.name = part[1:-1]
                node = node.any
            else:
                node = node.children.setdefault(part.encode(), _Node())
        node.named = named
        node.routes[route.method] = route
        if route.method == "GET" and not route.changes:
            node.routes.setdefault("HEAD", route)

    def find(self, exchange: Exchange) -> Found:
        """Raises `Problem`: 404 if there is no such path, 405 if it has not that method."""
        node = self._root
        parts: list[tuple[str, bytes]] = []
        for part in exchange.path.split(b"/")[1:]:
            child = node.children.get(part)
            if child is None:
                child = node.any
                if child is None:
                    raise _nothing(exchange.path)
                parts.append((child.name, part))
            node = child
        if not node.routes:
            raise _nothing(exchange.path)
        route = node.routes.get(exchange.method)
        if route is None:
            allowed = ", ".join(sorted(node.routes))
            raise Problem(
                405,
                f"{exchange.method} is not possible here, but {allowed}",
                ((b"allow", allowed.encode()),),
            )
        return Found(route, {name: place(name, text) for name, text in parts}, node.named)


def _nothing(path: bytes) -> Problem:
    return Problem(404, f"there is nothing at {path.decode('ascii', 'backslashreplace')}")


async def check_body(found: Found, exchange: Exchange) -> None:
    """Raises `Problem` 400 if there is a body where the route has none: whoever sends one means something by
    it, such as that not all items are to go. And 415 for one that is encoded: nobody would be told so who is
    given the item.
    """
    if found.route.body is not None:
        encoding = exchange.headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"", b"identity"):
            shown = encoding.decode("latin-1")
            raise Problem(
                415, f"Content-Encoding: {shown} is not decoded here: send the body without"
            )
    elif await exchange.has_body():
        names = _listed(_in_query(found))
        where = f": parameters belong in the address; known are {names}"
        raise Problem(400, f"this takes no body{where if names else ', and no parameters'}")


def _in_query(found: Found) -> dict[bytes, Parameter]:
    known = {each.name.encode(): each for each in found.route.parameters if each.where == "query"}
    for each in found.named:
        known[each.encode()] = Parameter(each, "query", _KINDS[each], "", required=True)
    return known


def parameters_of(found: Found, exchange: Exchange) -> tuple[dict[str, Any], dict[str, Any]]:
    """The places and the parameters of a route, as values. Raises `Problem` 400 for others."""
    route, places = found.route, dict(found.places)
    given = {each.name: each.default for each in route.parameters}
    known = _in_query(found)
    seen: set[bytes] = set()
    for name, value in () if route.any_query else pairs(exchange.query):
        parameter = known.get(name)
        if parameter is None:
            raise Problem(400, _unknown(name, known, route))
        if name in seen:
            raise Problem(400, f"the parameter {parameter.name} is given twice")
        seen.add(name)
        given[parameter.name] = _value(parameter, value)
    for parameter in known.values():
        if parameter.required and parameter.name.encode() not in seen:
            raise Problem(400, f"the parameter {parameter.name} is missing")
    for each in found.named:
        places[each] = given.pop(each)
    _read_headers(route, exchange, given)
    return places, given


def _read_headers(route: Route, exchange: Exchange, given: dict[str, Any]) -> None:
    known = {
        each.name.lower().encode(): each for each in route.parameters if each.where == "header"
    }
    for name, value in exchange.headers.items():
        parameter = known.get(name)
        if parameter is not None:
            given[parameter.name] = _value(parameter, value.strip())
        elif name.startswith(_OURS):
            raise Problem(400, f"the header {name.decode('latin-1')} means nothing here")


def _value(parameter: Parameter, value: bytes) -> Any:
    try:
        return parameter.kind.parse(value)
    except ClientError as error:
        raise Problem(400, f"{parameter.name}: {error}") from None
    except ValueError:
        shown = value.decode("utf-8", "backslashreplace")
        expected = parameter.kind.expected
        raise Problem(400, f"{parameter.name}: expected {expected}, not {shown!r}") from None


def _unknown(name: bytes, known: Iterable[bytes], route: Route) -> str:
    shown = name.decode("utf-8", "backslashreplace")
    as_header = f"darnerpy-{shown}".lower()
    for each in route.parameters:
        if each.where == "header" and each.name.lower() == as_header:
            return f"the parameter {shown} is unknown here: it is the header {each.name}"
    names = _listed(known)
    rest = f"; known are {names}" if names else ": there are no parameters"
    return f"the parameter {shown} is unknown here{rest}"


def _listed(names: Iterable[bytes]) -> str:
    return ", ".join(each.decode() for each in names)
