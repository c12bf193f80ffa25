"""What people write for times, sizes and addresses, what the program makes of it, and how it counts.

Each reader takes text, or the value a TOML file holds, and raises ValueError on anything it does
not know by its exact spelling; the words of the complaint are the caller's.
"""

import re
from dataclasses import dataclass

_DURATION_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MOST = 999_999_999
_SIZE_BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

LONGEST_MS = _MOST * _DURATION_MS["d"]
"""No text says a longer duration: 2.7 million years."""


@dataclass(frozen=True)
class Address:
    """A TCP address. `host` is a name or an IP address without brackets; port 0 means any."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class UnixAddress:
    """The path of a Unix domain socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


def is_loopback(address: Address | UnixAddress) -> bool:
    """Whether only this machine reaches it. A name other than localhost may be that of any."""
    if isinstance(address, UnixAddress):
        return True
    host = address.host.lower()
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host) is not None


@dataclass(frozen=True)
class SyncPolicy:
    """When what was written is forced to disk.

    `always`: before the reply. Otherwise `interval_ms` after the write at the latest, or, when
    that is None, whenever the operating system sees fit.
    """

    always: bool
    interval_ms: int | None = None


def counted(number: int, noun: str) -> str:
    """`1 item`, `2,000 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def parse_duration(value: object) -> int:
    """Return the milliseconds in a text such as `500ms` or `7d`; raise ValueError on others."""
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", text_of(value))
    if not match:
        raise ValueError(value)
    return int(match[1]) * _DURATION_MS[match[2]]


def parse_size(value: object) -> int:
    """Return the bytes in a text such as `512` or `64KiB`, or in a plain int; else ValueError."""
    if type(value) is int and 0 <= value < 10**15:
        return value
    match = re.fullmatch(r"([0-9]{1,15})(|KiB|MiB|GiB)", text_of(value))
    if not match:
        raise ValueError(value)
    return int(match[1]) * _SIZE_BYTES[match[2]]


def write_duration(milliseconds: int) -> str:
    """Return the text that `parse_duration` reads as this many milliseconds."""
    unit, per = [(unit, per) for unit, per in _DURATION_MS.items() if milliseconds % per == 0][-1]
    return f"{milliseconds // per}{unit}" if milliseconds else "0s"


def write_at_least(milliseconds: int) -> str:
    """Return a text that `parse_duration` reads, of the finest unit that can say so long or a little more.

    Nothing says more than `LONGEST_MS`.
    """
    said = min(milliseconds, LONGEST_MS)
    unit, per = next(each for each in _DURATION_MS.items() if said <= _MOST * each[1])
    return f"{-(-said // per)}{unit}"


def write_size(size: int) -> str:
    """Return the text that `parse_size` reads as this many bytes."""
    unit, per = [(unit, per) for unit, per in _SIZE_BYTES.items() if size % per == 0][-1]
    return f"{size // per}{unit}" if size else "0"


def parse_address(value: object) -> Address | UnixAddress:
    """Read `HOST:PORT`, `[IPv6]:PORT` or `unix:/path`; raise ValueError on others."""
    text = text_of(value)
    if text.startswith("unix:"):
        if text == "unix:" or re.search(r"[,\0\n]", text):
            raise ValueError(value)
        return UnixAddress(text.removeprefix("unix:"))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:,\[\]/\s]+)):([0-9]{1,5})", text)
    if not match or int(match[3]) > 65535:
        raise ValueError(value)
    return Address(match[1] or match[2], int(match[3]))


def text_of(value: object) -> str:
    """Return the value if it is text, and raise ValueError if not."""
    if not isinstance(value, str):
        raise ValueError(value)
    return value
