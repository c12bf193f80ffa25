"""What arguments may be, by the same grammar as the server's, and those that many commands share.

Each reader takes the text of an argument and gives its value; of what cannot be, argparse names the
argument and this the words for what was expected.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from ..errors import ClientError
from ..names import BACKUP_NAME, is_backup_name, split
from ..units import Address, UnixAddress, parse_address, parse_duration, write_duration

__all__ = [
    "DEFAULT_SERVER",
    "MAX_WAIT_MS",
    "add_answer_arguments",
    "add_connection_arguments",
    "add_data_argument",
    "add_server_argument",
    "backup_name",
    "count",
    "data_directory",
    "duration",
    "number",
    "origin_of",
    "plain_queue_name",
    "queue_name",
]

DEFAULT_SERVER = "127.0.0.1:22133"
MAX_WAIT_MS = 24 * 86_400_000
"""The longest wait in whole days that the protocol can say."""

_TIMEOUT = "30s"


def add_server_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        type=_server,
        default=os.environ.get("DARNERPY_SERVER") or DEFAULT_SERVER,
        metavar="ADDRESS",
        help="HOST:PORT or unix:/path; default DARNERPY_SERVER, then " + DEFAULT_SERVER,
    )


def add_connection_arguments(parser: argparse.ArgumentParser, timeout: str = _TIMEOUT) -> None:
    add_server_argument(parser)
    add_answer_arguments(parser, timeout)


def add_answer_arguments(parser: argparse.ArgumentParser, timeout: str = _TIMEOUT) -> None:
    """How long an answer may take, and the form it is printed in."""
    parser.add_argument(
        "--timeout",
        type=duration(least_ms=1, most_ms=MAX_WAIT_MS),
        default=timeout,
        metavar="DURATION",
        help=f"give up when the server does not answer for this long; default {timeout}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def origin_of(text: str, variable: str) -> str:
    """What begins a complaint about an argument: the variable, if that gave what the argument did not."""
    return f"{variable}: " if text == os.environ.get(variable) else ""


def data_directory() -> Path:
    return Path(os.environ.get("DARNERPY_DATA") or "data")


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=data_directory(),
        metavar="DIR",
        help="the data directory, default DARNERPY_DATA, then data; no server may have it open",
    )


def queue_name(text: str) -> bytes:
    """QUEUE or QUEUE+CONSUMER. Options such as /open are no part of a name."""
    name = os.fsencode(text)
    try:
        split(name)
    except ClientError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def plain_queue_name(text: str) -> bytes:
    """QUEUE, and no consumer of one."""
    name = queue_name(text)
    if split(name)[1]:
        raise argparse.ArgumentTypeError(f"a queue was expected, not a consumer of one: {text}")
    return name


def backup_name(text: str) -> bytes:
    if not is_backup_name(text):
        raise argparse.ArgumentTypeError(f"{BACKUP_NAME} was expected: {text}")
    return text.encode()


def duration(least_ms: int = 0, most_ms: int | None = None) -> Callable[[str], int]:
    """A reader of durations, into milliseconds."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit():
            raise argparse.ArgumentTypeError(f"{text} what? say {text}s")
        try:
            milliseconds = parse_duration(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"a duration such as 500ms, 10s or 7d was expected: {text}"
            ) from None
        if milliseconds < least_ms:
            raise argparse.ArgumentTypeError(
                f"at least {write_duration(least_ms)} was expected: {text}"
            )
        if most_ms is not None and milliseconds > most_ms:
            raise argparse.ArgumentTypeError(
                f"at most {write_duration(most_ms)} was expected: {text}"
            )
        return milliseconds

    return read


def number(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"a number from {least} to {most} was expected: {text}")

    return read


def count(text: str) -> int:
    """A number of things, of which there is at least one."""
    return number(1, 2**31 - 1)(text)


def _server(text: str) -> Address | UnixAddress:
    try:
        return parse_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{origin_of(text, 'DARNERPY_SERVER')}HOST:PORT, [IPv6]:PORT or unix:/path was expected: {text}"
        ) from None
