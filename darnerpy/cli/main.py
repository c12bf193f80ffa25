"""The entry of `darnerpy`: finds the command, runs it, and turns what it raises into an exit code.

The codes are in `codes`, once for all commands.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import DarnerError
from .codes import INTERRUPTED, LEFT, NOTHING, USAGE, exit_code
from .commands import COMMANDS, parser_of, refuse_unknown
from .streams import open_standard_streams
from .terminal import complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, or raises SystemExit as argparse does."""
    open_standard_streams()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = _parse(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.filename:
            return _complain(f"{os.fsdecode(error.filename)}: {error.strerror}", USAGE)
        # What standard output did not take, Python would try to write once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return LEFT
        return _complain(f"cannot write: {error.strerror}", NOTHING)
    except DarnerError as error:
        return _complain(str(error), exit_code(error))


def _parse(words: list[str]) -> argparse.Namespace:
    if words and words[0] in COMMANDS:
        parser, _ = parser_of(words[:1])
    else:
        parser, _ = parser_of(COMMANDS, declared=False)
        if words and not words[0].startswith("-"):
            refuse_unknown(parser, words[0])
    return parser.parse_args(words)


def _complain(text: str, code: int) -> int:
    complain(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
