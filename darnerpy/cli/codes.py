"""The exit codes of all commands, and which one an error means. README.md explains them."""

from ..errors import ClientError, ConfigError, DarnerError, DataFormatError, UnavailableError
from .client import Refused, Unreachable

__all__ = [
    "INTERRUPTED",
    "LEFT",
    "NOTHING",
    "REFUSED",
    "UNAVAILABLE",
    "UNREACHABLE",
    "USAGE",
    "exit_code",
]

NOTHING, USAGE, REFUSED, UNREACHABLE, UNAVAILABLE, INTERRUPTED, LEFT = 1, 2, 3, 4, 5, 130, 141


def exit_code(error: DarnerError) -> int:
    if isinstance(error, ClientError | ConfigError | DataFormatError):
        return USAGE
    if isinstance(error, UnavailableError):
        return UNAVAILABLE
    if isinstance(error, Refused):
        return REFUSED
    return UNREACHABLE if isinstance(error, Unreachable) else NOTHING
