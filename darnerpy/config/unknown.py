"""What is written in a place where nothing reads it, told with the nearest name that something does.

Keys and tables of a file are refused. Variables are not all meant for us: one that is nearly an option
is refused, others that begin like ours are told of, and those that are somebody else's are left alone.
"""

import re
from collections.abc import Mapping

from ..errors import ConfigError
from ..nearest import nearest
from .options import options
from .queue_settings import QueueSettings
from .settings import Settings

__all__ = ["check_variables", "refuse_unknown"]

_PREFIX = "DARNERPY_"
_OTHERS = {
    "DARNERPY_HTTP_SERVER",
    "DARNERPY_PURE",
    "DARNERPY_SERVER",
    "DARNERPY_TOKEN",
}
"""Of the commands that talk to a server, and of building the package."""

_OF_SERVICES = re.compile(r"_SERVICE_|_PORT(_|$)")
"""What Kubernetes and Docker set for a service called darnerpy, or darnerpy-something."""

_NEAR = 0.8
_TABLES = {"queues": '[queues."*"]', "aliases": "[aliases]"}


def refuse_unknown(
    table: Mapping[str, object], settings: type[Settings] | type[QueueSettings], prefix: str
) -> None:
    """Raise `ConfigError` for a key that is no option of these settings."""
    known = options(settings)
    for key, value in table.items():
        if key in known:
            continue
        if key in options(QueueSettings):
            raise ConfigError(f'{prefix}{key}: belongs in a table such as [queues."*"]')
        if key in options(Settings):
            raise ConfigError(f"{prefix}{key}: is for the whole server, above the first table")
        if isinstance(value, dict):
            raise ConfigError(f"{prefix}{key}: unknown table; {_table_hint(prefix, key)}")
        raise ConfigError(f"{prefix}{key}: unknown key; {_key_hint(key, list(known))}")


def _table_hint(prefix: str, key: str) -> str:
    inside = re.search(r'queues\."(.*)"\.$', prefix)
    if inside:  # a name with a dot, without quotes
        return f'for the queue {inside[1]}.{key} write [queues."{inside[1]}.{key}"]'
    near = nearest(key, list(_TABLES), 0.6)
    if near:
        return f"did you mean {_TABLES[near]}?"
    return f"known are {' and '.join(_TABLES.values())}; options of the server are in no table"


def _key_hint(key: str, known: list[str]) -> str:
    others = [*options(QueueSettings), *options(Settings), *_TABLES]
    near = nearest(key, known, 0.6) or nearest(key, others, 0.6)
    if near:
        return f"did you mean {_TABLES.get(near, near)}?"
    return f"known are {', '.join(known)}"


def check_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that look like ours and are nobody's we know.

    Raises `ConfigError` for one that is nearly an option.
    """
    every = {
        each.name: each for kind in (Settings, QueueSettings) for each in options(kind).values()
    }
    known = {each.variable for each in every.values() if not each.table_only} | _OTHERS
    unknown = []
    for name, value in environ.items():
        if not name.startswith(_PREFIX) or not value or name in known or _OF_SERVICES.search(name):
            continue
        option = name.removeprefix(_PREFIX).lower()
        if option in every:
            raise ConfigError(f"{name}: {option} is for a table of the file, such as [queues.work]")
        near = nearest(option, list(every), _NEAR)
        if near:
            raise ConfigError(f"{name}: unknown variable; did you mean {every[near].variable}?")
        unknown.append(name)
    return sorted(unknown)
