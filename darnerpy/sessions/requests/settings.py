"""Settings of one queue, changed until the next reload or restart.

They are checked as those of a file are, hold at once, and go before whatever the file says of that queue. Of
its consumers, tables that are for consumers go before them, as everywhere.
"""

from collections.abc import Mapping

from ...config import QueueSettings, changed, options
from ...errors import ClientError, ConfigError
from ..contract import Host
from ..steps import Steps, committed
from .places import queue_of, refuse_changes

__all__ = ["change_settings"]


def change_settings(
    host: Host, who: str, name: bytes, values: Mapping[str, object]
) -> Steps[QueueSettings]:
    """What holds for the queue from now on. values: by key, as TOML has them; None takes a change back.

    Raises `UnknownQueueError`, and `ClientError` that names the key.
    """
    refuse_changes(host)
    stored = yield from queue_of(host, name)
    if values.get("tap") is True and host.tap()[0] != "on":
        raise ClientError(
            "tap: nothing is told of any queue, which only a reload changes: expected in the file"
        )
    try:
        settings = changed(host.settings, name, values)
    except ConfigError as error:
        raise ClientError(str(error)) from None
    host.settings = settings
    host.broker.configure_one(settings, name)
    known = options(QueueSettings)
    told = {
        key: "as before" if value is None else known[key].kind.write(getattr(stored.settings, key))
        for key, value in values.items()
    }
    host.acts.note("change settings", name, who, **told)
    yield from committed(stored.queue.batch)  # new consumers last
    return stored.settings
