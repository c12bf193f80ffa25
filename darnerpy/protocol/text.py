"""The memcache text protocol's framing: bytes in any portions to commands.

Owns where lines and blocks begin and end. Promises the same commands however the bytes were cut up
(but for where an upload's chunks break), time linear in the bytes, and bounded memory: a line up to
`MAX_LINE`, of many keys up to `CodecLimits.keys`, a block up to `CodecLimits.inline`; larger blocks
pass through as chunks. Knows no socket and no queue, and never raises: what is wrong becomes a
`Refused`.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from . import foreign, replies
from .commands import Chunk, Command, Put, Refused, Store, Upload, UploadEnd
from .long_gets import MAX_GET_LINE, LongGet
from .verbs import MAX_LINE, parse_line

__all__ = ["MAX_GET_LINE", "MAX_INLINE", "MAX_LINE", "CodecLimits", "TextCodec"]

MAX_INLINE = 256 * 1024
"""A larger block is an upload: it is never held in memory whole."""

_REMEMBERED_LINES = 4096
_REMEMBERED_LENGTH = 300
_remembered: dict[bytes, Command] = {}
_remembered_chunks: dict[bytes, tuple[Command, ...]] = {}
"""Lines repeat, and often a line is all that comes. Parsing is pure: the same bytes may give the same
object. Bounded by clearing."""


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
        self._line = bytearray()
        # What takes the next bytes, when they do not begin a line.
        self._resume: _Resume | None = TextCodec._begin
        self._store: Store | None = None
        self._long: LongGet | None = None
        self._mode = _Mode.COLLECT
        self._block = bytearray()
        self._left = 0
        self._saw_cr = False

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands."""
        return self._resume in (None, TextCodec._begin) and not self._line

    def feed(self, data: bytes) -> Sequence[Command]:
        """Take the next bytes; return the commands they complete, in order."""
        resume = self._resume
        fresh = resume is None and not self._line
        if fresh and data in _remembered_chunks and not self.closed:
            return _remembered_chunks[data]
        out: list[Command] = []
        if self.closed:
            return out
        pos, size = 0, len(data)
        if resume is not None:
            pos = resume(self, data, 0, out)
        while pos < size:
            end = data.find(b"\n", pos)
            if end < 0:
                self._keep_line(data[pos:], out)
                break
            line = data[pos:end]
            if self._line:
                line = bytes(self._line + line)
                self._line.clear()
                self.completed += 1
            pos = end + 1
            command = _remembered.get(line)
            if command is None:
                command = _parse(line)
            if isinstance(command, Store):
                stop = pos + command.size
                if (
                    data[stop : stop + 2] == b"\r\n"
                    and command.size <= MAX_INLINE
                    and command.refusal is None
                ):
                    out.append(Put(command, data[pos:stop]))
                    pos = stop + 2
                else:
                    pos = self._start_block(command, data, pos, out)
            else:
                out.append(command)
                if fresh and pos == size and len(out) == 1:
                    _remember_chunk(data, command)
                if isinstance(command, Refused) and command.fatal:
                    self.closed = True
            if self.closed:
                break
        return out

    def _begin(self, data: bytes, pos: int, out: list[Command]) -> int:
        """The first bytes of all: whoever speaks something else is told so, and no more is read."""
        begun = bytes(self._line) + data
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

    def _keep_line(self, part: bytes, out: list[Command]) -> None:
        line = self._line
        line += part
        # A carriage return may still turn out to be half of the line end.
        if len(line) > MAX_LINE + 1 or (len(line) > MAX_LINE and line[MAX_LINE] != 13):
            self._long = LongGet.begun(bytes(line), self._limits.keys)
            if self._long is None or self._long.too_long:
                self._fail("line too long", out)
                return
            self._line.clear()
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
        self._block = bytearray()
        self._saw_cr = False

    def _fail(self, why: str, out: list[Command]) -> None:
        self._close(replies.client_error(why), out)

    def _close(self, answer: bytes, out: list[Command]) -> None:
        self.closed = True
        self._line.clear()
        self._forget()
        out.append(Refused(answer, fatal=True))


_Resume = Callable[[TextCodec, bytes, int, list[Command]], int]


def _remember_chunk(data: bytes, command: Command) -> None:
    if len(data) <= _REMEMBERED_LENGTH and not (isinstance(command, Refused) and command.fatal):
        if len(_remembered_chunks) >= _REMEMBERED_LINES:
            _remembered_chunks.clear()
        _remembered_chunks[data] = (command,)


def _parse(line: bytes) -> Command:
    bare = line[:-1] if line.endswith(b"\r") else line
    if len(bare) > MAX_LINE:
        # What is here already costs nothing to keep.
        long = LongGet.begun(line)
        if long is None or long.too_long:
            return Refused(replies.client_error("line too long"), fatal=True)
        return long.command()
    command = parse_line(bare)
    if len(line) <= _REMEMBERED_LENGTH:
        if len(_remembered) >= _REMEMBERED_LINES:
            _remembered.clear()
        _remembered[line] = command
    return command
