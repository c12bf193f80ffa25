"""The framing of Kestrel's text protocol: bytes in any portions to commands.

Owns where lines and the groups of items begin and end. Promises the same commands however the bytes
were cut up, items byte for byte as they were sent, time linear in the bytes, and bounded memory: a
line up to `MAX_LINE`, an item up to `MAX_INLINE` (less when memory is short), any number of them.
Never raises: what is wrong becomes a `Refused`. Knows no socket and no queue.
"""

from collections.abc import Sequence

from .commands import Command, Group, GroupedPut, GroupEnd, Refused
from .foreign import is_foreign
from .kestrel_verbs import parse_line, refused
from .text import MAX_INLINE, MAX_LINE, CodecLimits

__all__ = ["KestrelCodec"]


class KestrelCodec:
    """One connection's stream of bytes; a `Codec`."""

    __slots__ = ("_begun", "_crlf", "_group", "_limits", "_line", "closed", "completed", "reserved")

    def __init__(self, limits: CodecLimits) -> None:
        self.closed = False
        self.completed = 0
        self.reserved = 0
        self._limits = limits
        self._line = bytearray()
        # The group whose items come, or how it is refused once they have all been passed over.
        self._group: Group | Refused | None = None
        self._crlf = False
        self._begun = False

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands."""
        return self._group is None and not self._line

    def feed(self, data: bytes) -> Sequence[Command]:
        """Take the next bytes; return the commands they complete, in order."""
        out: list[Command] = []
        pos, size = 0, len(data)
        if not self._begun and data:
            self._begin(data, out)
        while pos < size and not self.closed:
            end = data.find(b"\n", pos)
            if end < 0:
                self._keep(data[pos:], out)
                break
            line = data[pos:end]
            pos = end + 1
            if self._line or self._group is not None:
                self.completed += 1
            if self._line:
                line = bytes(self._line + line)
                self._line.clear()
            if self._group is None:
                self._command(line, out)
            else:
                self._item(self._group, line, out)
        self.reserved = len(self._line) if self._group is not None else 0
        return out

    def _begin(self, data: bytes, out: list[Command]) -> None:
        """Whoever speaks something else is told so, and no more is read."""
        self._begun = True
        if is_foreign(data):
            self._fail("this port speaks Kestrel's text protocol", out)

    def _command(self, line: bytes, out: list[Command]) -> None:
        crlf = line.endswith(b"\r")
        bare = line[:-1] if crlf else line
        if len(bare) > MAX_LINE:
            self._fail("line too long", out)
            return
        command, items_follow = parse_line(bare)
        if items_follow:
            assert isinstance(command, Group | Refused)
            self._group, self._crlf = command, crlf
            return
        out.append(command)
        self.closed = isinstance(command, Refused) and command.fatal

    def _item(self, group: Group | Refused, line: bytes, out: list[Command]) -> None:
        """A line of the group; its line end is what the group's first line had for one."""
        if self._crlf and line.endswith(b"\r"):
            line = line[:-1]
        if not line:
            self._group = None
            out.append(GroupEnd(group) if isinstance(group, Group) else group)
        elif isinstance(group, Group):
            if len(line) > MAX_INLINE:
                self._too_long(MAX_INLINE, out)
            else:
                out.append(GroupedPut(group, line))

    def _keep(self, part: bytes, out: list[Command]) -> None:
        """The beginning of a line, or more of it."""
        line = self._line
        if isinstance(self._group, Refused):
            # No more than it takes to know that the line is not empty.
            line += part[: max(0, 2 - len(line))]
            return
        line += part
        # A carriage return may still turn out to be half of the line end.
        if self._group is None:
            if len(line) > MAX_LINE + 1 or (len(line) > MAX_LINE and line[MAX_LINE] != 13):
                self._fail("line too long", out)
        else:
            limit = min(MAX_INLINE, self._limits.inline)
            if len(line) > limit + 1 or (len(line) > limit and line[limit] != 13):
                self._too_long(limit, out)

    def _too_long(self, limit: int, out: list[Command]) -> None:
        self._fail(f"item is longer than {limit} bytes, put it over the memcache port", out)

    def _fail(self, why: str, out: list[Command]) -> None:
        self.closed = True
        self._line.clear()
        self._group = None
        out.append(refused(why, fatal=True))
