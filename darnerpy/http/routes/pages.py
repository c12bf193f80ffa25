"""The dashboard's files, as they lie in the package: pages, scripts, styles.

Owns their addresses: `/` is `index.html`, all others are under `/static/`. They are read once, when the first
of them is asked for. Nothing else of the disk can be reached: what is asked for is looked up, not opened.
"""

import hashlib
from functools import cache
from importlib.resources import files
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
def _every_file() -> dict[str, _File]:
    found = {}
    for path in files(__package__.rpartition(".")[0]).joinpath(_FOLDER).iterdir():
        media_type = _TYPES.get(path.name[path.name.rfind(".") :])
        if media_type is not None:
            data = path.read_bytes()
            tag = b'"%b"' % hashlib.sha256(data).hexdigest()[:32].encode()
            found[path.name] = _File(data, media_type, tag)
    return found


async def index(call: Call) -> Answer:
    return _file(call, "index.html")


async def static(call: Call) -> Answer:
    return _file(call, call.places["file"])


def _file(call: Call, name: str) -> Answer:
    file = _every_file().get(name)
    if file is None:
        raise Problem(404, f"there is no file {name}")
    headers = [
        (b"etag", file.tag),
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", _POLICY),
    ]
    if call.exchange.headers.get(b"if-none-match") == file.tag:
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
    )


ROUTES = (
    _page("/", index, "The dashboard", ()),
    _page("/static/{file}", static, "A file of the dashboard", (404,)),
)
