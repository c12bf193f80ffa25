"""The memcache text protocol's framing: bytes in any portions to commands.

Owns where lines and blocks begin and end. Promises the same commands however the bytes were cut up
(but for where an upload's chunks break), time linear in the bytes, and bounded memory: a line up to
`MAX_LINE`, of many keys up to `CodecLimits.keys`, a block up to `CodecLimits.inline`; larger blocks
pass through as chunks. Knows no socket and no queue, and never raises: what is wrong becomes a
`Refused`.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from . import foreign, replies
from .commands import Chunk, Command, Refused, Upload, UploadEnd
from .item_commands import Put, Store
from .long_gets import MAX_GET_LINE, LongGet
from .verbs import MAX_LINE, parse_line

__all__ = ["MAX_GET_LINE", "MAX_INLINE", "MAX_LINE", "CodecLimits", "TextCodec"]

MAX_INLINE = 256 * 1024
"""A larger block is an upload: it is never held in memory whole."""

_REMEMBERED_LINES: Final = 4096
_REMEMBERED_LENGTH: Final = 300
_LINE: Final = 64  # a line without a block is mostly shorter, one with its block longer
_SHORT: Final = 4096  # the block of more than this is not copied twice
# Once compiled, to find a method costs as much again as this one.
_partition: Final = bytes.partition
_remembered: Final[dict[bytes, Command]] = {}
"""Lines repeat. Parsing is pure: the same bytes, line end and all, may give the same object. Only what
leaves the stream in order is here: nothing fatal, and no block that is refused or an upload. Bounded by
clearing."""


_NO_BLOCK: Final = bytearray()
"""What all codecs have that collect none; nothing is ever added to it."""


class CodecLimits:
    """Shared by all codecs of a server.

    inline: an unfinished block over so many bytes becomes an upload. keys: an unfinished get over so
    many bytes is refused. Both are lowered when memory is short.
    """

    __slots__ = ("inline", "keys")

    def __init__(self, inline: int = MAX_INLINE, keys: int = MAX_GET_LINE) -> None:
        self.inline = inline
        self.keys = keys


class _Mode(Enum):
    COLLECT = 1
    STREAM = 2
    SWALLOW = 3


class TextCodec:
    """One connection's stream of bytes. After a fatal `Refused` it takes no more (`closed`).

    reserved: bytes of memory that the unfinished block takes or will take, or the unfinished long
    get takes. completed: counts lines and blocks that came in parts and are whole now.
    """

    __slots__ = (
        "_block",
        "_fresh",
        "_left",
        "_limits",
        "_line",
        "_long",
        "_mode",
        "_resume",
        "_saw_cr",
        "_store",
        "closed",
        "completed",
        "reserved",
    )

    def __init__(self, limits: CodecLimits) -> None:
        self.closed = False
        self.completed = 0
        self.reserved = 0
        self._limits = limits
        self._fresh = False  # the next bytes begin a line, and not the first
        self._line = b""
        # What takes the next bytes, when they do not begin a line.
        self._resume: _Resume | None = TextCodec._begin
        self._store: Store | None = None
        self._long: LongGet | None = None
        self._mode = _Mode.COLLECT
        self._block = _NO_BLOCK
        self._left = 0
        self._saw_cr = False

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands."""
        return self._resume in (None, TextCodec._begin) and not self._line

    def feed(self, data: bytes) -> Sequence[Command]:
        """Take the next bytes; return the commands they complete, in order."""
        if self._fresh and len(data) <= _SHORT:  # and often one command is all that comes
            known = _remembered.get(data) if len(data) <= _LINE else None
            if known is None:
                line, end, block = _partition(data, b"\n")
                store = _remembered.get(line + end)
                if isinstance(store, Store):
                    size = store.size
                    if len(block) == size + 2 and block[size:] == b"\r\n":
                        return (Put(store, block[:size]),)
            elif not isinstance(known, Store):
                return (known,)
        out: list[Command] = []
        if not self.closed:
            self._take(data, out)
            self._fresh = self._resume is None and not (self._line or self.closed)
        return out

    def _take(self, data: bytes, out: list[Command]) -> None:
        pos = 0 if self._resume is None else self._resume(self, data, 0, out)
        if self._line and not self.closed and self._resume is None:
            data = self._line + data
            self._line = b""
            self.completed += b"\n" in data
        size = len(data)
        while pos < size:
            end = data.find(b"\n", pos) + 1
            if not end:
                self._keep_line(data[pos:], out)
                return
            line = data[pos:end]
            command = _remembered.get(line)
            if command is None:
                command = _parse(line[:-1])
                if not _is_usual(command):
                    pos = self._take_unusual(command, data, end, out)
                    continue
                _remember(line, command)
            if isinstance(command, Store):
                stop = end + command.size
                if data[stop : stop + 2] == b"\r\n":
                    out.append(Put(command, data[end:stop]))
                    pos = stop + 2
                else:
                    pos = self._start_block(command, data, end, out)
            else:
                out.append(command)
                pos = end

    def _take_unusual(self, command: Command, data: bytes, pos: int, out: list[Command]) -> int:
        if isinstance(command, Store):
            return self._start_block(command, data, pos, out)
        out.append(command)
        self.closed = True
        return len(data)

    def _begin(self, data: bytes, pos: int, out: list[Command]) -> int:
        """The first bytes of all: whoever speaks something else is told so, and no more is read."""
        begun = self._line + data
        if not begun:
            return pos
        if not foreign.is_foreign(begun):
            self._resume = None
            return pos
        self._line += data[: foreign.ENOUGH]
        answer = foreign.answer(begun)
        if answer is not None:
            self._close(answer, out)
        return len(data)

    def _keep_line(self, line: bytes, out: list[Command]) -> None:
        """What has come of a line; it is looked at again when more has."""
        self._line = line
        # A carriage return may still turn out to be half of the line end.
        if len(line) > MAX_LINE + 1 or (len(line) > MAX_LINE and line[MAX_LINE] != 13):
            self._long = LongGet.begun(line, self._limits.keys)
            if self._long is None or self._long.too_long:
                self._fail("line too long", out)
                return
            self._line = b""
            self._resume = TextCodec._resume_get
            self.reserved = self._long.kept

    def _resume_get(self, data: bytes, pos: int, out: list[Command]) -> int:
        """Take what belongs to the long line; return where the next command starts."""
        end = data.find(b"\n", pos)
        long = self._long
        assert long is not None
        long.take(data[pos:] if end < 0 else data[pos:end], self._limits.keys)
        if long.too_long:
            self._fail("line too long", out)
            return len(data)
        self.reserved = long.kept
        if end < 0:
            return len(data)
        command = long.command()
        self._forget()
        out.append(command)
        self.closed = isinstance(command, Refused) and command.fatal
        return len(data) if self.closed else end + 1

    def _start_block(self, store: Store, data: bytes, pos: int, out: list[Command]) -> int:
        whole = pos + store.size < len(data)
        limit = MAX_INLINE if whole else min(MAX_INLINE, self._limits.inline)
        if store.refusal is not None:
            self._mode = _Mode.SWALLOW
        elif store.size <= limit:
            self._mode = _Mode.COLLECT
            self._block = bytearray()
            self.reserved = store.size
        else:
            self._mode = _Mode.STREAM
            out.append(Upload(store))
        self._store = store
        self._resume = TextCodec._resume_block
        self._left = store.size
        return self._resume_block(data, pos, out)

    def _resume_block(self, data: bytes, pos: int, out: list[Command]) -> int:
        """Take what belongs to the block and its line end; return where the next command starts."""
        if self._left:
            part = data[pos : pos + self._left]
            pos += len(part)
            self._left -= len(part)
            if self._mode is _Mode.COLLECT:
                self._block += part
            elif self._mode is _Mode.STREAM and part:
                out.append(Chunk(part))
            if self._left:
                return pos
        while pos < len(data):
            byte = data[pos]
            pos += 1
            if byte == 10:
                self._end_block(out)
                return pos
            if byte != 13 or self._saw_cr:
                self._fail("bad data chunk", out)
                return len(data)
            self._saw_cr = True
        return pos

    def _end_block(self, out: list[Command]) -> None:
        store = self._store
        assert store is not None
        if store.refusal is not None:
            out.append(Refused(store.refusal))
        elif self._mode is _Mode.STREAM:
            out.append(UploadEnd())
        else:
            out.append(Put(store, bytes(self._block)))
        self._forget()

    def _forget(self) -> None:
        self.completed += 1
        self._resume = self._store = self._long = None
        self.reserved = 0
        self._block = _NO_BLOCK
        self._saw_cr = False

    def _fail(self, why: str, out: list[Command]) -> None:
        self._close(replies.client_error(why), out)

    def _close(self, answer: bytes, out: list[Command]) -> None:
        self.closed = True
        self._line = b""
        self._forget()
        out.append(Refused(answer, fatal=True))


_Resume = Callable[[TextCodec, bytes, int, list[Command]], int]


def _is_usual(command: Command) -> bool:
    """Whether it is taken as it is, after it its block if it has one."""
    if isinstance(command, Store):
        return command.refusal is None and command.size <= MAX_INLINE
    return not (isinstance(command, Refused) and command.fatal)


def _remember(line: bytes, command: Command) -> None:
    if len(line) <= _REMEMBERED_LENGTH:
        if len(_remembered) >= _REMEMBERED_LINES:
            _remembered.clear()
        _remembered[line] = command


def _parse(line: bytes) -> Command:
    bare = line[:-1] if line.endswith(b"\r") else line
    if len(bare) > MAX_LINE:
        # What is here already costs nothing to keep.
        long = LongGet.begun(line)
        if long is None or long.too_long:
            return Refused(replies.client_error("line too long"), fatal=True)
        return long.command()
    return parse_line(bare)
