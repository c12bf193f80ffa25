"""One client: takes its commands in order, has each decided by the part it concerns, answers in the same
order.

However the session ends, what it holds goes back to its place and it leaves every line. Knows no socket
(see `Outlet`) and no bytes but those of replies. What its parts share, and the order, is in `State`.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

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
    GetMany,
    GroupedPut,
    GroupEnd,
    ListBackups,
    Monitor,
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
from ..protocol.contract import Replies
from ..protocol.item_commands import Get, Put
from . import admin, changes, slices
from .contract import Host, NotReady, Obstacle, Outlet
from .groups import Groups
from .monitors import Monitoring
from .reads import Reads
from .several import SeveralKeys
from .slices import Slices
from .state import State
from .writes import Writes

__all__ = ["Session"]

log = logging.getLogger("darnerpy.session")


class Session:
    """state: what its parts share."""

    __slots__ = (
        "_groups",
        "_limit",
        "_monitoring",
        "_reads",
        "_several",
        "_slots",
        "_writes",
        "state",
    )

    def __init__(self, host: Host, outlet: Outlet, replies: Replies) -> None:
        state = self.state = State(host, outlet, replies, self._resume)
        self._slots = state.slots
        self._limit = host.output_limit
        self._reads = Reads(state)
        self._writes = Writes(state)
        self._several: SeveralKeys | None = None
        self._groups: Groups | None = None
        self._monitoring: Monitoring | None = None

    # -- what the connection tells and asks --------------------------------------------------------

    @property
    def wants_input(self) -> bool:
        """Whether more input would be put to use, not only be stored."""
        return not self.state.obstacles and self._writes.wants_input

    @property
    def input_ended(self) -> bool:
        """Whether the client has said that it sends no more."""
        return self.state.input_ended

    @property
    def idle(self) -> bool:
        """Whether nothing is asked, held or unsent."""
        return not (self.state.has_work or self._writes.upload or self.state.held.any)

    def receive(self, commands: Sequence[Command]) -> bool:
        """Take the next commands. Returns whether more input would be put to use now."""
        state = self.state
        if state.obstacles or state.pending:
            if not state.closing:
                state.pending.extend(commands)
            return self.wants_input
        all_decided = self._decide(commands)
        if self._slots.due:
            self._slots.release()
        return all_decided and (self._writes.upload is None or self._writes.wants_input)

    def end_input(self) -> None:
        """The client will send no more: answer what it asked, then close."""
        self.state.end_input()
        if self._writes.upload is not None and not self.state.obstacles & Obstacle.UPLOAD:
            self._writes.drop()
        self.end_waits()
        self.state.go_on_soon()

    def end_waits(self) -> None:
        """The client waits for nothing that is still to come."""
        self._reads.end_wait()
        if self._monitoring is not None:
            self._monitoring.end_wait()

    def stall(self, stalled: bool) -> None:
        """Whether the client reads too slowly for more replies to be made."""
        if stalled:
            self.state.obstacles |= Obstacle.STALLED
        else:
            self.state.clear(Obstacle.STALLED)

    def vanish(self) -> None:
        """The connection is gone: return what is held, withdraw what is asked."""
        self.state.end()
        self._slots.drop()
        self._writes.drop()
        self._withdraw()
        if self._monitoring is not None:
            self._monitoring.stop()
        self.state.held.return_all(counted=True)

    def drain(self) -> None:
        """The server stops: send what was decided, end the wait, return what is held, close."""
        self.state.pending.clear()
        self._writes.drop()
        if self._several is not None:
            self._several.break_off()
        self._reads.end_wait()
        self._withdraw()  # who waits for the disk is told nothing, rather than that it is empty
        if self._monitoring is not None and not self._monitoring.over:
            self._monitoring.end()
        self.state.held.return_all(counted=False)
        self.state.close()
        self._slots.release()

    def _withdraw(self) -> None:
        self._reads.withdraw()
        if self._several is not None:
            self._several.forget()

    # -- one command after another -----------------------------------------------------------------

    def _decide(self, commands: Sequence[Command]) -> bool:
        """Decide one after another until one hinders the next; whether none does."""
        state, slots, limit = self.state, self._slots, self._limit
        rest = iter(commands)
        for command in rest:
            try:
                if isinstance(command, Get):
                    if len(command.reads) == 1:
                        self._reads.get(command)
                    else:
                        self._read_several(command)
                elif isinstance(command, Put):
                    self._writes.put(command)
                else:
                    _DECIDE[command.__class__](self, command)
            except (ClientError, ServerError) as error:
                state.refuse(command, error)
            except NotReady as obstacle:
                state.wait_for(obstacle.stored, command)
            if slots.unsent > limit:
                state.hold_for_output()
            if state.obstacles:
                if not state.closing:
                    state.pending.extend(rest)
                return False
        return True

    def _resume(self) -> None:
        state = self.state
        state.obstacles &= ~Obstacle.TURN
        if state.pending and not state.obstacles:
            commands, state.pending = state.pending, []
            self._decide(commands)
        self._slots.release()
        state.outlet.regulate()
        if state.input_ended and not state.has_work and not state.closing:
            state.close()

    # -- what few sessions ever do -----------------------------------------------------------------

    def _read_several(self, command: Get | GetMany) -> None:
        if self._several is None:
            self._several = SeveralKeys(self.state, self._reads)
        self._several.go_on(command)

    def _group(self) -> Groups:
        if self._groups is None:
            self._groups = Groups(self.state, self._writes)
        return self._groups

    def _monitor(self, command: Monitor) -> None:
        if self._monitoring is None or self._monitoring.over:
            self._monitoring = Monitoring(self.state, self._reads, command)
        self._monitoring.go_on()

    def _refused(self, command: Refused) -> None:
        if command.reply:
            self._slots.add(None, command.reply)
        if command.fatal:
            self._writes.drop()
            self.state.close()


_Part = Callable[[State, Any], None]
_Decide = Callable[[Session, Any], None]


def _of_state(part: _Part) -> _Decide:
    return lambda session, command: part(session.state, command)


def _if_allowed(decide: _Decide) -> _Decide:
    def decide_if_allowed(session: Session, command: Command) -> None:
        host = session.state.host
        if not host.settings.admin_commands:
            verb = re.sub(r"\B(?=[A-Z])", "_", type(command).__name__).lower()
            log.warning("not allowed", extra={"command": verb, "peer": session.state.outlet.peer})
            raise ClientError("not allowed: administrative commands are off (admin_commands)")
        decide(session, command)

    return decide_if_allowed


_OF_STATE: dict[type[Command], _Part] = {
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
    Slices: slices.go_on,
    Quit: lambda state, command: state.close(),
}
_EVERY: dict[type[Command], _Decide] = {
    GetMany: Session._read_several,
    Upload: lambda session, command: session._writes.begin(command),
    Chunk: lambda session, command: session._writes.add_chunk(command),
    UploadEnd: lambda session, command: session._writes.end(command),
    GroupedPut: lambda session, command: session._group().put(command),
    GroupEnd: lambda session, command: session._group().end(command),
    Confirm: lambda session, command: session._reads.confirm(command),
    Monitor: Session._monitor,
    Refused: Session._refused,
}
_EVERY |= {kind: _of_state(part) for kind, part in _OF_STATE.items()}
_DECIDE = {
    kind: _if_allowed(decide) if kind.administrative else decide for kind, decide in _EVERY.items()
}
