"""`darnerpy config`: whether a configuration is right, and what it comes to. Starts nothing.

Takes the flags and variables that `serve` takes. What it shows is a file that gives the same
configuration. 2: something in it is wrong.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..config import (
    Origins,
    QueueRule,
    QueueSettings,
    Settings,
    add_flags,
    check_variables,
    laid_over,
    load,
    options,
)
from ..config import text_of_name as text_of
from .http import check_tokens

_COMMENT_AT = 44


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "darnerpy config --check FILE [--OPTION VALUE] ...\n"
        "       darnerpy config --show [--config FILE] [--OPTION VALUE] ..."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", metavar="FILE", help="say whether a file is right, and no more")
    what.add_argument(
        "--show", action="store_true", help="print every value and where it comes from"
    )
    add_flags(parser)


def run(args: argparse.Namespace) -> int:
    path, flags = args.check or args.config, vars(args)
    settings = load(path, os.environ, flags)
    check_tokens(settings)
    for name in check_variables(os.environ):
        print(f"darnerpy: {name}: unknown variable", file=sys.stderr)
    if args.check:
        print(f"{path}: is right")
    else:
        for line in _lines(settings, Origins(path, os.environ, flags)):
            print(line)
    return 0


def _lines(settings: Settings, origins: Origins) -> Iterator[str]:
    for name, each in options(Settings).items():
        value = getattr(settings, name)
        yield _line(name, _toml(value, each.kind), origins.of_server(name))
    for rule in _tables(settings.queue_rules):
        glob = text_of(rule.glob)
        yield from ("", f"[queues.{_quoted(glob)}]")
        for name, value in rule.values.items():
            kind = options(QueueSettings)[name].kind
            yield _line(name, _toml(value, kind), origins.of_queues(glob, name))
    if settings.aliases:
        yield from ("", "[aliases]")
    for alias, places in settings.aliases.items():
        names = [text_of(queue + (b"+" + own if own else b"")) for queue, own in places]
        shown = f"[{', '.join(map(_quoted, names))}]"
        yield _line(_quoted(text_of(alias)), shown, origins.of_alias(text_of(alias)))


def _tables(rules: Sequence[QueueRule]) -> list[QueueRule]:
    """As in the file, the least specific first; that of every queue has all there is."""
    defaults = {name: getattr(QueueSettings(), name) for name in options(QueueSettings)}
    if not any(rule.glob == b"*" for rule in rules):
        rules = [QueueRule(b"*", {}), *rules]
    # What goes before it would be hidden by defaults: a glob that is as general as *.
    first = rules[0]
    return (
        [QueueRule(b"*", laid_over(defaults, first.values)), *rules[1:]]
        if first.glob == b"*"
        else [*rules]
    )


def _line(key: str, value: str, origin: str) -> str:
    return f"{key} = {value}".ljust(_COMMENT_AT) + f" # {_printable(origin)}"


def _toml(value: Any, kind: Any) -> str:
    if isinstance(value, tuple) and value:
        return f"[{', '.join(_quoted(kind.write((each,))) for each in value)}]"
    text = kind.write(value)
    plain = text in ("true", "false") or (isinstance(value, int) and text == str(value))
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    return _printable(json.dumps(text, ensure_ascii=False))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
