"""A session without a socket, over a real broker whose journals can be held up or broken."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

from darnerpy.clock import SystemClock
from darnerpy.config import Settings
from darnerpy.protocol.contract import Codec, Replies
from darnerpy.protocol.kestrel import KestrelCodec
from darnerpy.protocol.kestrel_replies import REPLIES as TEXT
from darnerpy.protocol.replies import MEMCACHED
from darnerpy.protocol.text import CodecLimits, TextCodec
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Guard
from darnerpy.sessions.session import Session
from tests.brokers.house import House, until

__all__ = ["Desk", "host_of"]


def host_of(house: House, **settings: object) -> Host:
    """What the sessions of a house share."""
    clock, loop = SystemClock(), asyncio.get_running_loop()
    chosen = replace(Settings(data=house.directory), **settings)  # type: ignore[arg-type]
    guard = Guard(house.directory / "STATUS", house.broker.space, loop, 0)
    return Host(house.broker, chosen, clock, loop, guard)


class Desk:
    """One client's session; what it answers is in `told`."""

    peer = "desk"

    def __init__(self, host: Host, text: bool = False) -> None:
        self.paused = False
        self.gone = False
        self.reachable = True
        self.closed = False
        self.told = b""
        self._codec = self.codec(text)
        replies: Replies = TEXT if text else MEMCACHED
        self.session = Session(host, self, replies)

    @staticmethod
    def codec(text: bool) -> Codec:
        return KestrelCodec(CodecLimits()) if text else TextCodec(CodecLimits())

    def say(self, sent: bytes) -> None:
        self.session.receive(self._codec.feed(sent))

    async def hears(self, expected: bytes) -> None:
        """Exactly this comes."""
        await until(lambda: len(self.told) >= len(expected))
        assert self.told == expected
        self.told = b""

    # -- what the session asks of it

    def write(self, data: bytes) -> None:
        self.told += data

    def send_file(self, handle: int, size: int, done: Callable[[bool], None]) -> None:
        self.told += os.pread(handle, size, 0)
        os.close(handle)
        done(True)

    def keep(self, change: int) -> None:
        pass

    def is_gone(self) -> bool:
        return self.gone

    def is_reachable(self) -> bool:
        return self.reachable

    def regulate(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
