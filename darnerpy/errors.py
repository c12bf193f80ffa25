"""Every exception darnerpy raises on purpose.

Owns the one vocabulary of failure; imports nothing, so that every layer can use it. An error that a
client caused is a `ClientError`, one that is the server's (or its disk's) a `ServerError`: the session
turns them into `CLIENT_ERROR <text>` and `SERVER_ERROR <text>`, nobody else writes those words.
"""

__all__ = [
    "ClientError",
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "CutOffError",
    "DamageError",
    "DamagedJournalError",
    "DarnerError",
    "DataDirError",
    "DataFormatError",
    "ForkedError",
    "ItemTooLargeError",
    "JournalError",
    "JournalGoneError",
    "Lagged",
    "LeaseEndedError",
    "ListenError",
    "MessageTooLargeError",
    "NewerFormatError",
    "NoRingError",
    "NotAllowedError",
    "NotHeldError",
    "OutOfDiskError",
    "PausedError",
    "QueueFullError",
    "RingError",
    "RingInUseError",
    "ServerError",
    "UnavailableError",
    "UnknownConsumerError",
    "UnknownLeaseError",
    "UnknownQueueError",
]


class DarnerError(Exception):
    """The base of all of them; its text is meant for people and names what was wrong."""


class ClientError(DarnerError):
    """The client asked for something that cannot be: its text follows `CLIENT_ERROR `."""


class ServerError(DarnerError):
    """The server could not do what was rightly asked: its text follows `SERVER_ERROR `."""


class UnknownQueueError(ClientError):
    """There is no queue of that name, and what was asked makes none."""


class UnknownConsumerError(ClientError):
    """The queue has no consumer of that name, and what was asked makes none."""


class ConflictError(ClientError):
    """There is one already, and it is not as it was asked for."""


class UnknownLeaseError(ClientError):
    """No lease was ever given that is called so."""


class LeaseEndedError(ClientError):
    """The lease was given, and is over: it was confirmed or aborted, its time was up, its queue is gone."""


class NotAllowedError(ServerError):
    """The server's status forbids it for now: it is readonly or quiescent."""


class OutOfDiskError(ServerError):
    """Less disk is free than is to be left: nothing may be written."""


class PausedError(ServerError):
    """Somebody has paused the queue: it takes, or gives, nothing until it is resumed."""


class QueueFullError(DarnerError):
    """A limit of a queue or a consumer does not allow one more item; it was not stored."""


class JournalError(ServerError):
    """A queue's journal could not be opened, read or written; nothing it held may be assumed.

    code: its kind, as one word.
    """

    code = "disk"


class DamagedJournalError(JournalError):
    """What a journal holds cannot be read any more."""

    code = "damage"


class CutOffError(JournalError):
    """Another thread was interrupted in the middle of a change, so that everything is read anew. Whether
    what was about to be written is, nobody knows.
    """

    code = "cut_off"


class JournalGoneError(JournalError):
    """The files of a journal were taken away."""

    code = "taken_away"


class DamageError(DarnerError):
    """Stored bytes are not what was written: a checksum, a length or an id does not fit."""


class NewerFormatError(JournalError):
    """Stored by a later version of darnerpy, in a format this one does not know."""

    code = "newer_format"


class ConfigError(DarnerError):
    """An option has no usable value; the text names where it was set and what was expected."""


class DataFormatError(DarnerError):
    """The data directory is none, or of a format that this darnerpy does not know."""


class UnavailableError(DarnerError):
    """Something the process needs cannot be had now; another time it may be."""


class DataDirError(UnavailableError):
    """The data directory cannot be used: another server has it, or it cannot be written."""


class ListenError(UnavailableError):
    """An address cannot be listened on: it is taken, or not allowed."""


class ClosedError(DarnerError):
    """It is closed: nothing can be read from it, or given to it, any more."""


class ForkedError(DarnerError):
    """It was opened before this process was forked from another, and is the other's: open it anew."""


class RingError(DarnerError):
    """A file cannot be used as the ring that was asked for; nothing in it was changed."""


class NoRingError(RingError):
    """There is no ring in that place, or none yet: its writer has to come first."""


class RingInUseError(RingError):
    """The ring has a writer, which is alive, and can have but one."""


class MessageTooLargeError(DarnerError):
    """A message is longer than half the ring; none of those that came with it was published."""


class Lagged(DarnerError):
    """The writer was a lap ahead: messages that this reader had yet to read are overwritten.

    The next read goes on with the oldest one there is.

    path: the file of the ring.
    missed: how many they are, exactly.
    """

    path: str
    missed: int

    def __init__(self, path: str, missed: int) -> None:
        super().__init__(path, missed)
        self.path = path
        self.missed = missed

    def __str__(self) -> str:
        return f"{self.path}: missed {self.missed:,}, overwritten before they were read"


class ItemTooLargeError(DarnerError):
    """An item, or several that are put together, is more than the queue's limits ever allow."""


class NotHeldError(DarnerError):
    """An item is not held any more, so that it cannot be confirmed: it may be handed out once more.

    Its time was up, it was confirmed or returned already, or its queue was closed or deleted.
    """
