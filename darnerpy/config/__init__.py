"""The configuration: every option, where it is read, and what a queue or consumer goes by."""

from ..units import Address, SyncPolicy, UnixAddress
from .kinds import DROP
from .options import options
from .settings import Aliases, QueueRule, QueueSettings, Settings, restart_needed
from .sources import load
from .words import add_flags, describe, written, written_queue

__all__ = [
    "DROP",
    "Address",
    "Aliases",
    "QueueRule",
    "QueueSettings",
    "Settings",
    "SyncPolicy",
    "UnixAddress",
    "add_flags",
    "describe",
    "load",
    "options",
    "restart_needed",
    "written",
    "written_queue",
]
