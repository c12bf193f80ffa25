"""One client: takes its commands in order, decides each, and answers in the same order.

Owns the order: one command is decided after another, and while there is an obstacle (an item to wait
for, a queue being opened, an upload being finished, replies the client does not read) those behind it
queue up. Only commits overlap. However the session ends, what it holds goes back to its place and it
leaves every line. Knows no socket (see `Outlet`) and no bytes but those of replies.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import __version__
from ..brokers.stored import StoredQueue
from ..errors import ClientError, ServerError
from ..protocol import replies
from ..protocol.commands import (
    Chunk,
    Command,
    Delete,
    Flush,
    FlushAll,
    Get,
    Put,
    Quit,
    Refused,
    Stats,
    Store,
    Upload,
    UploadEnd,
    Verbosity,
    Version,
)
from .contract import Host, NotReady, Obstacle, Outlet
from .gathered import Gathered
from .reads import Reads
from .slots import Slots
from .stats import report
from .uploads import Incoming

__all__ = ["Session"]

_RELATIVE_EXPTIME = 2_592_000
"""An exptime below it counts from now, else it is Unix time (memcached's border: 30 days)."""

_UPLOAD_AHEAD = 512 * 1024
_BATCH_LIMIT = 4 * 1024 * 1024
"""Bytes that may gather for one commit before those who put have to wait for the disk."""

_VERSION = replies.version(__version__)


class Session:
    """obstacles: why the next command cannot be decided. upload: the large item that is coming in.

    input_ended: no more commands will come, answer what is there, then close.
    """

    def __init__(self, host: Host, outlet: Outlet) -> None:
        self.host = host
        self.outlet = outlet
        self.slots = Slots(outlet)
        self.input_ended = False
        self.obstacles = 0
        self._reads = Reads(self)
        self._queues = host.broker.queues
        self._counters = host.counters
        self._pending: deque[Command] = deque()
        self.upload: Incoming | None = None
        self._closing = False

    # -- what the connection tells and asks --------------------------------------------------------

    @property
    def hungry(self) -> bool:
        """Whether more input would be put to use, not only be stored."""
        upload = self.upload
        return not self.obstacles and (upload is None or upload.waiting < _UPLOAD_AHEAD)

    @property
    def idle(self) -> bool:
        """Whether nothing is asked, held or unsent."""
        return not (self._has_work or self.upload or self._reads.any_held)

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
        if self.upload is not None and not self.obstacles & Obstacle.UPLOAD:
            self._drop_upload()
        self._reads.end_wait()
        self._continue_soon()

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
        self._drop_upload()
        self._reads.withdraw()
        self._reads.return_all()

    def drain(self) -> None:
        """The server stops: send what was decided, end the wait, return what is held, close."""
        self._pending.clear()
        self._drop_upload()
        self._reads.end_wait()
        self._reads.return_all()
        self._close()
        self.slots.release()

    def _close(self) -> None:
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
        limit, get, slots = self.host.output_limit, self._reads.get, self.slots
        rest = iter(commands)
        for command in rest:
            try:
                if isinstance(command, Get):
                    get(command)
                else:
                    _DECIDE[command.__class__](self, command)
            except (ClientError, ServerError) as error:
                self._refuse(command, error)
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

    def _refuse(self, command: Command, error: ClientError | ServerError) -> None:
        asked = command.store if isinstance(command, Put | Upload) else command
        if not getattr(asked, "noreply", False):
            reply = replies.client_error if isinstance(error, ClientError) else replies.server_error
            self.slots.add(None, reply(str(error)))

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
            self._close()

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

    # -- storing -----------------------------------------------------------------------------------

    def usable(self, queue: bytes, consumer: bytes) -> StoredQueue:
        """The queue of that name, made if there is none.

        Raises `NotReady` while it is being opened or deleted, `ServerError` if it cannot be used.
        """
        if consumer:
            raise ClientError("named consumers (queue+consumer) are not known to this version")
        stored = self._queues.get(queue) or self.host.broker.create(queue)
        if not stored.ready:
            if stored.error is not None:
                raise stored.error
            raise NotReady(stored)
        return stored

    def _put(self, command: Put) -> None:
        store = command.store
        stored = self._queues.get(store.queue)
        if stored is None or not stored.ready or store.consumer:
            stored = self.usable(store.queue, store.consumer)
        self._counters.sets += 1
        body = command.body
        if store.size > stored.settings.max_item_bytes:
            raise _too_large(store, stored)
        expiry = self._expiry(store.exptime, stored) if store.exptime else 0
        commit = stored.queue.put(body, store.size, store.flags, expiry, store.sync)
        if commit.size > _BATCH_LIMIT:
            stored.hold_back()
        if not store.noreply:
            self.slots.add(commit, replies.STORED)

    def _expiry(self, exptime: int, stored: StoredQueue) -> int:
        """When an item expires, in milliseconds since the epoch; 0 is never."""
        if stored.settings.ignore_client_expiry:
            return 0
        if exptime < 0:
            return 1
        if exptime < _RELATIVE_EXPTIME:
            return self.host.clock.now_ms() + exptime * 1000
        return min(exptime * 1000, 2**63)

    def _begin_upload(self, command: Upload) -> None:
        store = command.store
        stored = self.usable(store.queue, store.consumer)
        self._counters.sets += 1
        if store.size > stored.settings.max_item_bytes:
            raise _too_large(store, stored)
        self.upload = Incoming(
            stored, store, self._must_sync(store), self._upload_moved, self._uploaded
        )

    def _must_sync(self, store: Store) -> bool:
        policy = self.host.settings.sync
        return store.sync or policy.always or policy.interval_ms is not None

    def _add_chunk(self, command: Chunk) -> None:
        if self.upload is not None:
            self.upload.add(command.data)

    def _end_upload(self, command: UploadEnd) -> None:
        if self.upload is not None:
            self.obstacles |= Obstacle.UPLOAD
            self.upload.end()

    def _upload_moved(self) -> None:
        if self.outlet.paused:
            self.outlet.regulate()

    def _uploaded(self, upload: Incoming, error: ServerError | None) -> None:
        self.upload = None
        store, stored = upload.store, upload.stored
        if error is None and stored.deletion is not None:
            error = ServerError("the queue was deleted during the upload")
        if error is None:
            error = stored.error
        if error is not None:
            upload.remove()
            self._refuse(store, error)
        else:
            expiry = self._expiry(store.exptime, stored) if store.exptime else 0
            commit = stored.queue.put(
                None, store.size, store.flags, expiry, store.sync, upload.number
            )
            if not store.noreply:
                self.slots.add(commit, replies.STORED)
        self.slots.release()
        self.clear(Obstacle.UPLOAD)

    def _drop_upload(self) -> None:
        upload, self.upload = self.upload, None
        if upload is not None:
            self.obstacles &= ~Obstacle.UPLOAD
            upload.discard()

    # -- the rest ----------------------------------------------------------------------------------

    def _delete(self, command: Delete) -> None:
        stored = self._existing(command.queue, command.consumer)
        commit = None if stored is None else stored.delete()
        if not command.noreply:
            self.slots.add(commit, replies.DELETED)

    def _flush(self, command: Flush) -> None:
        stored = self._existing(command.queue, command.consumer)
        self.slots.add(None if stored is None else stored.queue.flush(), replies.END)

    def _existing(self, queue: bytes, consumer: bytes) -> StoredQueue | None:
        known = queue in self._queues or consumer
        return self.usable(queue, consumer) if known else None

    def _flush_all(self, command: FlushAll) -> None:
        every = list(self.host.broker.existing())
        for stored in every:
            self.usable(stored.name, b"")
        commit = Gathered([stored.queue.flush() for stored in every])
        kestrel = self.host.settings.dialect == "kestrel"
        if not command.noreply:
            self.slots.add(commit, replies.FLUSHED_ALL_KESTREL if kestrel else replies.OK)

    def _stats(self, command: Stats) -> None:
        self.obstacles |= Obstacle.QUEUE
        self.host.broker.measure(partial(self._measured, command))

    def _measured(self, command: Stats) -> None:
        self.slots.add(None, report(self.host, command.queue))
        self.slots.release()
        self.clear(Obstacle.QUEUE)

    def _version(self, command: Version) -> None:
        self.slots.add(None, _VERSION)

    def _verbosity(self, command: Verbosity) -> None:
        if not command.noreply:
            self.slots.add(None, replies.OK)

    def _quit(self, command: Quit) -> None:
        self._close()

    def _refused(self, command: Refused) -> None:
        if command.reply:
            self.slots.add(None, command.reply)
        if command.fatal:
            self._drop_upload()
            self._close()


def _too_large(store: Store, stored: StoredQueue) -> ServerError:
    most = stored.settings.max_item_bytes
    return ServerError(f"item of {store.size} bytes is too large, at most {most} are allowed")


_DECIDE: dict[type[Command], Callable[[Session, Any], None]] = {
    Put: Session._put,
    Upload: Session._begin_upload,
    Chunk: Session._add_chunk,
    UploadEnd: Session._end_upload,
    Delete: Session._delete,
    Flush: Session._flush,
    FlushAll: Session._flush_all,
    Stats: Session._stats,
    Version: Session._version,
    Verbosity: Session._verbosity,
    Quit: Session._quit,
    Refused: Session._refused,
}
