"""Replies in the order of the requests, each held until what it says is true.

Owns a client's unsent replies. A slot is a reply and the commit it waits for; slots leave from the
front only. A commit that failed turns its replies into SERVER_ERROR.
"""

import os
from collections import deque
from collections.abc import Callable
from functools import partial

from ..errors import ServerError
from ..protocol import replies
from ..queues.batches import Completion
from .contract import Outlet

__all__ = ["FileReply", "Reply", "Slots", "Tally", "TallyEnd", "TallyPart"]


class FileReply:
    """A large item: header and trailer around so many bytes of an open file."""

    __slots__ = ("handle", "header", "size", "trailer")

    def __init__(self, header: bytes, handle: int, size: int, trailer: bytes) -> None:
        self.header = header
        self.handle = handle
        self.size = size
        self.trailer = trailer


class Tally:
    """How the keys of one get fared."""

    __slots__ = ("failed", "served")

    def __init__(self) -> None:
        self.served = False
        self.failed: ServerError | None = None


class TallyPart:
    """The value of one of several keys; left out if its commit fails."""

    __slots__ = ("reply", "tally")

    def __init__(self, tally: Tally, reply: bytes | FileReply) -> None:
        self.tally = tally
        self.reply = reply


class TallyEnd:
    """What closes the values of several keys: END, or an error if there was nothing else."""

    __slots__ = ("tally",)

    def __init__(self, tally: Tally) -> None:
        self.tally = tally


Reply = bytes | FileReply | TallyPart | TallyEnd


class Slots:
    """unsent: bytes of replies that wait, files not counted. files: large items that wait.

    due: a reply was added that may be sent at once, if none before it waits.

    on_sent: called when replies have left, if anyone wants to know.
    """

    __slots__ = ("_last", "_outlet", "_sending", "_slots", "due", "files", "on_sent", "unsent")

    def __init__(self, outlet: Outlet) -> None:
        self.unsent = 0
        self.files = 0
        self.on_sent: Callable[[], None] | None = None
        self.due = False
        self._sending = False
        self._outlet = outlet
        self._slots: deque[tuple[Completion | None, Reply]] = deque()
        self._last: Completion | None = None

    def __len__(self) -> int:
        return len(self._slots) + self._sending

    def add(self, commit: Completion | None, reply: Reply) -> None:
        """Append a reply that may be sent once commit (None: now) has ended; see `release`."""
        self._slots.append((commit, reply))
        if reply.__class__ is bytes:
            self.unsent += len(reply)
        elif _file_in(reply) is not None:
            self.files += 1
        if commit is None or commit.ended:
            self.due = True
        elif commit is not self._last:
            self._last = commit
            commit.dependents.append(self)

    def release(self) -> None:
        """Send every reply at the front that may be sent, in one write."""
        slots = self._slots
        self.due = False
        if len(slots) == 1 and not self._sending:
            commit, reply = slots[0]
            if reply.__class__ is bytes and (
                commit is None or (commit.ended and commit.error is None)
            ):
                slots.popleft()
                self.unsent = 0
                self._outlet.write(reply)
                if self.on_sent is not None:
                    self.on_sent()
                return
        out: list[bytes] = []
        while slots and not self._sending:
            commit, reply = slots[0]
            error = None
            if commit is not None:
                if not commit.ended:
                    break
                error = commit.error
            slots.popleft()
            if reply.__class__ is bytes:
                self.unsent -= len(reply)
                if error is None:
                    out.append(reply)
                    continue
            elif _file_in(reply) is not None:
                self.files -= 1
            rendered = _render(reply, error)
            if isinstance(rendered, FileReply):
                out.append(rendered.header)
                self._sending = True
                self.files += 1
                self._outlet.write(b"".join(out))
                self._outlet.send_file(
                    rendered.handle, rendered.size, partial(self._sent, rendered)
                )
                return
            out.append(rendered)
        if out:
            self._outlet.write(out[0] if len(out) == 1 else b"".join(out))
            if self.on_sent is not None:
                self.on_sent()

    def _sent(self, reply: FileReply, complete: bool) -> None:
        self._sending = False
        self.files -= 1
        if complete:
            self._outlet.write(reply.trailer)
            self.release()
            if self.on_sent is not None:
                self.on_sent()

    def drop(self) -> None:
        """Nobody will read them."""
        for _, reply in self._slots:
            file = _file_in(reply)
            if file is not None:
                os.close(file.handle)
        self._slots.clear()
        self.unsent = self.files = 0


def _file_in(reply: Reply) -> FileReply | None:
    inner = reply.reply if isinstance(reply, TallyPart) else reply
    return inner if isinstance(inner, FileReply) else None


def _render(reply: Reply, error: ServerError | None) -> bytes | FileReply:
    if isinstance(reply, TallyPart):
        tally = reply.tally
        if error is not None:
            tally.failed = error
            if isinstance(reply.reply, FileReply):
                os.close(reply.reply.handle)
            return b""
        tally.served = True
        return reply.reply
    if isinstance(reply, TallyEnd):
        failed = None if reply.tally.served else reply.tally.failed
        return replies.END if failed is None else replies.server_error(str(failed))
    if error is not None:
        if isinstance(reply, FileReply):
            os.close(reply.handle)
        return replies.server_error(str(error))
    return reply
