"""What the library logs where the program has set up no logging: on standard error, as Python does it.

Owns that such a line names the queue, which other handlers find in the record.
"""

import logging
from copy import copy

from .arguments import text_of_queue

__all__ = ["name_queues"]


class _Naming(logging.Handler):
    """Does nothing where there is any other handler."""

    def emit(self, record: logging.LogRecord) -> None:
        last = logging.lastResort
        if last is None or record.levelno < last.level or self._has_company(record.name):
            return
        told = copy(record)
        told.msg, told.args = record.getMessage(), None
        queue: bytes | None = getattr(record, "queue", None)
        if queue is not None:
            told.msg = f"queue {text_of_queue(queue)!r}: {told.msg}"
        path: object = getattr(record, "path", None)
        if path is not None:
            told.msg = f"{path}: {told.msg}"
        last.handle(told)

    def _has_company(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            if any(each is not self for each in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


def name_queues() -> None:
    """From now on; called once."""
    logging.getLogger("darnerpy").addHandler(_Naming())
