"""The binding to LevelDB that this Python has a wheel of: everyone who needs one takes it from here.

Owns the choice, which is the one that pyproject.toml's markers make. plyvel has no wheel from Python
3.13 on, and on 3.12 none but for Linux on x86-64; plyvel-next, a fork with the same interface, has.
Whoever uses it must not ask which of the two it is.
"""

import sys

if sys.version_info >= (3, 13):
    from plyvel_next import DB, CorruptionError, Error, IOError, repair_db
else:
    try:
        from plyvel import DB, CorruptionError, Error, IOError, repair_db
    except ModuleNotFoundError:
        from plyvel_next import DB, CorruptionError, Error, IOError, repair_db

__all__ = ["DB", "Error", "IOError", "CorruptionError", "repair_db"]
