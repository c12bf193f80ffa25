"""One client: takes its commands in order, decides each, and answers in the same order.

Owns the order: one command is decided after another, and while there is an obstacle (an item to wait
for, a queue being opened, an upload being finished, replies the client does not read) those behind it
queue up. Only commits overlap. However the session ends, what it holds goes back to its place and it
leaves every line. Knows no socket (see `Outlet`) and no bytes but those of replies.
"""

import logging
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ..brokers.stored import StoredQueue
from ..errors import ClientError, ServerError
from ..protocol.commands import (
    Backup,
    Chunk,
    Command,
    Confirm,
    Delete,
    DeleteBackup,
    DumpConfig,
    DumpStats,
    Flush,
    FlushAll,
    FlushAllExpired,
    FlushExpired,
    Get,
    GetMany,
    GroupedPut,
    GroupEnd,
    ListBackups,
    Monitor,
    Put,
    Quit,
    Refused,
    Reload,
    SetStatus,
    Shutdown,
    Stats,
    Status,
    Upload,
    UploadEnd,
    Verbosity,
    Version,
)
from ..protocol.contract import Words
from ..queues.batches import Completion
from . import admin, changes
from .contract import Host, NotReady, Obstacle, Outlet
from .groups import Groups
from .held import Held
from .monitors import Monitoring
from .reads import Reads
from .slices import Slices
from .slots import Slots
from .writes import Writes

__all__ = ["Session"]

log = logging.getLogger("darnerpy.session")


class Session:
    """obstacles: why the next command cannot be decided. writes, reads, monitoring: what it stores,
    reads and monitors, the last None unless it does. held: its open reads.

    input_ended: no more commands will come, answer what is there, then close.
    """

    def __init__(self, host: Host, outlet: Outlet, words: Words) -> None:
        self.host = host
        self.outlet = outlet
        self.words = words
        self.slots = Slots(outlet, words)
        self.held = Held()
        self.input_ended = False
        self.obstacles = 0
        self.reads = Reads(self)
        self.writes = Writes(self)
        self.monitoring: Monitoring | None = None
        self._groups = Groups(self)
        self._queues = host.broker.queues
        self._pending: deque[Command] = deque()
        self._closing = False

    # -- what the connection tells and asks --------------------------------------------------------

    @property
    def hungry(self) -> bool:
        """Whether more input would be put to use, not only be stored."""
        return not self.obstacles and self.writes.hungry

    @property
    def idle(self) -> bool:
        """Whether nothing is asked, held or unsent."""
        return not (self._has_work or self.writes.upload or self.held.any)

    @property
    def _has_work(self) -> bool:
        return bool(self.obstacles or self.slots or self._pending)

    def receive(self, commands: Sequence[Command]) -> None:
        """Take the next commands."""
        if self.obstacles or self._pending:
            if not self._closing:
                self._pending.extend(commands)
            return
        self._decide(commands)
        if self.slots.due:
            self.slots.release()

    def end_input(self) -> None:
        """The client will send no more: answer what it asked, then close."""
        self.input_ended = True
        self.slots.on_sent = self._sent
        if self.writes.upload is not None and not self.obstacles & Obstacle.UPLOAD:
            self.writes.drop()
        self.end_waits()
        self._continue_soon()

    def end_waits(self) -> None:
        """The client waits for nothing that is still to come."""
        self.reads.end_wait()
        if self.monitoring is not None:
            self.monitoring.end_wait()

    def stall(self, stalled: bool) -> None:
        """Whether the client reads too slowly for more replies to be made."""
        if stalled:
            self.obstacles |= Obstacle.STALLED
        else:
            self.clear(Obstacle.STALLED)

    def vanish(self) -> None:
        """The connection is gone: return what is held, withdraw what is asked."""
        self._end()
        self.slots.drop()
        self.writes.drop()
        self.reads.withdraw()
        if self.monitoring is not None:
            self.monitoring.stop()
        self.held.return_all(counted=True)

    def drain(self) -> None:
        """The server stops: send what was decided, end the wait, return what is held, close."""
        self._pending.clear()
        self.writes.drop()
        self.reads.break_off()
        self.reads.end_wait()
        self.reads.withdraw()  # who waits for the disk is told nothing, rather than that it is empty
        if self.monitoring is not None:
            self.monitoring.end()
        self.held.return_all(counted=False)
        self.close()
        self.slots.release()

    def close(self) -> None:
        """Decide nothing more; close when the last reply is out."""
        self._end()
        self.slots.on_sent = self._sent
        if not self.slots:
            self.outlet.close()

    def _end(self) -> None:
        self._closing = True
        self.obstacles |= Obstacle.CLOSING
        self._pending.clear()

    # -- one command after another -----------------------------------------------------------------

    def _decide(self, commands: Sequence[Command]) -> None:
        limit, get, slots = self.host.output_limit, self.reads.get, self.slots
        rest = iter(commands)
        for command in rest:
            try:
                if isinstance(command, Get):
                    get(command)
                else:
                    _DECIDE[command.__class__](self, command)
            except (ClientError, ServerError) as error:
                self.refuse(command, error)
            except NotReady as obstacle:
                self.obstacles |= Obstacle.QUEUE
                self._pending.append(command)
                obstacle.stored.when_ready(self._queue_ready)
            if slots.unsent > limit:
                self.hold_for_output()
            if self.obstacles:
                if not self._closing:
                    self._pending.extend(rest)
                return

    def hold_for_output(self) -> None:
        """Enough replies are made: decide nothing more before they have left."""
        self.obstacles |= Obstacle.OUTPUT
        self.slots.on_sent = self._sent

    def refuse(self, command: Command, error: ClientError | ServerError) -> None:
        """Answer a command with an error, unless it wants no answer."""
        asked = command.store if isinstance(command, Put | Upload) else command
        if not getattr(asked, "noreply", False):
            words = self.words
            say = words.client_error if isinstance(error, ClientError) else words.server_error
            self.slots.add(None, say(str(error)))

    def again(self, command: Command) -> None:
        """A command is not finished: decide it once more, before all others, when nothing hinders."""
        if not self._closing:
            self._pending.appendleft(command)
            self._continue_soon()

    def answer_late(self, obstacle: Obstacle, commit: Completion | None, reply: bytes) -> None:
        """What has been an obstacle until now ends with this reply."""
        if not self._closing:
            self.slots.add(commit, reply)
            self.slots.release()
            self.clear(obstacle)

    def clear(self, obstacle: Obstacle) -> None:
        """An obstacle is gone; go on if it was the last."""
        self.obstacles &= ~obstacle
        if not self.obstacles and (self._pending or self.input_ended or self.outlet.paused):
            self._continue_soon()

    def _queue_ready(self) -> None:
        self.clear(Obstacle.QUEUE)

    def _continue_soon(self) -> None:
        # Not at once: the one who calls may be in the middle of serving a queue.
        if not self.obstacles & Obstacle.TURN:
            self.obstacles |= Obstacle.TURN
            self.host.scheduler.call_soon(self._continue)

    def _continue(self) -> None:
        self.obstacles &= ~Obstacle.TURN
        if self._pending and not self.obstacles:
            commands = list(self._pending)
            self._pending.clear()
            self._decide(commands)
        self.slots.release()
        self.outlet.regulate()
        if self.input_ended and not self._has_work and not self._closing:
            self.close()

    def _sent(self) -> None:
        """Replies have left."""
        slots = self.slots
        if self.obstacles & Obstacle.OUTPUT:
            if slots.files or slots.unsent > self.host.output_limit // 2:
                return
            if not self._closing and not self.input_ended:
                slots.on_sent = None
            self.clear(Obstacle.OUTPUT)
        if self._closing and not slots:
            self.outlet.close()
        elif self.input_ended:
            self._continue_soon()

    def go_on(self, command: Slices) -> None:
        """Do a slice of a command; the rest follows when the others had their turn."""
        for step in command.take():
            if not isinstance(step, bytes):
                self.obstacles |= Obstacle.QUEUE
                self.again(command)
                step(self._queue_ready)
                return
            self.slots.add(None, step)
            if self.slots.unsent > self.host.output_limit:
                break
        if not command.over:
            self.again(command)

    # -- queues by name ----------------------------------------------------------------------------

    def usable(self, queue: bytes) -> StoredQueue:
        """The queue of that name, made if there is none.

        Raises `NotReady` while it is being opened or deleted, `ServerError` if it cannot be used.
        """
        stored = self._queues.get(queue) or self.host.broker.create(queue)
        if not stored.ready:
            if stored.error is not None:
                raise stored.error
            raise NotReady(stored)
        return stored

    def existing(self, queue: bytes) -> StoredQueue | None:
        """As `usable`, but None if there is no such queue."""
        return self.usable(queue) if queue in self._queues else None

    # -- the rest ----------------------------------------------------------------------------------

    def _monitor(self, command: Monitor) -> None:
        if self.monitoring is None:
            self.monitoring = Monitoring(self, command)
        self.monitoring.go_on()

    def _quit(self, command: Quit) -> None:
        self.close()

    def _refused(self, command: Refused) -> None:
        if command.reply:
            self.slots.add(None, command.reply)
        if command.fatal:
            self.writes.drop()
            self.close()


_Decide = Callable[[Session, Any], None]


def _if_allowed(decide: _Decide) -> _Decide:
    def decide_if_allowed(session: Session, command: Command) -> None:
        if not session.host.settings.admin_commands:
            verb = re.sub(r"\B(?=[A-Z])", "_", type(command).__name__).lower()
            log.warning("not allowed", extra={"command": verb, "peer": session.outlet.peer})
            raise ClientError("not allowed: administrative commands are off (admin_commands)")
        decide(session, command)

    return decide_if_allowed


_EVERY: dict[type[Command], _Decide] = {
    GetMany: lambda session, command: session.reads.go_through(command),
    Put: lambda session, command: session.writes.put(command),
    Upload: lambda session, command: session.writes.begin(command),
    Chunk: lambda session, command: session.writes.add_chunk(command),
    UploadEnd: lambda session, command: session.writes.end(command),
    GroupedPut: lambda session, command: session._groups.put(command),
    GroupEnd: lambda session, command: session._groups.end(command),
    Confirm: lambda session, command: session.reads.confirm(command),
    Monitor: Session._monitor,
    Delete: changes.delete,
    Flush: changes.flush,
    FlushAll: changes.flush_all,
    FlushExpired: changes.flush_expired,
    FlushAllExpired: changes.flush_all_expired,
    Stats: admin.stats,
    DumpStats: admin.dump_stats,
    DumpConfig: admin.dump_config,
    Status: admin.status,
    SetStatus: admin.set_status,
    Backup: admin.back_up,
    ListBackups: admin.list_backups,
    DeleteBackup: admin.delete_backup,
    Reload: admin.reload,
    Shutdown: admin.shut_down,
    Version: admin.version,
    Verbosity: admin.verbosity,
    Quit: Session._quit,
    Slices: Session.go_on,
    Refused: Session._refused,
}
_DECIDE = {
    kind: _if_allowed(decide) if kind.administrative else decide for kind, decide in _EVERY.items()
}
