"""Which event loop serves: the pump's, uvloop's or asyncio's own."""

import asyncio
from collections.abc import Callable

from ..config import Settings
from . import pump

__all__ = ["loop_factory", "loop_name"]


def loop_factory(settings: Settings) -> Callable[[], asyncio.AbstractEventLoop]:
    """The pump brings asyncio's along; uvloop, where it is asked for, does without the pump."""
    if settings.pump == "auto" and pump.AVAILABLE and settings.loop != "uvloop":
        return pump.PumpLoop
    if settings.loop == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def loop_name(loop: asyncio.AbstractEventLoop) -> str:
    """For the log."""
    if isinstance(loop, pump.PumpLoop):
        return "pump"
    return "asyncio" if isinstance(loop, asyncio.BaseEventLoop) else "uvloop"
