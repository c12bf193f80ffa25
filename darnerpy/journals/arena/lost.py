"""The list of ids of an arena that are known to be lost: a file of its own, replaced as a whole."""

from ...errors import DamageError
from ...queues.positions import Positions, Span
from ..marks import decode_lost, encode_lost
from .files import Files

__all__ = ["known_as_lost", "note_lost"]

_NAME = "lost"


def known_as_lost(files: Files) -> list[tuple[Span, bool]]:
    """Ids, each with whether damage alone can be the cause. Raises `OSError`, `DamageError`."""
    try:
        file = files.open(_NAME)
    except FileNotFoundError:
        return []
    try:
        return decode_lost(file.read(0, file.size))
    finally:
        file.close()


def note_lost(files: Files, lost: list[tuple[Span, bool]], trimmed: int) -> None:
    """Add to what is known, but for what was trimmed since. Raises `OSError`."""
    try:
        stored = known_as_lost(files)
    except DamageError:
        stored = []
    known = [each for each in stored if each[0].stop > trimmed]
    before = Positions(0, 0, sorted(span for span, _ in known))
    fresh = [(piece, why) for span, why in lost for piece in before.unconfirmed(span)]
    if fresh:
        files.write(_NAME, encode_lost(sorted(known + fresh)))
