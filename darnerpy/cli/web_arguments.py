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
from .arguments import MAX_WAIT_MS, duration

__all__ = [
    "DEFAULT_HTTP_SERVER",
    "WebAddress",
    "add_token_argument",
    "add_web_arguments",
    "read_token",
    "web_address",
    "web_default",
]

DEFAULT_HTTP_SERVER = "http://127.0.0.1:2223"

_TIMEOUT = "30s"
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
        raise argparse.ArgumentTypeError(
            f"http://HOST:PORT, https://HOST:PORT or {_UNIX}/path was expected: {text}"
        ) from None


def web_default() -> str:
    return os.environ.get("DARNERPY_HTTP_SERVER") or DEFAULT_HTTP_SERVER


def add_web_arguments(parser: argparse.ArgumentParser, timeout: str = _TIMEOUT) -> None:
    parser.add_argument(
        "--server",
        type=web_address,
        default=web_default(),
        metavar="ADDRESS",
        help="where the server's HTTP is, http://HOST:PORT; default DARNERPY_HTTP_SERVER, then "
        + DEFAULT_HTTP_SERVER,
    )
    add_token_argument(parser)
    parser.add_argument(
        "--timeout",
        type=duration(least_ms=1, most_ms=MAX_WAIT_MS),
        default=timeout,
        metavar="DURATION",
        help=f"give up when the server does not answer for this long; default {timeout}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


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
