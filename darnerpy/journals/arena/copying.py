"""Copying an arena while it is written to: what is in it at one moment, segment by segment."""

import time

from .files import Files
from .format import HEAD_BYTES
from .segments import Segment
from .state import State

__all__ = ["copy_segments"]

_PIECE = 1024 * 1024
_REST_S = 0.002
"""Between two pieces, so that others get to the disk."""


def copy_segments(state: State, target: Files) -> None:
    """Nothing is trimmed meanwhile. The copy is on disk when this returns. Raises `OSError`."""
    with state.lock:
        ends = [(segment, segment.end) for segment in state.segments]
    for segment, end in ends:
        _copy(state, segment, max(end, HEAD_BYTES), target)
    target.sync_names()


def _copy(state: State, segment: Segment, end: int, target: Files) -> None:
    file = target.make(segment.name, segment.size)
    try:
        mapped = file.map(writable=True)
        with state.reading(segment) as source:
            at = 0
            while source is not None and at < end:
                piece = source.read(at, min(_PIECE, end - at))
                mapped[at : at + len(piece)] = piece
                at += max(1, len(piece))
                if at < end:
                    time.sleep(_REST_S)
        mapped.close()
        file.sync()
    finally:
        file.close()
