"""Settings in the words people use: flags, documentation, and a running server's own account."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .options import Option, options
from .queue_settings import QueueSettings
from .settings import Settings

if TYPE_CHECKING:
    import argparse  # the library has no use for it

__all__ = ["add_flags", "describe", "written", "written_queue"]


def add_flags(parser: "argparse.ArgumentParser") -> None:
    """Add `--config` and one flag an option. A flag not given leaves no attribute behind."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings")
    server = parser.add_argument_group("the server")
    every_queue = parser.add_argument_group(
        "every queue",
        'Each of these stands for a line of [queues."*"]: a table of the file with a more specific '
        "name goes before it.",
    )
    for group, settings in ((server, Settings), (every_queue, QueueSettings)):
        for each in options(settings).values():
            if not each.table_only:
                _add_flag(group, each)


def _add_flag(group: "argparse._ArgumentGroup", option: Option) -> None:
    import argparse

    default = option.default or '""'
    group.add_argument(
        option.flag,
        dest=option.name,
        default=argparse.SUPPRESS,
        action="append" if option.kind.repeats else "store",
        metavar=option.kind.metavar,
        help=f"{option.help} Takes {option.kind.expected}; default {default}.",
    )


def describe() -> str:
    """Return the tables of all options as Markdown."""
    return "\n".join(
        [
            *_table("The server", Settings, "reload", lambda each: each.live),
            *_table("Each queue", QueueSettings, "`q+c`", lambda each: each.for_consumers),
        ]
    )


def _table(
    title: str, settings: type, trait: str, has_trait: Callable[[Option], bool]
) -> Iterator[str]:
    yield from (f"### {title}", "", f"| key | meaning | value | default | {trait} |")
    yield "|---|---|---|---|---|"
    for each in options(settings).values():
        help = each.help
        if each.table_only:
            help += " No variable or flag."
        if each.top_level:
            help += " Above the first table it is for every queue."
        default = each.default or '""'
        yes = "yes" if has_trait(each) else ""
        yield f"| `{each.name}` | {help} | {each.kind.expected} | `{default}` | {yes} |"
    yield ""


def written(settings: Settings) -> list[tuple[str, str]]:
    """Return every option of the server by name, each in the text that is read as its value.

    A name that is not UTF-8 is text with surrogates: `encode("utf-8", "surrogateescape")`.
    """
    return _written(settings)


def written_queue(settings: QueueSettings) -> list[tuple[str, str]]:
    """Return every option of a queue or consumer likewise."""
    return _written(settings)


def _written(settings: Settings | QueueSettings) -> list[tuple[str, str]]:
    return [
        (name, each.kind.write(getattr(settings, name)))
        for name, each in options(type(settings)).items()
    ]
