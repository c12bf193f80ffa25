"""What the parts of a session share: the way to the client, its replies, what it holds, what hinders it.

Owns the order: one command is decided after another, and while there is an obstacle (an item to wait
for, a queue being opened, an upload being finished, replies the client does not read) those behind it
queue up. Only commits overlap. What a command does is the affair of the parts, all of which are above.
"""

from collections.abc import Callable

from ..brokers.stored import StoredQueue
from ..errors import ClientError, ServerError
from ..protocol.commands import Command, Upload
from ..protocol.contract import Replies
from ..protocol.item_commands import Put
from ..queues.batches import Completion
from .contract import Host, NotReady, Obstacle, Outlet
from .held import Held
from .slots import Slots

__all__ = ["State"]


class State:
    """obstacles: why the next command cannot be decided. pending: the commands that queue up, the next
    one first. held: its open reads. replies: what it is answered with.

    input_ended: no more commands will come, answer what is there, then close. closing: nothing more is
    decided, the connection is closed when the last reply is out.

    resume: called, soon after it is asked for, to go on with what is pending.
    """

    __slots__ = (
        "_resume",
        "closing",
        "held",
        "host",
        "input_ended",
        "obstacles",
        "outlet",
        "pending",
        "replies",
        "slots",
    )

    def __init__(
        self, host: Host, outlet: Outlet, replies: Replies, resume: Callable[[], None]
    ) -> None:
        self.host = host
        self.outlet = outlet
        self.replies = replies
        self.slots = Slots(outlet, replies)
        self.held = Held()
        self.obstacles = 0
        self.pending: list[Command] = []
        self.input_ended = False
        self.closing = False
        self._resume = resume

    @property
    def has_work(self) -> bool:
        """Whether something is asked that is not decided and sent."""
        return bool(self.obstacles or self.slots or self.pending)

    # -- queues by name ----------------------------------------------------------------------------

    def usable(self, queue: bytes) -> StoredQueue:
        """The queue of that name, made if there is none.

        Raises `NotReady` while it is being opened or deleted, `ServerError` if it cannot be used.
        """
        broker = self.host.broker
        stored = broker.queues.get(queue) or broker.create(queue)
        if not stored.ready:
            if stored.error is not None:
                raise stored.error
            raise NotReady(stored)
        return stored

    def existing(self, queue: bytes) -> StoredQueue | None:
        """As `usable`, but None if there is no such queue."""
        return self.usable(queue) if queue in self.host.broker.queues else None

    # -- obstacles ---------------------------------------------------------------------------------

    def wait_for(self, stored: StoredQueue, command: Command) -> None:
        """A command cannot be decided before its queue is ready: then it is tried again."""
        self.obstacles |= Obstacle.QUEUE
        self.pending.append(command)
        stored.when_ready(self.queue_ready)

    def queue_ready(self) -> None:
        self.clear(Obstacle.QUEUE)

    def hold_for_output(self) -> None:
        """Enough replies are made: decide nothing more before they have left."""
        self.obstacles |= Obstacle.OUTPUT
        self.slots.on_sent = self._sent

    def again(self, command: Command) -> None:
        """A command is not finished: decide it once more, before all others, when nothing hinders."""
        if not self.closing:
            self.pending.insert(0, command)
            self.go_on_soon()

    def clear(self, obstacle: int) -> None:
        """An obstacle is gone; go on if it was the last."""
        self.obstacles &= ~obstacle
        if not self.obstacles and (self.pending or self.input_ended or self.outlet.paused):
            self.go_on_soon()

    def go_on_soon(self) -> None:
        # Not at once: the one who calls may be in the middle of serving a queue.
        if not self.obstacles & Obstacle.TURN:
            self.obstacles |= Obstacle.TURN
            self.host.scheduler.call_soon(self._resume)

    # -- answering ---------------------------------------------------------------------------------

    def refuse(self, command: Command, error: ClientError | ServerError) -> None:
        """Answer a command with an error, unless it wants no answer."""
        asked = command.store if isinstance(command, Put | Upload) else command
        if not getattr(asked, "noreply", False):
            replies = self.replies
            say = replies.client_error if isinstance(error, ClientError) else replies.server_error
            self.slots.add(None, say(str(error)))

    def answer_late(self, obstacle: int, commit: Completion | None, reply: bytes) -> None:
        """What has been an obstacle until now ends with this reply."""
        if not self.closing:
            self.slots.add(commit, reply)
            self.slots.release()
            self.clear(obstacle)

    def end(self) -> None:
        """Decide nothing more."""
        self.closing = True
        self.obstacles |= Obstacle.CLOSING
        self.pending.clear()

    def close(self) -> None:
        """Decide nothing more; close when the last reply is out."""
        self.end()
        self.slots.on_sent = self._sent
        if not self.slots:
            self.outlet.close()

    def end_input(self) -> None:
        """The client will send no more."""
        self.input_ended = True
        self.slots.on_sent = self._sent

    def _sent(self) -> None:
        """Replies have left."""
        slots = self.slots
        if self.obstacles & Obstacle.OUTPUT:
            if slots.files or slots.unsent > self.host.output_limit // 2:
                return
            if not self.closing and not self.input_ended:
                slots.on_sent = None
            self.clear(Obstacle.OUTPUT)
        if self.closing and not slots:
            self.outlet.close()
        elif self.input_ended:
            self.go_on_soon()
