"""Logs to stderr, one event a line: time, level, what happened, then key=value."""

import logging
import sys
from datetime import UTC, datetime

__all__ = ["LineFormatter", "set_log_level", "start_logging"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        parts = [when.replace("+00:00", "Z"), record.levelname.lower(), record.getMessage()]
        for key, value in vars(record).items():
            if key not in _STANDARD:
                parts.append(f"{key}={_show(value)}")
        if record.exc_info:
            parts.append(f"trace={self.formatException(record.exc_info)!r}")
        return " ".join(" ".join(part.split("\n")) for part in parts)


def _show(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return repr(text) if not text or any(c.isspace() or not c.isprintable() for c in text) else text


def start_logging(level: str) -> None:
    """level: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("darnerpy")
    logger.handlers[:] = [handler]
    logger.propagate = False
    set_log_level(level)


def set_log_level(level: str) -> None:
    logging.getLogger("darnerpy").setLevel(level.upper())
