"""The arguments of commands that use the server's HTTP interface: where it is, and a token.

A token is never an argument, where every user of the machine could see it: it comes from a file or a
variable.
"""

import argparse
import os
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..units import Address, UnixAddress, parse_address
from .arguments import DEFAULT_SERVER, add_answer_arguments, origin_of

__all__ = [
    "DEFAULT_HTTP_SERVER",
    "WebAddress",
    "add_either_arguments",
    "add_token_argument",
    "add_web_arguments",
    "either_address",
    "of_http",
    "of_memcache",
    "read_token",
    "web_address",
    "web_default",
]

DEFAULT_HTTP_SERVER = "http://127.0.0.1:2223"

_ADDRESS = re.compile(r"(https?)://([^/?#]+)(/[^?#]*)?")
_PORTS = {"http": 80, "https": 443}
_UNIX = "http+unix:"


class WebAddress(NamedTuple):
    """secure: over TLS. prefix: of all paths, for a server behind a proxy; it ends with no slash."""

    at: Address | UnixAddress
    secure: bool = False
    prefix: str = ""

    def __str__(self) -> str:
        if isinstance(self.at, UnixAddress):
            return f"{_UNIX}{self.at.path}"
        return f"http{'s' * self.secure}://{self.at}{self.prefix}"


def web_address(text: str) -> WebAddress:
    """Read http://HOST:PORT, https too, or http+unix:/path."""
    try:
        if text.startswith(_UNIX):
            return WebAddress(parse_address(text.removeprefix("http+")))
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(text)
        scheme, host, prefix = found.groups(default="")
        if not re.search(r":[0-9]+$", host):
            host += f":{_PORTS[scheme]}"
        return WebAddress(parse_address(host), scheme == "https", prefix.rstrip("/"))
    except ValueError:
        origin = origin_of(text, "DARNERPY_HTTP_SERVER")
        raise argparse.ArgumentTypeError(
            f"{origin}http://HOST:PORT, https://HOST:PORT or {_UNIX}/path was expected: {text}"
        ) from None


def web_default() -> str:
    return os.environ.get("DARNERPY_HTTP_SERVER") or DEFAULT_HTTP_SERVER


def add_web_arguments(parser: argparse.ArgumentParser, timeout: str = "30s") -> None:
    parser.add_argument(
        "--server",
        type=web_address,
        default=web_default(),
        metavar="ADDRESS",
        help="where the server's HTTP is, http://HOST:PORT; default DARNERPY_HTTP_SERVER, then "
        + DEFAULT_HTTP_SERVER,
    )
    add_token_argument(parser)
    add_answer_arguments(parser, timeout)


def add_either_arguments(parser: argparse.ArgumentParser) -> None:
    """For a command of which a part needs HTTP; `of_http` and `of_memcache` say where it is asked."""
    parser.add_argument(
        "--server",
        type=either_address,
        metavar="ADDRESS",
        help="http://HOST:PORT, default DARNERPY_HTTP_SERVER, for what needs HTTP; HOST:PORT or "
        "unix:/path of the memcache port, default DARNERPY_SERVER, for all else",
    )
    add_token_argument(parser)
    add_answer_arguments(parser)


def of_http(args: argparse.Namespace) -> WebAddress:
    """Where HTTP is; leaves, as argparse does, if another port was given."""
    if args.server is None:
        try:
            return web_address(web_default())
        except argparse.ArgumentTypeError as error:
            args.usage_error(str(error))
    if not isinstance(args.server, WebAddress):
        args.usage_error(f"argument --server: this needs HTTP, http://HOST:PORT: {args.server}")
    found: WebAddress = args.server
    return found


def of_memcache(args: argparse.Namespace) -> Address | UnixAddress:
    """Where the memcache port is; leaves, as argparse does, if another one was given."""
    if args.server is None:
        text = os.environ.get("DARNERPY_SERVER") or DEFAULT_SERVER
        try:
            return parse_address(text)
        except ValueError:
            args.usage_error(f"DARNERPY_SERVER: HOST:PORT or unix:/path was expected: {text}")
    if isinstance(args.server, WebAddress):
        args.usage_error(f"argument --server: HOST:PORT or unix:/path was expected: {args.server}")
    found: Address | UnixAddress = args.server
    return found


def either_address(text: str) -> WebAddress | Address | UnixAddress:
    """Read the address of either port."""
    if text.startswith("http"):
        return web_address(text)
    try:
        return parse_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"http://HOST:PORT, HOST:PORT or unix:/path was expected: {text}"
        ) from None


def add_token_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a file with a token in its first line, for a server that wants one; default the token in "
        "DARNERPY_TOKEN, then the file DARNERPY_HTTP_TOKEN_FILE",
    )


def read_token(args: argparse.Namespace) -> str:
    """The token to show; "" if there is none. Raises `ConfigError` for a file that has none."""
    path = args.token_file
    if path is None and (token := os.environ.get("DARNERPY_TOKEN")):
        return _checked(token.strip(), "DARNERPY_TOKEN")
    file = path or os.environ.get("DARNERPY_HTTP_TOKEN_FILE")
    if not file or file == "off":
        return ""
    lines = [line.strip() for line in Path(file).read_text(errors="replace").splitlines()]
    # As the server reads them: one a line, and remarks.
    tokens = [line for line in lines if line and not line.startswith("#")]
    return _checked(tokens[0] if tokens else "", str(file))


def _checked(token: str, origin: str) -> str:
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(f"{origin}: a token was expected, of printable ASCII without blanks")
    return token
