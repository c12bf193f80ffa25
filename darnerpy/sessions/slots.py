"""Replies in the order of the requests, each held until what it says is true.

Owns a client's unsent replies. A slot is a reply and the commit it waits for; slots leave from the
front only. A commit that failed turns its replies into the error of the server that it is.
"""

import os
from collections.abc import Callable
from functools import partial

from ..errors import ServerError
from ..protocol.contract import Replies
from ..queues.batches import Completion, Dependent
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
    """How the items of one answer fared: of the keys of a get, or of a monitor.

    complete: that one was served does not make up for others that failed. said: one item at least is
    on its way to the client; served: it was sent.
    """

    __slots__ = ("complete", "failed", "said", "served")

    def __init__(self, complete: bool = False) -> None:
        self.complete = complete
        self.said = False
        self.served = False
        self.failed: ServerError | None = None


class TallyPart:
    """One item of several, or what was done for one without an item; left out if its commit fails."""

    __slots__ = ("reply", "tally")

    def __init__(self, tally: Tally, reply: bytes | FileReply) -> None:
        self.tally = tally
        self.reply = reply


class TallyEnd:
    """What closes several items: that there are no more, or an error (see `Tally`)."""

    __slots__ = ("tally",)

    def __init__(self, tally: Tally) -> None:
        self.tally = tally


Reply = bytes | FileReply | TallyPart | TallyEnd


class Slots(Dependent):
    """unsent: bytes of replies that wait, files not counted. files: large items that wait.

    due: a reply was added that may be sent at once, if none before it waits.

    on_sent: called when replies have left, if anyone wants to know.
    """

    __slots__ = (
        "_last",
        "_outlet",
        "_replies",
        "_sending",
        "_slots",
        "_write",
        "due",
        "files",
        "on_sent",
        "unsent",
    )

    def __init__(self, outlet: Outlet, replies: Replies) -> None:
        self.unsent = 0
        self.files = 0
        self.on_sent: Callable[[], None] | None = None
        self.due = False
        self._sending = False
        self._outlet = outlet
        self._write = outlet.write  # at hand: each reply passes by it
        self._replies = replies
        self._slots: list[tuple[Completion | None, Reply]] = []
        self._last: Completion | None = None

    def __len__(self) -> int:
        return len(self._slots) + self._sending

    def add(self, commit: Completion | None, reply: Reply) -> None:
        """Append a reply that may be sent once commit (None: now) has ended; see `release`."""
        self._slots.append((commit, reply))
        if isinstance(reply, bytes):
            self.unsent += len(reply)
        else:
            self._count(reply, 1)
        if commit is None or commit.ended:
            self.due = True
        elif commit is not self._last:
            self._last = commit
            commit.dependents.append(self)

    def awaited(self) -> list[Completion]:
        """The commits that have not ended and for which replies wait."""
        commits = dict.fromkeys(commit for commit, _ in self._slots)
        return [commit for commit in commits if commit is not None and not commit.ended]

    def release(self) -> None:
        """Send every reply at the front that may be sent, in one write."""
        slots = self._slots
        self.due = False
        if self._sending:
            return
        if len(slots) == 1:  # as nearly always
            commit, reply = slots[0]
            if isinstance(reply, bytes) and (
                commit is None or (commit.ended and commit.error is None)
            ):
                slots.clear()
                self.unsent = 0
                self._write(reply)
                if self.on_sent is not None:
                    self.on_sent()
                return
        out: list[bytes] = []
        left = 0
        for commit, reply in slots:
            error = None
            if commit is not None:
                if not commit.ended:
                    break
                error = commit.error
            left += 1
            if isinstance(reply, bytes):
                self.unsent -= len(reply)
                if error is None:
                    out.append(reply)
                    continue
            else:
                self._count(reply, -1)
            rendered = self._render(reply, error)
            if isinstance(rendered, FileReply):
                out.append(rendered.header)
                del slots[:left]
                self._send_file(rendered, b"".join(out))
                return
            out.append(rendered)
        del slots[:left]
        if out:
            self._write(out[0] if len(out) == 1 else b"".join(out))
            if self.on_sent is not None:
                self.on_sent()

    def _send_file(self, reply: FileReply, before: bytes) -> None:
        self._sending = True
        self.files += 1
        self._write(before)
        self._outlet.send_file(reply.handle, reply.size, partial(self._sent, reply))

    def _count(self, reply: Reply, change: int) -> None:
        inner = reply.reply if isinstance(reply, TallyPart) else reply
        if isinstance(inner, bytes):
            self.unsent += change * len(inner)
        elif isinstance(inner, FileReply):
            self.files += change

    def _sent(self, reply: FileReply, complete: bool) -> None:
        self._sending = False
        self.files -= 1
        if complete:
            self._write(reply.trailer)
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

    def _render(self, reply: Reply, error: ServerError | None) -> bytes | FileReply:
        if isinstance(reply, TallyPart):
            tally = reply.tally
            if error is not None:
                tally.failed = error
                if isinstance(reply.reply, FileReply):
                    os.close(reply.reply.handle)
                return b""
            tally.served = tally.served or bool(reply.reply)
            return reply.reply
        if isinstance(reply, TallyEnd):
            tally = reply.tally
            tally.failed = tally.failed or error
            if tally.failed is None or (tally.served and not tally.complete):
                return self._replies.miss
            return self._replies.server_error(str(tally.failed))
        if error is not None:
            if isinstance(reply, FileReply):
                os.close(reply.handle)
            return self._replies.server_error(str(error))
        return reply


def _file_in(reply: Reply) -> FileReply | None:
    inner = reply.reply if isinstance(reply, TallyPart) else reply
    return inner if isinstance(inner, FileReply) else None
