"""The log on standard error: whatever the process has to say goes there, and nowhere else.

Puts together what a line looks like and the thread that writes it. Uncaught errors, warnings and what
libraries log go the same way as the server's own lines. A line with a `peer` is one that clients can
cause at will: of each such kind only some a second are written, but for debug.
"""

import logging
import sys
import threading
from types import TracebackType

from .log_lines import JsonFormatter, TextFormatter
from .log_writer import LogWriter

__all__ = ["Log", "start_logging"]

_STDERR = 2
_FORMATTERS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}

log = logging.getLogger("darnerpy.log")


def start_logging(level: str, form: str) -> "Log":
    """level: debug, info, warning or error. form: text or json."""
    started = Log()
    started.configure(level, form)
    logging.getLogger().handlers[:] = [started]
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = threading.excepthook = _uncaught_elsewhere
    return started


class Log(logging.Handler):
    """Hands lines to the thread that writes them."""

    def __init__(self) -> None:
        super().__init__()
        self._writer = LogWriter(_STDERR, self._say)

    @property
    def lost(self) -> int:
        """Lines that could not be written, since the start."""
        return self._writer.lost

    def configure(self, level: str, form: str) -> None:
        self.setFormatter(_FORMATTERS[form]())
        logging.getLogger("darnerpy").setLevel(level.upper())

    def handle(self, record: logging.LogRecord) -> bool:
        # Without a handler's lock: the writer has one, and an error that nobody caught may come
        # to be logged by whoever holds it.
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._is_wanted(record):
                self._writer.put(self.format(record))
        except Exception as error:  # a line that cannot be made must not end what it tells of
            self._writer.put(self._say(f"a log line could not be made: {error!r}"))

    def stop(self, timeout_s: float) -> None:
        """Write what there still is, for at most so long. What comes after it goes Python's way."""
        logging.getLogger().removeHandler(self)
        logging.captureWarnings(False)
        sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
        threading.excepthook = threading.__excepthook__
        self._writer.close(timeout_s)

    def _is_wanted(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG or not hasattr(record, "peer"):
            return True
        kind = str(record.msg).partition(": %")[0]
        return self._writer.admits(kind, record.created)

    def _say(self, text: str) -> str:
        return self.format(log.makeRecord(log.name, logging.WARNING, "", 0, text, (), None))


def _uncaught(
    kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> None:
    if error is not None and not isinstance(error, SystemExit):
        log.error("an error that nobody caught", exc_info=(type(error), error, trace))


def _uncaught_elsewhere(args: "sys.UnraisableHookArgs | threading.ExceptHookArgs") -> None:
    """In a thread, or where Python cannot raise it."""
    _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
