"""Settings as a program gives them: keywords of the same names as in the configuration.

Owns what each may be: the text that a configuration file has, or the value that it stands for (None is
off, a number for a duration is seconds). Everything else about a setting is declared in `config`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from ..arguments import kind_of, text_of_path
from ..config import QueueRule, QueueSettings, Settings, load, load_document, options
from ..config.options import Option
from ..errors import ConfigError
from .arguments import text_of_queue

__all__ = ["Config", "Given", "Keywords", "given_in", "rule_for", "settings_of"]

Config = str | os.PathLike[str] | Mapping[str, Any] | Settings
"""A configuration: the path of a file, what such a file holds, or settings that were read already."""


class Keywords(TypedDict, total=False):
    """Settings of one queue, and, below the line, those that all queues of a directory share."""

    engine: str
    sync: str | float
    sync_ops: int | None
    max_items: int | None
    max_bytes: int | str | None
    max_item_bytes: int | str
    max_age: float | str | None
    max_attempts: int
    dead_letter: str
    expire_to: str
    open_timeout: float | str | None
    retry_delay: float | str | None
    max_retry_delay: float | str
    discard_old_when_full: bool
    ignore_client_expiry: bool
    max_queue_age: float | str | None
    fanout_only: bool
    consumers: list[str] | tuple[str, ...]
    start: Literal["tail", "head"]
    copy_from: str
    max_lag_items: int | None
    max_lag_bytes: int | str | None
    lag_action: Literal["refuse", "discard"]
    max_idle: float | str | None
    arena_size: int | str
    max_arenas_in_memory: int
    compression: Literal["off", "snappy"]
    # -- the directory
    max_open_journals: int | None
    window_memory: int | str
    min_free_disk: int | str | None


_SHARED = ("max_open_journals", "window_memory", "min_free_disk")
"""Settings of the server that mean something without one."""

_SERVERS = ("tap",)
"""Settings of queues that mean nothing without a server."""


@dataclass(frozen=True)
class Given:
    """Settings that were given, by name. queue: for the queue; shared: for the whole directory."""

    queue: dict[str, Any] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)


def given_in(keywords: Mapping[str, Any], where: str) -> Given:
    """Read keywords; `where` begins what is said of a bad one. Raises `ConfigError`, or TypeError for
    a keyword that is none.
    """
    given = Given()
    of_queue, of_all = options(QueueSettings), options(Settings)
    for name, value in keywords.items():
        if name in of_queue and name not in _SERVERS:
            given.queue[name] = _parse(of_queue[name], value, where)
        elif name in _SHARED:
            given.shared[name] = _parse(of_all[name], value, where)
        elif name in of_all or name in _SERVERS:
            raise ConfigError(f"{where}: {name} is a setting of the server, which there is none of")
        else:
            raise TypeError(f"{where}: {name!r} is no setting")
    sync = given.queue.get("sync")
    if given.queue.get("sync_ops") and sync is not None and sync.always:
        raise ConfigError(
            f'{where}: sync_ops: expected none beside sync="always", which syncs each'
        )
    return given


def settings_of(config: Config | None, path: Path) -> Settings:
    """What a configuration says. Raises `ConfigError`, and TypeError for what is none."""
    if config is None:
        return Settings()
    if isinstance(config, Settings):
        return config
    if isinstance(config, Mapping):
        _check_keys(config)
        return load_document(config, f"{path}: ")
    if not isinstance(config, str | os.PathLike):
        raise TypeError(f"config is a path, a mapping or settings, not {kind_of(config)}")
    return load(text_of_path(config, "a configuration"), {}, {})


def _check_keys(table: Mapping[Any, Any]) -> None:
    for key, value in table.items():
        if not isinstance(key, str):
            raise TypeError(f"the keys of a configuration are text, not {kind_of(key)}: {key!r}")
        if isinstance(value, Mapping):
            _check_keys(value)


def rule_for(name: bytes, values: Mapping[str, Any]) -> QueueRule:
    """As a table for just that queue has it, whatever its name."""
    return QueueRule.for_one(name, values, f"queue {text_of_queue(name)!r}")


def _parse(option: Option, value: object, where: str) -> Any:
    """Raises `ConfigError`."""
    text = value
    if value is None:
        text = "auto" if option.default == "auto" else "off"
    elif isinstance(value, tuple):
        text = list(value)
    elif (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and "DURATION" in option.kind.metavar
        and value == value  # not NaN
        and abs(value) < 2**40
    ):
        text = f"{round(value * 1000)}ms"
    try:
        return option.kind.parse(text)
    except ValueError:
        raise option.refusal(value, f"{where}: {option.name}") from None
