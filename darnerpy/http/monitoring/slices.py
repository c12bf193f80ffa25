"""How long the slices are in which a server is watched: short, so that nobody who waits notices."""

import asyncio
from collections.abc import Iterable

from ...sessions.pace import Pace

__all__ = ["brief", "in_slices"]

_SLICE_S = 0.0003


def brief() -> Pace:
    return Pace(_SLICE_S)


async def in_slices(steps: Iterable[None]) -> None:
    """Do it all; others have their turn whenever it yields."""
    for _ in steps:
        await asyncio.sleep(0)
