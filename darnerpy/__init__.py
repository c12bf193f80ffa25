"""A persistent queue server that any memcache client can use, and the same without a server.

Owns the public names of the library and nothing else. Each is imported when it is first used, so that
`import darnerpy` costs next to nothing and a program pays for what it uses alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .errors import (
        ClosedError,
        DamageError,
        DarnerError,
        ForkedError,
        Lagged,
        MessageTooLargeError,
        NoRingError,
        RingError,
        RingInUseError,
    )
    from .queue_errors import Empty, Full
    from .ring import Ring, RingReader, RingWriter

_HOMES = {
    "errors": "ClosedError DamageError DarnerError ForkedError Lagged MessageTooLargeError NoRingError "
    "RingError RingInUseError",
    "queue_errors": "Empty Full",
    "ring": "Ring RingReader RingWriter",
}
"""In which module each name is; the imports above tell those who only check types."""

_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "__version__",
    "Ring",
    "RingReader",
    "RingWriter",
    "DarnerError",
    "ClosedError",
    "DamageError",
    "Empty",
    "ForkedError",
    "Full",
    "Lagged",
    "MessageTooLargeError",
    "NoRingError",
    "RingError",
    "RingInUseError",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
