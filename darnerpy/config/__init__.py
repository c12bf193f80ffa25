"""The configuration: every option, where it is read, and what a queue or consumer goes by."""

from ..units import Address, SyncPolicy, UnixAddress
from .changes import UNTIL_RELOAD, changed
from .kinds import DROP, SYNC, text_of_name
from .options import options
from .origins import Origins
from .queue_settings import QueueRule, QueueSettings, laid_over
from .settings import Aliases, Settings, restart_needed
from .sources import load, load_document
from .unknown import check_variables
from .words import add_flags, describe, written, written_queue

__all__ = [
    "DROP",
    "SYNC",
    "UNTIL_RELOAD",
    "Address",
    "Aliases",
    "Origins",
    "QueueRule",
    "QueueSettings",
    "Settings",
    "SyncPolicy",
    "UnixAddress",
    "add_flags",
    "changed",
    "check_variables",
    "describe",
    "laid_over",
    "load",
    "load_document",
    "options",
    "restart_needed",
    "text_of_name",
    "written",
    "written_queue",
]
