"""Where each value comes from: the line of the file, the variable or the flag that gave it.

For people to read: `sources` decides which of them wins, and in the same order.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from .kinds import text_of_name
from .options import options
from .queue_settings import QueueRule, QueueSettings
from .settings import Settings

__all__ = ["Origins"]

_HEADER = re.compile(r"\s*\[([^\[\]].*)\]\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w.\s-]|"[^"]*"|'[^']*')+?)\s*=""")
_DEFAULTS = QueueSettings()
_Path = tuple[str, ...]


class Origins:
    """config_path: of a file that `load` has accepted, as have been the others."""

    def __init__(
        self, config_path: str | None, environ: Mapping[str, str], flags: Mapping[str, object]
    ) -> None:
        self._config_path = config_path
        self._outside: dict[str, str] = {}
        for kind in Settings, QueueSettings:
            for name, each in options(kind).items():
                if not each.table_only and environ.get(each.variable):
                    self._outside[name] = each.variable
                if not each.table_only and name in flags:
                    self._outside[name] = each.flag
        self._text = Path(config_path).read_text("utf-8") if config_path else ""

    def of_server(self, name: str) -> str:
        return self._outside.get(name) or self._in_file((name,)) or "default"

    def of_queues(self, glob: str, name: str) -> str:
        """Of an option in a table of queues or consumers."""
        outside = self._outside.get(name) if glob == "*" else None
        found = outside or self._in_file(("queues", glob, name))
        if glob == "*" and options(QueueSettings)[name].top_level:
            found = found or self._in_file((name,))
        return found or ("default" if glob == "*" else f"{self._config_path}")

    def of_queue(self, settings: Settings, name: bytes) -> dict[str, str]:
        """Of every option of one queue: what gives it, or "default"."""
        given: dict[str, QueueRule] = {}
        for rule in settings.queue_rules:  # a later one goes before those above it
            if not rule.for_consumers and rule.matches(name):
                given.update(dict.fromkeys(rule.values, rule))
        found = {
            option: self._of_rule(given[option], option) if option in given else "default"
            for option in options(QueueSettings)
        }
        merged = settings.merged(name)
        for one, other in (("sync", "sync_ops"), ("sync_ops", "sync")):  # either decides the other
            said = given[one].values[one] if one in given else getattr(_DEFAULTS, one)
            if said != getattr(merged, one):
                found[one] = found[other]
        return found

    def _of_rule(self, rule: QueueRule, name: str) -> str:
        return rule.called or self.of_queues(text_of_name(rule.glob), name)

    def of_alias(self, name: str) -> str:
        return self._in_file(("aliases", name)) or f"{self._config_path}"

    @cached_property
    def _lines(self) -> dict[_Path, int]:
        return dict(_lines_of(self._text))

    def _in_file(self, path: _Path) -> str | None:
        line = self._lines.get(path)
        return f"{self._config_path}:{line}" if line else None


def _lines_of(text: str) -> Iterator[tuple[_Path, int]]:
    """The keys of a file that is right, each with the line it begins in, as far as a look can tell."""
    table: _Path = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _path_of(f"[{header[1]}]")
        elif key := _KEY.match(line):
            path = _path_of(f"{key[1]} = 0")
            if path:
                yield (*table, *path), number


def _path_of(line: str) -> _Path:
    """The key that a line of TOML begins with, in its parts; none if it is no such line."""
    import tomllib

    try:
        found: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(found, dict) and found:
        ((key, found),) = found.items()
        path.append(key)
    return tuple(path)
