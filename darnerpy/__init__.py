"""A persistent queue server that any memcache client can use, and the same without a server.

Owns the public names of the library and nothing else. Each is imported when it is first used, so that
`import darnerpy` costs next to nothing and a program pays for what it uses alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from . import aio
    from .errors import (
        ClosedError,
        ConfigError,
        CutOffError,
        DamagedJournalError,
        DamageError,
        DarnerError,
        DataDirError,
        DataFormatError,
        ForkedError,
        ItemTooLargeError,
        JournalError,
        JournalGoneError,
        Lagged,
        MessageTooLargeError,
        NewerFormatError,
        NoRingError,
        NotHeldError,
        PausedError,
        RingError,
        RingInUseError,
        ServerError,
    )
    from .library.consumer import Consumer
    from .library.items import Item
    from .library.queue import Queue
    from .library.queues import Queues, open
    from .library.reserved import ReservedItem
    from .queue_errors import Empty, Full
    from .ring import Ring, RingReader, RingWriter

_HOMES = {
    "errors": "ClosedError ConfigError CutOffError DamagedJournalError DamageError DarnerError DataDirError "
    "DataFormatError ForkedError ItemTooLargeError JournalError JournalGoneError Lagged "
    "MessageTooLargeError NewerFormatError NoRingError NotHeldError PausedError RingError RingInUseError "
    "ServerError",
    "library.consumer": "Consumer",
    "library.items": "Item",
    "library.queue": "Queue",
    "library.queues": "Queues open",
    "library.reserved": "ReservedItem",
    "queue_errors": "Empty Full",
    "ring": "Ring RingReader RingWriter",
}
"""In which module each name is; the imports above tell those who only check types."""

_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "__version__",
    "Queue",
    "Consumer",
    "Item",
    "ReservedItem",
    "Queues",
    "open",
    "aio",
    "Ring",
    "RingReader",
    "RingWriter",
    "DarnerError",
    "Empty",
    "Full",
    "ClosedError",
    "ConfigError",
    "CutOffError",
    "DamageError",
    "DamagedJournalError",
    "DataDirError",
    "DataFormatError",
    "ForkedError",
    "ItemTooLargeError",
    "JournalError",
    "JournalGoneError",
    "Lagged",
    "MessageTooLargeError",
    "NewerFormatError",
    "NoRingError",
    "NotHeldError",
    "PausedError",
    "RingError",
    "RingInUseError",
    "ServerError",
]


def __getattr__(name: str) -> object:
    if name == "aio":
        return import_module(".aio", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
