"""Where settings come from: a TOML file, variables and flags, in rising precedence.

A bad value never gets past `load`: it raises ConfigError, naming the source, the value and what
was expected. Opens nothing but the one configuration file.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import names
from ..errors import ClientError, ConfigError
from .checks import check
from .kinds import name_of
from .options import options, shown
from .queue_settings import QueueRule, QueueSettings, laid_over
from .settings import Settings
from .unknown import check_variables, refuse_unknown

__all__ = ["chosen_in", "load", "load_document"]

_Values = Mapping[str, object]


def load(config_path: str | None, environ: Mapping[str, str], flags: _Values) -> Settings:
    """Gather the settings from a TOML file, variables and flags; raise ConfigError if any is bad.

    `flags` holds text, or a list of it, by option name, and may hold other names, which are not
    looked at: `vars()` of the parsed arguments will do. An empty variable counts as unset.
    """
    check_variables(environ)
    document = _read(config_path) if config_path else {}
    prefix = f"{config_path}: " if config_path else ""
    return _gather(document, prefix, environ, flags)


def load_document(document: _Values, prefix: str) -> Settings:
    """As `load`, of what a TOML file would hold and nothing else; `prefix` begins what is said of it."""
    return _gather(dict(document), prefix, {}, {})


def _gather(
    document: dict[str, Any], prefix: str, environ: Mapping[str, str], flags: _Values
) -> Settings:
    tables = document.pop("queues", {})
    aliases = dict(_aliases(document.pop("aliases", {}), prefix))
    above = [name for name, each in options(QueueSettings).items() if each.top_level]
    of_queues = {name: document.pop(name) for name in above if name in document}
    refuse_unknown(document, Settings, prefix)
    values = chosen_in(Settings, document, prefix)
    values |= _chosen_outside(Settings, environ, flags)

    rules = dict(_queue_tables(tables, prefix))
    for_every_queue: dict[str, Any] = {}
    for layer in (
        chosen_in(QueueSettings, of_queues, prefix),
        rules.get("*", {}),
        _chosen_outside(QueueSettings, environ, {}),
        _chosen_outside(QueueSettings, {}, flags),
    ):
        for_every_queue = laid_over(for_every_queue, layer)
    if for_every_queue or "*" in rules:
        rules["*"] = for_every_queue
    ordered = [QueueRule(name_of(glob), given) for glob, given in rules.items()]
    ordered.sort(key=lambda rule: rule.specificity)
    settings = Settings(**values, queue_rules=tuple(ordered), aliases=aliases)
    check(settings, prefix)
    return settings


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
    except ValueError:  # Python does not read numbers of thousands of digits
        raise ConfigError(f"{path}: a number has too many digits") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables are nested too deep") from None


def _queue_tables(tables: object, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(tables, dict):
        expected = 'expected tables such as [queues."*"]'
        raise ConfigError(f"{prefix}queues: {expected}, not {shown(tables)}")
    for glob, table in tables.items():
        where = f'{prefix}queues."{glob}".'
        if not isinstance(table, dict):
            expected = f'expected a table [queues."{glob}"]'
            raise ConfigError(f"{where[:-1]}: {expected}, not {shown(table)}")
        refuse_unknown(table, QueueSettings, where)
        if "+" in glob:
            _refuse_for_queues_only(table, where)
        yield glob, chosen_in(QueueSettings, table, where)


def _refuse_for_queues_only(table: Iterable[str], prefix: str) -> None:
    known = options(QueueSettings)
    for key in table:
        if not known[key].for_consumers:
            allowed = ", ".join(name for name, each in known.items() if each.for_consumers)
            raise ConfigError(
                f"{prefix}{key}: is for a whole queue; a table of consumers may have {allowed}"
            )


def _aliases(table: object, prefix: str) -> Iterator[tuple[bytes, tuple[tuple[bytes, bytes], ...]]]:
    if not isinstance(table, dict):
        raise ConfigError(f"{prefix}aliases: expected a table [aliases], not {shown(table)}")
    for alias, destinations in table.items():
        where = f'{prefix}aliases."{alias}"'
        if _split(alias, where)[1]:
            raise ConfigError(f"{where}: expected the name of an alias without a +")
        if not isinstance(destinations, list) or not destinations:
            expected = "expected a list of queues or consumers, such as"
            example = '["weather", "weather+log"]'
            raise ConfigError(f"{where}: {expected} {example}, not {shown(destinations)}")
        found = [_split(each, where) for each in destinations]
        for each, (queue, _) in zip(destinations, found, strict=True):
            if destinations.count(each) > 1:
                raise ConfigError(f"{where}: expected each destination once, not {each!r} again")
            if queue in map(name_of, table):
                raise ConfigError(f"{where}: expected queues or consumers, not the alias {each!r}")
        yield name_of(alias), tuple(found)


def _split(name: object, where: str) -> tuple[bytes, bytes]:
    try:
        return names.split(name_of(name))
    except ValueError:
        raise ConfigError(f"{where}: expected a name, not {shown(name)}") from None
    except ClientError as error:
        raise ConfigError(f"{where}: expected a name, not {shown(name)}: {error}") from None


def chosen_in(
    settings: type[Settings] | type[QueueSettings], table: _Values, prefix: str
) -> dict[str, Any]:
    """What a table gives, all of its keys being known. Raises `ConfigError`, which begins with prefix."""
    known = options(settings)
    found = {name: known[name].parse(value, prefix + name) for name, value in table.items()}
    _refuse_ops_under_always(found, prefix + "sync_ops")
    return found


def _chosen_outside(
    settings: type[Settings] | type[QueueSettings], environ: Mapping[str, str], flags: _Values
) -> dict[str, Any]:
    found = {}
    for name, each in options(settings).items():
        if each.table_only:
            continue
        if environ.get(each.variable):
            found[name] = each.parse(environ[each.variable], each.variable)
        if name in flags:
            found[name] = each.parse(flags[name], each.flag)
    _refuse_ops_under_always(found, "--sync-ops" if flags else "DARNERPY_SYNC_OPS")
    return found


def _refuse_ops_under_always(values: Mapping[str, Any], where: str) -> None:
    if values.get("sync_ops") and "sync" in values and values["sync"].always:
        raise ConfigError(f'{where}: expected sync = "never" or a duration beside it, not "always"')
