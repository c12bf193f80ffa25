"""Every option of a server, declared once, and which settings a queue or a consumer goes by.

A field of `Settings` made with `option` is, by that alone, a TOML key, a `DARNERPY_...` variable, a
command line flag and a line of the documentation. Nothing here knows who uses a setting, or where it
was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..units import Address, UnixAddress
from .kinds import (
    ADDRESSES,
    AUTO_COUNT,
    BOOLEAN,
    DROP,
    GRACE,
    GROUP,
    HOSTS,
    HTTP,
    KEEPALIVE,
    KEEPALIVE_IDLE,
    MODE,
    OPTIONAL_ADDRESSES,
    OPTIONAL_PATH,
    OPTIONAL_SIZE,
    ORIGINS,
    PATH,
    TIMEOUT,
    integer,
    one_of,
    size,
)
from .options import option, options
from .queue_settings import QueueRule, QueueSettings, chosen, laid_over

__all__ = ["Aliases", "Settings", "restart_needed"]

Aliases = Mapping[bytes, tuple[tuple[bytes, bytes], ...]]
"""By alias, the destinations, each a queue and its consumer, b"" for the queue itself."""


_HTTP_PORT = 2223
_SHARED = 1000
_shared: dict[QueueSettings, QueueSettings] = {}
"""Ten thousand queues have few different settings: equal ones are one object."""


@dataclass(frozen=True)
class Settings:
    """The settings of one server. Times are milliseconds, None where off; sizes are bytes."""

    data: Path = option(PATH, "data", "The directory that holds the queues.")
    listen: tuple[Address | UnixAddress, ...] = option(
        ADDRESSES, "127.0.0.1:22133", "Where memcache clients connect."
    )
    text_listen: tuple[Address | UnixAddress, ...] = option(
        OPTIONAL_ADDRESSES, "off", "Where clients of Kestrel's text protocol connect."
    )
    listen_mode: int | None = option(
        MODE, "off", "Who may connect to Unix sockets, by mode; off leaves it to the umask."
    )
    listen_group: str = option(
        GROUP, "", "The group of Unix sockets; without one, that of the server."
    )
    dialect: Literal["memcached", "kestrel"] = option(
        one_of("memcached", "kestrel"),
        "memcached",
        "With kestrel, VALUE names the queue without the options asked for, and flush_all "
        "answers in Kestrel's words.",
    )
    pump: Literal["auto", "off"] = option(
        one_of("auto", "off"),
        "auto",
        "Serve the connections that are ready together, in compiled code; auto is wherever that is "
        "installed.",
    )
    loop: Literal["auto", "uvloop", "asyncio"] = option(
        one_of("auto", "uvloop", "asyncio"),
        "auto",
        "The event loop: auto is asyncio, which the pump needs, or uvloop where there is no pump; "
        "with uvloop there is none.",
    )
    max_open_reads: int = option(
        integer(1), "1", "Items a connection may hold open at once, for each consumer."
    )
    max_open_journals: int | None = option(
        AUTO_COUNT,
        "auto",
        "Queues on disk kept open at once; others are opened when needed. auto is 160, or fewer if "
        "there are not enough descriptors.",
    )
    window_memory: int = option(
        size(), "16MiB", "Memory for the heads of all queues together; the rest stays on disk."
    )
    buffer_memory: int = option(
        size(), "64MiB", "Memory for the buffers of all connections together."
    )
    min_free_disk: int | None = option(
        OPTIONAL_SIZE,
        "64MiB",
        "With less free space than this, writes are refused before the disk is full.",
        live=True,
    )
    tap_size: int = option(
        size(least=1 << 20, most=1 << 30),
        "16MiB",
        "The disk that the ring for darnerpy tap takes, if there is a queue with tap.",
    )
    max_connections: int = option(
        integer(0),
        "0",
        "Further connections are refused; 0 leaves it to the system's limit.",
        live=True,
    )
    max_connections_per_address: int = option(
        integer(0),
        "0",
        "Further connections from the same IP address are refused; 0 is no limit.",
        live=True,
    )
    client_timeout: int | None = option(
        TIMEOUT,
        "off",
        "Close a connection that asked nothing and holds nothing for this long.",
        live=True,
    )
    receive_timeout: int | None = option(
        TIMEOUT,
        "off",
        "A command or item, once begun, must have arrived whole within this time.",
        live=True,
    )
    send_timeout: int | None = option(
        TIMEOUT,
        "off",
        "Close a connection that takes nothing of its replies for this long.",
        live=True,
    )
    keepalive_idle: int | None = option(
        KEEPALIVE_IDLE,
        "30s",
        "Probe a TCP client's machine after so long without a word from it; for new connections.",
        live=True,
    )
    keepalive_interval: int = option(
        KEEPALIVE,
        "10s",
        "The time between two probes, and how often silent connections are looked for.",
        live=True,
    )
    keepalive_probes: int = option(
        integer(1, most=127),
        "3",
        "Close the connection when so many probes in a row were not answered.",
        live=True,
    )
    admin_commands: bool = option(
        BOOLEAN,
        "true",
        "Clients may shut the server down, reload its settings and change its status.",
        live=True,
    )
    status_grace_period: int = option(
        GRACE,
        "0s",
        "A status that forbids more than the one before is in force this long after it is set.",
        live=True,
    )
    http: str | tuple[Address | UnixAddress, ...] = option(
        HTTP,
        "auto",
        "Where the dashboard, the REST interface and metrics are. auto is 127.0.0.1:2223, if "
        "darnerpy[http] is installed and nobody else has that port; guarded is 0.0.0.0:2223 if there "
        "is http_token_file, else off.",
    )
    http_token_file: Path | None = option(
        OPTIONAL_PATH,
        "off",
        "Who asks over HTTP has to show a token, of which there is one in each line of this file; "
        "needed where others than this machine can connect.",
        live=True,
    )
    http_hosts: tuple[str, ...] = option(
        HOSTS,
        "",
        "The hosts that HTTP clients may name; without any, those of loopback and of http.",
        live=True,
    )
    http_origins: tuple[str, ...] = option(
        ORIGINS, "", "Pages from elsewhere that may change queues over HTTP.", live=True
    )
    http_read_only: bool = option(
        BOOLEAN, "false", "Nothing can be taken, put or changed over HTTP.", live=True
    )
    http_get_consumes: bool = option(
        BOOLEAN, "true", "GET /get takes an item, as dqid has it.", live=True
    )
    history_memory: int = option(
        size(), "16MiB", "Memory for the history of all queues that the dashboard draws."
    )
    log_level: Literal["debug", "info", "warning", "error"] = option(
        one_of("debug", "info", "warning", "error"),
        "info",
        "Which events are logged: these and more serious ones.",
        live=True,
    )
    log_format: Literal["text", "json"] = option(
        one_of("text", "json"),
        "text",
        "A line of the log is text, or a JSON object.",
        live=True,
    )
    queue_rules: tuple[QueueRule, ...] = ()  # the least specific first
    aliases: Aliases = field(default_factory=dict)

    def queue(self, name: bytes, consumer: bytes = b"") -> QueueSettings:
        """Return the settings of a queue, or of a named consumer of it.

        Each comes from the most specific table that gives it; for a consumer, the tables of
        consumers go before those of queues. A queue is never its own target: what a glob would
        send back to it is off for it. Without a dead letter attempts have no limit.
        """
        found = self.merged(name, consumer)
        off: dict[str, Any] = {}
        if found.expire_to == name:
            off["expire_to"] = b""
        if found.dead_letter == name != DROP:
            off["dead_letter"] = b""
        if found.max_attempts and not off.get("dead_letter", found.dead_letter):
            off["max_attempts"] = 0
        if found.copy_from and found.copy_from == consumer:
            off["copy_from"] = b""
        allowed = replace(found, **off) if off else found
        if len(_shared) >= _SHARED:
            _shared.clear()
        return _shared.setdefault(allowed, allowed)

    @property
    def http_addresses(self) -> tuple[Address | UnixAddress, ...]:
        """Where HTTP is to be; none if it is off."""
        if not isinstance(self.http, str):
            return self.http
        if self.http == "auto":
            return (Address("127.0.0.1", _HTTP_PORT),)
        return (Address("0.0.0.0", _HTTP_PORT),) if self.http_token_file is not None else ()

    @property
    def taps(self) -> bool:
        """Whether any queue may be tapped."""
        return any(rule.values.get("tap") for rule in self.queue_rules)

    def targets(self, option: str) -> set[bytes]:
        """The queues that any table gives as `dead_letter` or `expire_to`."""
        found = {rule.values.get(option, b"") for rule in self.queue_rules}
        return found - {b"", DROP if option == "dead_letter" else b""}

    def names(self, option: str, queue: bytes) -> bool:
        """Whether any table gives this option of the queue, be it as it is by default."""
        return any(option in rule.values for rule in self.queue_rules if rule.matches(queue))

    def merged(self, name: bytes, consumer: bytes = b"") -> QueueSettings:
        """Return what the tables give, even what makes no sense for this queue."""
        full = b"%b+%b" % (name, consumer)
        found: dict[str, Any] = {}
        for rule in self.queue_rules:
            if rule.matches(name):
                found = laid_over(found, rule.values)
        for rule in self.queue_rules:
            if consumer and rule.for_consumers and rule.matches(full):
                found |= rule.values
        return chosen(found)


def restart_needed(old: Settings, new: Settings) -> list[str]:
    """Return the options of the server that differ and that a running server cannot change."""
    return [
        name
        for name, each in options(Settings).items()
        if not each.live and getattr(old, name) != getattr(new, name)
    ]
