"""A get of several keys: read one after another, some at a time.

All keys are gone through twice: to see that every queue can be used, and, if so, to read. Owns how far
it has come. It may be of half a million keys, and takes them apart one at a time.
"""

from ..errors import ClientError, ServerError
from ..protocol.commands import GetMany
from ..protocol.item_commands import Get, Read
from ..protocol.long_gets import reads_of
from .keys import Keys
from .reads import Reads
from .slots import Tally, TallyEnd
from .state import State

__all__ = ["SeveralKeys"]

_STEPS, _STEPS_OF_NAMED = 100, 10
"""Keys of one get read in one go: then others have their turn. A key of a named consumer counts as many
steps: that it is new may have to be written to a journal of its own.
"""


class _UnderWay:
    """keys: what looks at each. checked: every queue can be used, and nothing held is in the way."""

    __slots__ = ("_key", "_keys", "checked", "command", "keys", "tally")

    def __init__(self, command: Get | GetMany, keys: Keys) -> None:
        self.command = command
        self.keys = keys
        self.tally = Tally()
        self.checked = False
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


class SeveralKeys:
    """The gets of several keys of one session, of which one at a time is under way."""

    __slots__ = ("_reads", "_session", "_under_way")

    def __init__(self, session: State, reads: Reads) -> None:
        self._session = session
        self._reads = reads
        self._under_way: _UnderWay | None = None

    def go_on(self, command: Get | GetMany) -> None:
        """Read some of the keys; the session decides the command again until all are read.

        Raises `ClientError`, `ServerError` or `NotReady`, of these the first two before anything
        was done: all of the queues are usable before the first one is read.
        """
        under_way = self._under_way
        if under_way is None:
            host = self._session.host
            keys = Keys(self._session.held, host.settings.max_open_reads)
            under_way = self._under_way = _UnderWay(command, keys)
            self._session.outlet.keep(under_way.kept)
        try:
            self._go_on(under_way)
        except (ClientError, ServerError):
            self.forget()
            raise

    def break_off(self) -> None:
        """The server stops: what was said is closed, or no client would take it."""
        if self._under_way is not None and self._under_way.tally.said:
            self._session.slots.add(None, TallyEnd(self._under_way.tally))

    def forget(self) -> None:
        """It is over, or nobody is interested any more."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            self._reads.end_several()
            self._session.outlet.keep(-under_way.kept)

    def _go_on(self, under_way: _UnderWay) -> None:
        """Up to a key that has to wait, or to where others have their turn."""
        session, reads = self._session, self._reads
        slots, limit = session.slots, session.host.output_limit
        steps = _STEPS
        while steps > 0:
            read = under_way.next()
            steps -= _STEPS_OF_NAMED if read is not None and read.consumer else 1
            if read is None and under_way.checked:
                self.forget()
                slots.add(None, TallyEnd(under_way.tally))
                return
            if read is None:
                under_way.checked = True
                under_way.begin()
                reads.begin_several(under_way.command, under_way.tally)
            elif under_way.checked:
                self._read(under_way.tally, read)
            else:
                stored = reads.find(read)
                if stored is not None and session.host.guard.no_reads is None:
                    under_way.keys.check(read, stored)
            under_way.passed()
            if reads.waits:
                return
            if session.obstacles or slots.unsent > limit:
                break
        session.again(under_way.command)

    def _read(self, tally: Tally, read: Read) -> None:
        """Raises `NotReady`."""
        try:
            self._reads.read(read)
        except ServerError as error:
            tally.failed = error
        except ClientError as error:
            tally.failed = ServerError(str(error))
