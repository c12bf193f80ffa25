"""What people see: text in which nothing is left that a terminal would obey.

Names and the words of a server may hold any character. Those that cannot be printed (control
characters, marks that turn the direction of writing, bytes that are no UTF-8) are shown by their codes,
also where standard output is no terminal, so that what a script reads does not depend on that.
"""

import argparse
import re
import sys
from codecs import getincrementaldecoder
from typing import Any, BinaryIO, NoReturn

__all__ = ["CommandParser", "Parser", "Screen", "complain", "printable", "say"]


def printable(text: str) -> str:
    """The text in one line, with codes for what cannot be printed."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that was no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def say(text: str) -> None:
    """Print lines to standard output."""
    shown = "\n".join(map(printable, text.split("\n")))
    known = sys.stdout.encoding
    print(shown.encode(known, "backslashreplace").decode(known), flush=True)


def complain(text: str) -> None:
    """Print a line to standard error."""
    print(f"darnerpy: {printable(text)}", file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """Repeats no argument that it does not understand as it is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # -1s is a value, too, so that it is told what was expected in its place.
        self._negative_number_matcher = re.compile(r"-\d")

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


class CommandParser(Parser):
    """Takes options wherever they stand, also between what a queue is called and what may follow that.

    Before Python 3.12.7 argparse takes what may follow for left out, and then does not know the word.
    """

    _again = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(args, namespace)
        if not unknown or self._again:
            return found, unknown
        self._again = True
        try:
            return self.parse_known_intermixed_args(args)
        finally:
            self._again = False


class Screen:
    """The bytes of one item after another, on a terminal: as text, line ends and tabs kept."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal = terminal
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._column = 0

    def write(self, data: bytes) -> None:
        self._show(self._decoder.decode(data))

    def end(self) -> None:
        """The item is complete: what comes next begins a line."""
        self._show(self._decoder.decode(b"", final=True))
        if self._column:
            self._show("\n")

    def _show(self, text: str) -> None:
        if text:
            shown = "".join(c if c in "\n\t" else _shown(c) for c in text)
            self._column = len(shown) - 1 - shown.rfind("\n")
            self._terminal.write(shown.encode("utf-8", "backslashreplace"))
