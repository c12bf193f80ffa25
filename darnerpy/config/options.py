"""What an option is: declared once as a field of a dataclass, known by it everywhere else.

Knows how a declaration becomes a variable, a flag and a line of documentation; not which
options there are.
"""

from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from ..errors import ConfigError
from .kinds import Kind

__all__ = ["Option", "option", "options", "shown"]

T = TypeVar("T")
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Option:
    """What the sources and the documentation know of one setting.

    live: a running server can change it, where others need a restart. for_consumers: a named
    consumer may have its own. table_only: it makes no sense for every queue alike, so it is no
    variable and no flag. top_level: of queues, but above the first table it is for every one.
    """

    name: str
    kind: Kind[Any]
    default: str
    help: str
    live: bool
    for_consumers: bool
    table_only: bool
    top_level: bool

    @property
    def variable(self) -> str:
        return f"DARNERPY_{self.name.upper()}"

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def parse(self, value: object, source: str) -> Any:
        """Return the value that was read; raises ConfigError, which begins with `source`."""
        try:
            return self.kind.parse(value)
        except ValueError:
            raise self.refusal(value, source) from None

    def refusal(self, value: object, source: str) -> ConfigError:
        """What is to be raised for a value that it cannot have."""
        return ConfigError(f"{source}: expected {self.kind.expected}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a value from a file as a message can show it."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write a number of thousands of digits
        return "so long a number"
    except RecursionError:  # a key with thousands of dots makes tables that deep
        return "so deep a table"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def option(
    kind: Kind[T],
    default: str,
    help: str,
    *,
    live: bool = False,
    for_consumers: bool = False,
    table_only: bool = False,
    top_level: bool = False,
) -> T:
    """Declare a setting: a dataclass field which knows how it is written and explained."""
    declared: T = field(
        default=kind.parse(default),
        metadata={
            "kind": kind,
            "default": default,
            "help": help,
            "live": live,
            "for_consumers": for_consumers,
            "table_only": table_only,
            "top_level": top_level,
        },
    )
    return declared


def options(settings: type) -> dict[str, Option]:
    """Return what is declared in a settings class, by name, in order of declaration."""

    def declared(each: Field[Any]) -> Option:
        return Option(each.name, **each.metadata)

    return {each.name: declared(each) for each in fields(settings) if each.metadata}
