"""All connections: who is connected, whose input is not read, who is on the way out.

Owns the sets of them and the watch over those who take too long. Knows of one connection only what
`Client` says: what it does with what comes is its own affair.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from ..sessions.contract import Host
from .admission import Admission
from .closing import Closing, has_unread
from .liveness import SilenceWatch
from .transport import Transport

__all__ = ["Client", "Connections"]

log = logging.getLogger("darnerpy.server")

_SWEEP_S = 0.5


class Client(Protocol):
    """A connection. address: the client's IP address, None if it has none.

    moved: something has, since the last sweep.
    """

    address: str | None
    moved: bool

    @property
    def peer(self) -> str:
        """Who this is, for the log."""
        ...

    @property
    def silent_ms(self) -> int:
        """How long the client's machine has answered nothing of what was sent to it."""
        ...

    @property
    def idle(self) -> bool:
        """Nothing is asked, held, half received or unsent."""
        ...

    @property
    def unread(self) -> bool:
        """The client has replies to read."""
        ...

    def still_receiving(self) -> bool:
        """The command has not arrived whole that had not when this was last asked."""
        ...

    def look(self) -> None:
        """While its input is not read nobody would notice that the client has hung up."""
        ...

    def drain(self) -> None:
        """The server stops: send what is decided, then close."""
        ...

    def abort(self) -> None:
        """Hang up at once."""
        ...

    def connection_lost(self, error: Exception | None) -> None:
        """As asyncio's protocols are told it."""
        ...


class Connections:
    """Those with a transport; who has said its last word is not counted any more.

    _since: from when on (monotonic milliseconds) one has been idle, a slow sender, a slow reader, 0 if it
    is not; who is none of them is not in it.
    """

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop, admission: Admission) -> None:
        self._host = host
        self._loop = loop
        self._admission = admission
        self._open: set[Client] = set()
        self._paused: set[Client] = set()
        self._closing: set[Closing] = set()
        self._since: dict[Client, Sequence[int]] = {}
        self._stopping = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._silence = SilenceWatch(loop, self._open, lambda: host.settings)

    def __len__(self) -> int:
        return len(self._open) + len(self._closing)

    # -- life --------------------------------------------------------------------------------------

    def watch_over(self) -> None:
        """Have a look now and then, as far as the settings want any."""
        self._sweep_soon()
        self._silence.begin()

    def drain(self) -> None:
        """The server stops: read no more, answer what was decided."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._silence.stop()
        self._stopping = True
        for closing in list(self._closing):
            closing.hurry()
        for client in list(self._open):
            client.drain()

    def abort(self) -> None:
        """Hang up on all who are left."""
        for client in list(self._open):
            client.abort()
        for closing in list(self._closing):
            closing.abort()

    # -- what a connection tells -------------------------------------------------------------------

    def joined(self, client: Client) -> str | None:
        """Returns why it is refused, None if it is not."""
        counters = self._host.counters
        counters.total_connections += 1
        refusal = self._admission.refusal(client.address)
        if refusal is not None:
            counters.refused_connections += 1
            log.warning("a connection is refused: %s", refusal, extra={"peer": client.peer})
            return refusal
        if log.isEnabledFor(logging.DEBUG):
            log.debug("a connection was opened", extra={"peer": client.peer})
        self._open.add(client)
        self._admission.joined(client.address)
        return None

    def left(self, client: Client) -> None:
        if client in self._open:
            if log.isEnabledFor(logging.DEBUG):
                log.debug("a connection was closed", extra={"peer": client.peer})
            self._open.discard(client)
            self._paused.discard(client)
            self._since.pop(client, None)
            self._admission.left(client.address)

    def reading_paused(self, client: Client, paused: bool) -> None:
        """Whether its input is not being read: then its end has to be looked for."""
        if paused:
            self._paused.add(client)
            self._sweep_soon()
        else:
            self._paused.discard(client)

    def close(self, client: Client, transport: Transport, ends: bool) -> None:
        """Its last word is said. ends: the client has stopped sending, so nothing more will come."""
        idle = ends or (self._stopping and not has_unread(transport))
        if idle or self._admission.closing >= self._admission.most_closing:
            transport.close()
            return

        def moved() -> None:
            client.moved = True

        def lost(error: Exception | None) -> None:
            self._closing.discard(closing)
            self._admission.closing -= 1
            client.connection_lost(error)

        closing = Closing(transport, self._loop, moved, lost)
        self._closing.add(closing)
        self._admission.closing += 1

    # -- those who take too long -------------------------------------------------------------------

    def _sweep_soon(self) -> None:
        if self._sweeper is None and not self._stopping and (self._paused or any(self._limits)):
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    @property
    def _limits(self) -> tuple[int | None, ...]:
        """In milliseconds, for an idle client, a slow sender and a slow reader."""
        settings = self._host.settings
        return settings.client_timeout, settings.receive_timeout, settings.send_timeout

    def _sweep(self) -> None:
        for client in list(self._paused):
            client.look()
        if any(self._limits):
            self._close_the_slow()
        self._sweeper = None
        self._sweep_soon()

    def _close_the_slow(self) -> None:
        """Now and then look who has been in one state for too long: the hot path keeps no times."""
        now = self._host.clock.monotonic_ms()
        limits = self._limits
        words = ("idle", "slow sender", "slow reader")
        for client in list(self._open):
            moved, client.moved = client.moved, False
            states = (
                client.idle and not moved,
                client.still_receiving(),
                client.unread and not moved,
            )
            pairs = zip(limits, states, strict=True)
            slow = [state and limit is not None for limit, state in pairs]
            if not any(slow):
                self._since.pop(client, None)
                continue
            before = self._since.get(client, (0, 0, 0))
            since = [(was or now) * yes for was, yes in zip(before, slow, strict=True)]
            self._since[client] = since
            for limit, was, word in zip(limits, since, words, strict=True):
                if was and limit is not None and now - was >= limit:
                    log.info(
                        "closing a connection: %s for %d ms",
                        word,
                        limit,
                        extra={"peer": client.peer},
                    )
                    client.abort()
                    break
