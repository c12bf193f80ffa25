"""`darnerpy serve`: run the server until a signal says stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable

from ..config import Settings, add_flags, load
from ..server.logs import start_logging
from ..server.server import Server

__all__ = ["add_arguments", "run"]

_SWITCH_INTERVAL_S = 0.0002


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flags(parser)


def run(args: argparse.Namespace) -> int:
    settings = load(args.config, os.environ, vars(args))
    start_logging(settings.log_level)
    # A commit thread that has written needs the interpreter back at once: replies wait for it.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=_loop_factory(settings)) as runner:
        runner.run(_serve(settings))
    return 0


def _loop_factory(settings: Settings) -> Callable[[], asyncio.AbstractEventLoop]:
    if settings.loop == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def stop_or_leave() -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: whoever asks does not want to wait for anything
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_or_leave)
    server = Server(settings, loop)
    await server.start()
    await stop.wait()
    await server.stop()
