"""`darnerpy serve`: run the server until a signal says stop; another has it read its settings again."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ..brokers.descriptors import raise_limit
from ..config import Origins, QueueRule, Settings, add_flags, check_variables, load, restart_needed
from ..errors import ConfigError, DarnerError, UnavailableError
from ..server.logs import Log, start_logging
from ..server.loops import loop_factory
from ..server.server import Server
from .arguments import count
from .codes import NOTHING, exit_code
from .http import front_beside, open_front
from .owner import foreign_owner

__all__ = ["add_arguments", "run"]

log = logging.getLogger("darnerpy.server")

_SWITCH_INTERVAL_S = 0.0002
_LAST_LINES_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "darnerpy serve [--config FILE] [--OPTION VALUE] ..."
    add_flags(parser)
    parser.add_argument(
        "--size",
        type=count,
        metavar="NUMBER",
        help="max_items of the queue default, as of dqid; goes before what the file says of it",
    )


def run(args: argparse.Namespace) -> int:
    settings = _load(args)
    _refuse_as_root(settings.data)
    lines = start_logging(settings.log_level, settings.log_format)
    try:
        for name in check_variables(os.environ):
            log.warning("unknown variable", extra={"variable": name})
        raise_limit()
        # A commit thread that has written needs the interpreter back at once: replies wait for it.
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        with asyncio.Runner(loop_factory=loop_factory(settings)) as runner:
            runner.run(_serve(settings, args, lines))
    except DarnerError as error:
        return _give_up(error)
    except OSError as error:
        return _give_up(UnavailableError(f"{error.filename or 'cannot serve'}: {error.strerror}"))
    except Exception:
        log.exception("the server failed")
        return NOTHING
    finally:
        lines.stop(_LAST_LINES_S)
    return 0


def _load(args: argparse.Namespace) -> Settings:
    settings = load(args.config, os.environ, vars(args))
    if args.size is None:
        return settings
    rule = QueueRule(b"default", {"max_items": args.size}, called="--size")
    return replace(settings, queue_rules=(*settings.queue_rules, rule))


def _origins(args: argparse.Namespace) -> Origins:
    """Of the settings that were just loaded."""
    try:
        return Origins(args.config, os.environ, vars(args))
    except OSError:  # the file has gone meanwhile
        return Origins(None, os.environ, vars(args))


def _give_up(error: DarnerError) -> int:
    """The reason belongs into the log, in the log's form: from there on nobody reads anything else."""
    log.error("%s", error)
    return exit_code(error)


def _refuse_as_root(data: Path) -> None:
    owner = foreign_owner(data)
    if owner is not None:
        raise ConfigError(
            f"data directory {data}: belongs to user {owner[0]}, who could not open what root "
            "leaves in it: run the server as that user"
        )


async def _serve(settings: Settings, args: argparse.Namespace, lines: Log) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def stop_or_leave(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(NOTHING)  # asked twice: whoever asks does not want to wait for anything
        log.info("asked to stop", extra={"signal": number.name})
        stop.set()

    server = Server(settings, loop)
    front = front_beside(server, loop)

    def reload() -> None:
        """Apply the settings as they are now, all or nothing. Raises `ConfigError`."""
        fresh, origins = _load(args), _origins(args)
        apply_to_front = None if front is None else front.prepare(fresh)
        unchanged = restart_needed(settings, fresh)
        server.apply(fresh)
        if apply_to_front is not None:
            apply_to_front()
        server.host.origins = origins
        lines.configure(fresh.log_level, fresh.log_format)
        if unchanged:
            log.warning("only a restart applies what changed in %s", ", ".join(unchanged))

    def hang_up() -> None:
        about = {"signal": signal.SIGHUP.name}
        try:
            reload()
        except ConfigError as error:
            log.error("settings are not reloaded, nothing has changed: %s", error, extra=about)
        else:
            log.info("settings reloaded", extra=about)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_or_leave, number)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    server.host.origins = _origins(args)
    server.host.reload = reload
    server.host.shut_down = stop.set
    server.host.log_lines_lost = lambda: lines.lost
    await server.start()
    try:
        if front is not None:
            await open_front(front, settings)
        await stop.wait()
    finally:
        if front is not None:
            await front.stop()
        await server.stop()
    # All is done: none of them may end the process another way now, as they would by default.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
