"""What one event looks like in the log: a line of text, or a JSON object on a line.

Both hold the same: time, level, what happened, then what it concerns, by key. Promises that a line is
one line of printable UTF-8 whatever clients called their queues: names are shown as their text, and
bytes and characters that are no text as escapes.
"""

import json
import logging
from datetime import UTC, datetime

__all__ = ["JsonFormatter", "TextFormatter"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONE_BYTES = range(0xDC80, 0xDD00)


class TextFormatter(logging.Formatter):
    """2026-11-26T10:00:00.000Z info what happened key=value …"""

    def format(self, record: logging.LogRecord) -> str:
        parts = [_time(record), record.levelname.lower(), printable(record.getMessage())]
        parts += [f"{key}={_word(value)}" for key, value in _about(record).items()]
        if record.exc_info:
            parts.append(f"trace={self.formatException(record.exc_info)!r}")
        return " ".join(parts)


class JsonFormatter(logging.Formatter):
    """{"time": …, "level": …, "message": …, key: value …}"""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": printable(record.getMessage()),
        }
        for key, value in _about(record).items():
            line[key] = value if isinstance(value, int | float) else _text(value)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def printable(text: str) -> str:
    """The text, with an escape for each character that could disturb a terminal or a line."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code in _LONE_BYTES:  # how Python holds a byte of a name that is no UTF-8
        return f"\\x{code & 0xFF:02x}"
    return character.encode("unicode_escape").decode()


def _about(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _text(value: object) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return printable(text)


def _word(value: object) -> str:
    """What stands behind a key: quoted when it would not be told from what follows."""
    text = _text(value)
    if text and not any(c.isspace() for c in text):
        return text
    quoted = text.replace("'", "\\'")
    return f"'{quoted}'"


def _time(record: logging.LogRecord) -> str:
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return when.replace("+00:00", "Z")
