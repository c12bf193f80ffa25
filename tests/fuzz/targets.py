"""All that is fuzzed."""

from tests.fuzz import (
    configuration,
    darner,
    exports,
    kestrel_journals,
    kestrel_text,
    memcache,
    records,
    siberite,
)
from tests.fuzz.engine import Target

__all__ = ["TARGETS"]

TARGETS: tuple[Target, ...] = (
    memcache.TARGET,
    kestrel_text.TARGET,
    records.TARGET,
    configuration.TARGET,
    kestrel_journals.TARGET,
    darner.TARGET,
    siberite.TARGET,
    exports.JSONL,
    exports.BINARY,
)
