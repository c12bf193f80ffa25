"""What a client may ask of the server itself: reports, its status, to read its settings again, to stop.

Whether it may is decided where commands are dispatched. What reload and shutdown do is the affair of
whoever runs the server (see `Host`).
"""

import logging
from collections.abc import Iterator
from functools import partial
from itertools import chain

from ..brokers.backups import Kept
from ..errors import ConfigError, ServerError
from ..protocol import replies
from ..protocol.commands import (
    Backup,
    DeleteBackup,
    DumpConfig,
    DumpStats,
    ListBackups,
    Reload,
    SetStatus,
    Shutdown,
    Stats,
    Verbosity,
    Version,
)
from ..protocol.commands import Status as AskStatus
from ..version import __version__
from .contract import Obstacle
from .gathered import Gathered, when_ended
from .guard import Status
from .reports import config_dump, report, stats_dump, unended
from .slices import Slices, Step, go_on
from .state import State

__all__ = [
    "back_up",
    "delete_backup",
    "dump_config",
    "dump_stats",
    "list_backups",
    "reload",
    "set_status",
    "shut_down",
    "stats",
    "status",
    "verbosity",
    "version",
]

log = logging.getLogger("darnerpy.session")


def stats(session: State, command: Stats) -> None:
    steps = chain(_earlier_ended(session), report(session.host, command.queue))
    go_on(session, Slices(unended(steps)))


def dump_stats(session: State, command: DumpStats) -> None:
    steps = chain(_earlier_ended(session), stats_dump(session.host, command.queues))
    go_on(session, Slices(unended(steps)))


def _earlier_ended(session: State) -> Iterator[Step]:
    """What this client is answered before a report must be in it, and some is counted when written."""
    if awaited := session.slots.awaited():
        yield partial(when_ended, Gathered(awaited))


def dump_config(session: State, command: DumpConfig) -> None:
    go_on(session, Slices(unended(config_dump(session.host, command.queues))))


def status(session: State, command: AskStatus) -> None:
    session.slots.add(None, session.replies.status(session.host.guard.status))


def set_status(session: State, command: SetStatus) -> None:
    before = session.host.guard.status
    session.host.guard.set(Status(command.status))
    about = {"status": command.status, "before": before, "peer": session.outlet.peer}
    log.warning("status was set", extra=about)
    session.slots.add(None, session.replies.status_changed)


def back_up(session: State, command: Backup) -> None:
    session.obstacles |= Obstacle.QUEUE
    told = partial(_backed_up, session, command.name)
    session.host.broker.back_up(command.queues, command.name, told)


def _backed_up(session: State, name: str, error: ServerError | None) -> None:
    about = {"backup": name, "peer": session.outlet.peer}
    if error is None:
        log.info("backup written", extra=about)
    else:
        log.warning("no backup was written: %s", error, extra=about)
    said = session.replies
    reply = said.ok if error is None else said.server_error(str(error))
    session.answer_late(Obstacle.QUEUE, None, reply)


def list_backups(session: State, command: ListBackups) -> None:
    session.obstacles |= Obstacle.QUEUE
    session.host.broker.list_backups(partial(_listed, session))


def _listed(session: State, found: list[Kept], error: ServerError | None) -> None:
    if error is not None:
        reply = session.replies.server_error(str(error))
    else:
        reply = b"".join(replies.backup(*kept) for kept in found) + replies.END
    session.answer_late(Obstacle.QUEUE, None, reply)


def delete_backup(session: State, command: DeleteBackup) -> None:
    session.obstacles |= Obstacle.QUEUE
    session.host.broker.delete_backup(command.name, partial(_deleted, session, command.name))


def _deleted(session: State, name: str, found: bool, error: ServerError | None) -> None:
    if error is not None:
        reply = session.replies.server_error(str(error))
    else:
        reply = replies.DELETED if found else replies.NOT_FOUND
        if found:
            log.info("backup deleted", extra={"backup": name, "peer": session.outlet.peer})
    session.answer_late(Obstacle.QUEUE, None, reply)


def reload(session: State, command: Reload) -> None:
    about = {"peer": session.outlet.peer}
    try:
        session.host.reload()
    except ConfigError as error:
        log.warning("settings are not reloaded, nothing has changed: %s", error, extra=about)
        raise ServerError(f"nothing has changed: {error}") from error
    log.info("settings reloaded", extra=about)
    session.slots.add(None, session.replies.reloaded)


def shut_down(session: State, command: Shutdown) -> None:
    session.host.shut_down()
    log.info("asked to stop", extra={"peer": session.outlet.peer})
    if session.replies.shutting_down:
        session.slots.add(None, session.replies.shutting_down)
    session.close()


def version(session: State, command: Version) -> None:
    session.slots.add(None, session.replies.version(__version__))


def verbosity(session: State, command: Verbosity) -> None:
    if not command.noreply:
        session.slots.add(None, session.replies.ok)
