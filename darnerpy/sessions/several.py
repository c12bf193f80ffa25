"""A get of several keys on its way: how far it has come, and how its items fared.

All keys are gone through twice: to see that every queue can be used, and, if so, to read. Knows
nothing of queues; it may hold half a million keys, and takes them apart one at a time.
"""

from ..protocol.commands import Get, GetMany, Read
from ..protocol.long_gets import reads_of
from .keys import Keys
from .slots import Tally

__all__ = ["Several"]


class Several:
    """keys: what looks at each. checked: every queue can be used, and nothing held is in the way.
    said: one item at least is on its way to the client.
    """

    __slots__ = ("_key", "_keys", "checked", "command", "keys", "said", "tally")

    def __init__(self, command: Get | GetMany, keys: Keys) -> None:
        self.command = command
        self.keys = keys
        self.tally = Tally()
        self.checked = False
        self.said = False
        self.begin()

    def begin(self) -> None:
        """The first key is next."""
        command = self.command
        self._keys = iter(command.reads) if isinstance(command, Get) else reads_of(command.keys)
        self._key: Read | None = None

    @property
    def kept(self) -> int:
        """Bytes of memory that its keys take, as far as that is worth counting."""
        return len(self.command.keys) if isinstance(self.command, GetMany) else 0

    def next(self) -> Read | None:
        """The key that is next, the same until it is `passed`; None after the last."""
        if self._key is None:
            self._key = next(self._keys, None)
        return self._key

    def passed(self) -> None:
        self._key = None
