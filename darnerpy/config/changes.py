"""Settings of one queue that were changed while the server runs: they hold until the next reload.

Owns how they lie over what the tables say, and which cannot be changed like this. They are a table for just
that queue, the last of all: a reload brings the tables of the file, and with that they are gone.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..errors import ConfigError
from .checks import check
from .queue_settings import QueueRule, QueueSettings, laid_over
from .settings import Settings
from .sources import chosen_in
from .unknown import refuse_unknown

__all__ = ["UNTIL_RELOAD", "changed"]

UNTIL_RELOAD = "until the next reload"
"""Where such a setting comes from."""

_WHEN_OPENED = (
    "holds from the next time that the journal is opened, so it cannot be changed until the next "
    "reload: expected in the file, as a variable or a flag"
)
_FIXED = {
    "engine": "cannot be changed while the server runs: a queue stays in the engine it has, which "
    "darnerpy convert changes",
    "arena_size": _WHEN_OPENED,
    "max_arenas_in_memory": _WHEN_OPENED,
    "compression": _WHEN_OPENED,
}


def changed(settings: Settings, name: bytes, values: Mapping[str, object]) -> Settings:
    """The same with these values for one queue, as a file would give them; None for what the tables say.

    Values that were changed before stay. Raises `ConfigError`, which names the key.
    """
    refuse_unknown(values, QueueSettings, "")
    for key, reason in _FIXED.items():
        if key in values:
            raise ConfigError(f"{key}: {reason}")
    given = chosen_in(QueueSettings, {k: v for k, v in values.items() if v is not None}, "")
    others = []
    before: Mapping[str, object] = {}
    for rule in settings.queue_rules:
        if rule.called == UNTIL_RELOAD and rule.matches(name):
            before = rule.values
        else:
            others.append(rule)
    kept = {key: value for key, value in before.items() if key not in values}
    laid = laid_over(kept, given)
    if not laid:
        return replace(settings, queue_rules=tuple(others))
    rule = QueueRule.for_one(name, laid, "settings")
    check(replace(settings, queue_rules=(*others, rule)), "")
    rule = QueueRule(rule.glob, laid, UNTIL_RELOAD)
    return replace(settings, queue_rules=(*others, rule))
