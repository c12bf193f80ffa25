"""Every option, declared once.

A field of `Settings` or `QueueSettings` made with `option` is, by that alone, a TOML key, a
`DARNERPY_...` variable, a command line flag and a line of the documentation. Sources rise in
precedence in that order. A bad value never gets past `load`: it raises ConfigError, naming the
source, the value and what was expected. Nothing here knows who uses a setting, or opens anything
but the one configuration file.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from .errors import ConfigError
from .units import (
    Address,
    SyncPolicy,
    UnixAddress,
    parse_address,
    parse_duration,
    parse_size,
    text_of,
)

__all__ = [
    "Address",
    "QueueSettings",
    "Settings",
    "SyncPolicy",
    "UnixAddress",
    "add_flags",
    "describe",
    "load",
]

T = TypeVar("T")

# --- Kinds of option: a reader, and the words that say what it reads -----------------------------


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How a value is read. `parse` takes text or what TOML holds, and raises ValueError."""

    expected: str
    parse: Callable[[object], T]
    repeats: bool = False  # as a flag it may be given several times


def _path(value: object) -> Path:
    if not text_of(value):
        raise ValueError(value)
    return Path(text_of(value))


def _addresses(value: object) -> tuple[Address | UnixAddress, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise ValueError(value)
    return tuple(parse_address(part.strip() if isinstance(part, str) else part) for part in parts)


def _positive_duration(value: object) -> int:
    milliseconds = parse_duration(value)
    if milliseconds == 0:
        raise ValueError(value)
    return milliseconds


def _sync(value: object) -> SyncPolicy:
    if value in ("always", "never"):
        return SyncPolicy(always=value == "always")
    return SyncPolicy(always=False, interval_ms=_positive_duration(value))


def _boolean(value: object) -> bool:
    words = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in words:
        raise ValueError(value)
    return words[value]


def _integer(least: int) -> Kind[int]:
    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
            value = int(value)
        if type(value) is not int or value < least:
            raise ValueError(value)
        return value

    return Kind(f"a whole number, at least {least}", parse)


def _size(most: int | None = None) -> Kind[int]:
    def parse(value: object) -> int:
        size = parse_size(value)
        if size == 0 or (most is not None and size > most):
            raise ValueError(value)
        return size

    limit = "" if most is None else f", at most {most >> 30}GiB"
    return Kind(f"a size such as 512, 64KiB, 8MiB or 1GiB{limit}", parse)


def _one_of(*words: str) -> Kind[Any]:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(value)
        return text_of(value)

    return Kind(" or ".join(f'"{word}"' for word in words), parse)


_DURATION = "a duration such as 500ms, 2s, 10m, 1h or 7d"
PATH = Kind("a path", _path)
ADDRESSES = Kind("addresses: HOST:PORT, [IPv6]:PORT or unix:/path", _addresses, repeats=True)
SYNC = Kind(f'"always", "never" or {_DURATION}', _sync)
BOOLEAN = Kind("true or false", _boolean)
TIMEOUT: Kind[int | None] = Kind(
    f'"off" or {_DURATION}', lambda value: None if value == "off" else _positive_duration(value)
)

# --- The options ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """What the sources and the documentation know of one setting."""

    name: str
    kind: Kind[Any]
    default: str
    help: str

    @property
    def variable(self) -> str:
        return f"DARNERPY_{self.name.upper()}"

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def parse(self, value: object, source: str) -> Any:
        try:
            return self.kind.parse(value)
        except ValueError:
            raise ConfigError(f"{source}: expected {self.kind.expected}, not {value!r}") from None


def option(kind: Kind[T], default: str, help: str) -> T:
    """Declare a setting: a dataclass field which knows how it is written and explained."""
    declared: T = field(
        default=kind.parse(default), metadata={"kind": kind, "default": default, "help": help}
    )
    return declared


@dataclass(frozen=True)
class QueueSettings:
    """What may differ from queue to queue. Sizes are bytes."""

    max_item_bytes: int = option(_size(most=1 << 30), "64MiB", "A larger item is refused.")
    engine: Literal["leveldb", "memory"] = option(
        _one_of("leveldb", "memory"),
        "leveldb",
        "Where items live: on disk, or in memory only and gone with the process.",
    )
    ignore_client_expiry: bool = option(
        BOOLEAN, "false", "Take no notice of the expiry time that a client sends with an item."
    )


@dataclass(frozen=True)
class QueueRule:
    """The settings that one `[queues."glob"]` table gives."""

    glob: bytes
    values: Mapping[str, Any]

    def specificity(self) -> tuple[bool, int]:
        """Order rules: a literal name above every glob, then by the count of literal bytes."""
        literal, wildcards = re.subn(rb"\[!?\]?[^\]]*\]|[*?]", b"", self.glob)
        return wildcards == 0, len(literal)


@dataclass(frozen=True)
class Settings:
    """The settings of one server. Times are milliseconds, None where off; sizes are bytes."""

    data: Path = option(PATH, "data", "The directory that holds the queues.")
    listen: tuple[Address | UnixAddress, ...] = option(
        ADDRESSES, "127.0.0.1:22133", "Where memcache clients connect."
    )
    sync: SyncPolicy = option(
        SYNC,
        "always",
        "When an item is forced to disk: before its reply, left to the system, or at most that "
        "much later.",
    )
    dialect: Literal["memcached", "kestrel"] = option(
        _one_of("memcached", "kestrel"),
        "memcached",
        "With kestrel, VALUE names the queue without the options asked for, and flush_all "
        "answers in Kestrel's words.",
    )
    loop: Literal["uvloop", "asyncio"] = option(
        _one_of("uvloop", "asyncio"), "uvloop", "The event loop; asyncio is slower, but plain."
    )
    max_open_reads: int = option(
        _integer(1), "1", "Items a connection may hold open at once, for each consumer."
    )
    max_open_journals: int = option(
        _integer(1), "64", "Queues on disk kept open at once; others are opened when needed."
    )
    window_memory: int = option(
        _size(), "16MiB", "Memory for the heads of all queues together; the rest stays on disk."
    )
    buffer_memory: int = option(
        _size(), "64MiB", "Memory for the buffers of all connections together."
    )
    max_connections: int = option(
        _integer(0), "0", "Further connections are refused; 0 leaves it to the system's limit."
    )
    idle_timeout: int | None = option(
        TIMEOUT, "off", "Close a connection that asked nothing and holds nothing for this long."
    )
    receive_timeout: int | None = option(
        TIMEOUT, "off", "A command or item, once begun, must have arrived whole within this time."
    )
    send_timeout: int | None = option(
        TIMEOUT, "off", "Close a connection that takes nothing of its replies for this long."
    )
    log_level: Literal["debug", "info", "warning", "error"] = option(
        _one_of("debug", "info", "warning", "error"), "info", "The least that is worth a line."
    )
    queue_rules: tuple[QueueRule, ...] = ()  # the least specific first

    def queue(self, name: bytes) -> QueueSettings:
        """Return the settings of a queue, each from the most specific table that gives it."""
        found: dict[str, Any] = {}
        for rule in self.queue_rules:
            if fnmatchcase(name, rule.glob):
                found |= rule.values
        return QueueSettings(**found)


def options(settings: type[Settings] | type[QueueSettings]) -> dict[str, Option]:
    """Return what is declared in a settings class, by name, in order of declaration."""

    def declared(each: Field[Any]) -> Option:
        return Option(each.name, **each.metadata)

    return {each.name: declared(each) for each in fields(settings) if each.metadata}


# --- Sources -------------------------------------------------------------------------------------

_Values = Mapping[str, object]


def load(config_path: str | None, environ: Mapping[str, str], flags: _Values) -> Settings:
    """Gather the settings from a TOML file, variables and flags; raise ConfigError if any is bad.

    `flags` holds text, or a list of it, by option name, and may hold other names, which are not
    looked at: `vars()` of the parsed arguments will do. An empty variable counts as unset.
    """
    document = _read(config_path) if config_path else {}
    tables = document.pop("queues", {})
    _refuse_unknown(document, Settings, f"{config_path}: ")
    values = _chosen(Settings, document, f"{config_path}: ")
    values |= _chosen_outside(Settings, environ, flags)

    rules = dict(_queue_tables(tables, f"{config_path}: "))
    for_every_queue = _chosen_outside(QueueSettings, environ, flags)
    if for_every_queue:
        rules["*"] = rules.get("*", {}) | for_every_queue
    ordered = [QueueRule(glob.encode(), given) for glob, given in rules.items()]
    ordered.sort(key=QueueRule.specificity)
    return Settings(**values, queue_rules=tuple(ordered))


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        # With a line end after the last line an error there has a line number as well.
        return tomllib.loads(Path(path).read_bytes().decode() + "\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None


def _queue_tables(tables: object, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(tables, dict):
        raise ConfigError(f'{prefix}queues: expected tables such as [queues."*"], not {tables!r}')
    for glob, table in tables.items():
        where = f'{prefix}queues."{glob}".'
        if not isinstance(table, dict):
            raise ConfigError(f'{where[:-1]}: expected a table [queues."{glob}"], not {table!r}')
        _refuse_unknown(table, QueueSettings, where)
        yield glob, _chosen(QueueSettings, table, where)


def _refuse_unknown(
    table: Iterable[str], settings: type[Settings] | type[QueueSettings], prefix: str
) -> None:
    known = options(settings)
    for key in table:
        if key in known:
            continue
        if key in options(QueueSettings):
            raise ConfigError(f'{prefix}{key}: belongs in a table such as [queues."*"]')
        from difflib import get_close_matches

        near = get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        raise ConfigError(f"{prefix}{key}: unknown key{hint}")


def _chosen(
    settings: type[Settings] | type[QueueSettings], table: _Values, prefix: str
) -> dict[str, Any]:
    known = options(settings)
    return {name: known[name].parse(value, prefix + name) for name, value in table.items()}


def _chosen_outside(
    settings: type[Settings] | type[QueueSettings], environ: Mapping[str, str], flags: _Values
) -> dict[str, Any]:
    found = {}
    for name, each in options(settings).items():
        if environ.get(each.variable):
            found[name] = each.parse(environ[each.variable], each.variable)
        if name in flags:
            found[name] = each.parse(flags[name], each.flag)
    return found


# --- For the command line and the documentation --------------------------------------------------


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and one flag an option. A flag not given leaves no attribute behind."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings")
    for each in [*options(Settings).values(), *options(QueueSettings).values()]:
        parser.add_argument(
            each.flag,
            dest=each.name,
            default=argparse.SUPPRESS,
            action="append" if each.kind.repeats else "store",
            metavar="VALUE",
            help=f"{each.help} Takes {each.kind.expected}; default {each.default}.",
        )


def describe() -> str:
    """Return the tables of all options as Markdown."""
    lines: list[str] = []
    for title, settings in (("The server", Settings), ("Each queue", QueueSettings)):
        lines += [f"### {title}", "", "| key | meaning | value | default |", "|---|---|---|---|"]
        lines += [
            f"| `{each.name}` | {each.help} | {each.kind.expected} | `{each.default}` |"
            for each in options(settings).values()
        ]
        lines.append("")
    return "\n".join(lines)
