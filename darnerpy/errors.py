"""Every exception darnerpy raises on purpose.

Owns the one vocabulary of failure; imports nothing, so that every layer can use it. An error that a
client caused is a `ClientError`, one that is the server's (or its disk's) a `ServerError`: the session
turns them into `CLIENT_ERROR <text>` and `SERVER_ERROR <text>`, nobody else writes those words.
"""

__all__ = [
    "ClientError",
    "ConfigError",
    "DamageError",
    "DarnerError",
    "DataDirError",
    "JournalError",
    "NewerFormatError",
    "QueueFullError",
    "ServerError",
]


class DarnerError(Exception):
    """The base of all of them; its text is meant for people and names what was wrong."""


class ClientError(DarnerError):
    """The client asked for something that cannot be: its text follows `CLIENT_ERROR `."""


class ServerError(DarnerError):
    """The server could not do what was rightly asked: its text follows `SERVER_ERROR `."""


class QueueFullError(DarnerError):
    """A limit of a queue or a consumer does not allow one more item; it was not stored."""


class JournalError(ServerError):
    """A queue's journal could not be opened, read or written; nothing it held may be assumed."""


class DamageError(DarnerError):
    """Stored bytes are not what was written: a checksum, a length or an id does not fit."""


class NewerFormatError(JournalError):
    """Stored by a later version of darnerpy, in a format this one does not know."""


class ConfigError(DarnerError):
    """An option has no usable value; the text names where it was set and what was expected."""


class DataDirError(DarnerError):
    """The data directory cannot be used: another server has it, or it cannot be written."""
