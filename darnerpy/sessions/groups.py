"""The items of one put in Kestrel's text protocol: stored as they come, answered together.

Owns the group under way. The first item that is refused ends the storing, so what is stored is always
the beginning of the group.
"""

from ..errors import ClientError, QueueFullError, ServerError
from ..protocol.commands import GroupedPut, GroupEnd
from ..protocol.item_commands import Store
from ..queues.batches import Completion
from .gathered import Gathered
from .state import State
from .writes import Writes

__all__ = ["Groups"]


class Groups:
    def __init__(self, session: State, writes: Writes) -> None:
        self._session = session
        self._writes = writes
        self._replies = session.replies
        self._begin()

    def _begin(self) -> None:
        self._stored = 0
        self._refusal: bytes | None = None
        self._commits: dict[Completion, None] = {}

    def put(self, command: GroupedPut) -> None:
        """Raises `NotReady`; a refusal is told at the end."""
        if self._refusal is not None:
            return
        group, size = command.group, len(command.body)
        store = Store(group.queue, group.consumer, 0, 0, size, sync=False, noreply=True)
        try:
            expiry = self._expiry(group.expiry_ms)
            commits = self._writes.put_unanswered(store, command.body, expiry)
        except QueueFullError as error:
            self._refusal = self._replies.not_stored(str(error))
        except ClientError as error:
            self._refusal = self._replies.client_error(str(error))
        except ServerError as error:
            self._refusal = self._replies.server_error(str(error))
        else:
            self._stored += 1
            for commit in commits:
                if commit not in self._commits:
                    # A group may have any number of items: what has succeeded need not be kept.
                    self._commits = {c: None for c in self._commits if not c.ended or c.error}
                    self._commits[commit] = None

    def end(self, command: GroupEnd) -> None:
        if self._refusal is not None and not self._stored:
            self._session.slots.add(None, self._refusal)
        else:
            self._session.slots.add(
                Gathered(list(self._commits)), self._replies.count(self._stored)
            )
        self._begin()

    def _expiry(self, expiry_ms: int) -> int:
        """When an item expires, in milliseconds since the epoch; 0 is never."""
        if expiry_ms <= 0:
            return 1 if expiry_ms else 0
        return self._session.host.clock.now_ms() + expiry_ms
