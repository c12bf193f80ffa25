"""The dashboard's files, as they lie in the package: pages, scripts, styles.

Owns their addresses: `/` is `index.html`, all others are under `/static/`. Each is read once, when it is
first asked for. Nothing else of the disk can be reached: what is asked for is looked up, not opened.
"""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from ..answers import Answer, empty, raw
from ..call import Call
from ..declared import Handler, Reply, Route
from ..problems import Problem

__all__ = ["ROUTES"]

_FOLDER = "pages"
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _File(NamedTuple):
    data: bytes
    media_type: bytes
    tag: bytes


@cache
def _places() -> dict[str, Traversable]:
    """Every file by its name, with that of its folder before it if it is in one."""
    found: dict[str, Traversable] = {}
    root = files(__package__.rpartition(".")[0]).joinpath(_FOLDER)
    for path in root.iterdir():
        if path.is_dir():
            found.update((f"{path.name}/{each.name}", each) for each in path.iterdir())
        else:
            found[path.name] = path
    return {name: path for name, path in found.items() if _type_of(name) is not None}


@cache
def _read(name: str) -> _File:
    data = _places()[name].read_bytes()
    media_type = _type_of(name)
    assert media_type is not None
    return _File(data, media_type, b'"%b"' % hashlib.sha256(data).hexdigest()[:32].encode())


def _type_of(name: str) -> bytes | None:
    return _TYPES.get(name[name.rfind(".") :])


async def index(call: Call) -> Answer:
    return _file(call, "index.html")


async def static(call: Call) -> Answer:
    return _file(call, call.places["file"])


async def style(call: Call) -> Answer:
    return _file(call, f"style/{call.places['file']}")


async def vendor(call: Call) -> Answer:
    return _file(call, f"vendor/{call.places['file']}")


def _file(call: Call, name: str) -> Answer:
    if name not in _places():
        raise Problem(404, f"there is no file {name}")
    file = _read(name)
    headers = [
        (b"etag", file.tag),
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", _POLICY),
    ]
    known = call.exchange.headers.get(b"if-none-match", b"").split(b",")
    if any(tag.strip().removeprefix(b"W/") in (file.tag, b"*") for tag in known):
        return empty(304, headers)
    return raw(file.data, headers, file.media_type)


def _page(path: str, handler: Handler, summary: str, problems: tuple[int, ...]) -> Route:
    return Route(
        "GET",
        path,
        handler,
        summary,
        "pages",
        (
            Reply(200, "The file.", {"*/*": {}}),
            Reply(304, "The client has it."),
        ),
        problems=problems,
        changes=False,
        token=False,
        any_query=True,
    )


ROUTES = (
    _page("/", index, "The dashboard", ()),
    _page("/static/{file}", static, "A file of the dashboard", (404,)),
    _page("/static/style/{file}", style, "How it looks", (404,)),
    _page("/static/vendor/{file}", vendor, "What others have written for it", (404,)),
)
