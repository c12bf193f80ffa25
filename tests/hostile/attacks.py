"""Clients that mean harm, or have no luck. Each kind counts what it did.

They run in a process of their own, so that they do not disturb who measures. Rates are modest: the
question is what they cost the server, not how fast this machine is.
"""

import asyncio
import os
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable

__all__ = ["KINDS", "attack"]

CONVERSATION = (
    b"set hostile 0 0 5\r\nfirst\r\nget hostile/open\r\nget hostile/close/open\r\nget nothing/t=999\r\n"
    b"set hostile 0 0 300000\r\n"
    + b"L" * 300_000
    + b"\r\nget hostile+c/open\r\nget hostile/t=50\r\n"
)
NONSENSE = (
    b"set q 0 0 -1\r\n",
    b"set q 0 0 99999999999\r\n",
    b"set q 0 0 9999999999999999999999\r\n",
    b"set q 0 0 5x\r\nhello\r\n",
    b"set " + b"q" * 251 + b" 0 0 1\r\nx\r\n",
    b"get " + b"x" * 5000,
    b"\x00" * 3000 + b"\r\n",
    b"get q/t=99999999999999999999\r\n",
    b"set q 4294967296 0 1\r\nx\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"set q 0 0 3\r\nlong, longer\r\n",
    b"\r\n" * 1000,
)
HANDSHAKES = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x80\x0b" + b"\x00" * 22)


class Client:
    """A connection without a reader: what comes is only taken when asked for."""

    def __init__(self, counts: Counter[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._counts = counts

    async def connect(self, address: tuple[str, int]) -> "Client":
        await self._loop.sock_connect(self._socket, address)
        self._counts["connections"] += 1
        return self

    async def send(self, data: bytes) -> bool:
        """Whether the server still listens."""
        try:
            await self._loop.sock_sendall(self._socket, data)
        except OSError:
            return False
        return True

    async def receive(self, seconds: float = 1.0) -> bytes:
        try:
            return await asyncio.wait_for(self._loop.sock_recv(self._socket, 1 << 16), seconds)
        except (TimeoutError, OSError):
            return b""

    def leave(self, reset: bool) -> None:
        if reset:
            self._counts["resets"] += 1
            linger = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()


class Attack:
    """What all kinds have: where to go, until when (monotonic), chance, and what was done."""

    def __init__(self, address: tuple[str, int], until: float, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self._address = address
        self._until = until

    def over(self) -> bool:
        return time.monotonic() >= self._until

    async def client(self) -> Client:
        return await Client(self.counts).connect(self._address)

    async def slowly(self, data: bytes) -> None:
        """Byte by byte, for ever; the server may have enough of it at any time."""
        while not self.over():
            client = await self.client()
            for at in range(len(data)):
                if self.over() or not await client.send(data[at : at + 1]):
                    break
                await asyncio.sleep(0.2)
            client.leave(reset=self.chance.random() < 0.5)

    async def slow_line(self) -> None:
        await asyncio.gather(*(self.slowly(b"get " + b"q" * 2000) for _ in range(30)))

    async def slow_body(self) -> None:
        await asyncio.gather(
            *(self.slowly(b"set slow 0 0 %d\r\n" % size + b"x" * size) for size in [2000] * 20),
            *(self.slowly(b"set slow 0 0 900000\r\n" + b"x" * 2000) for _ in range(10)),
        )

    async def slow_handshake(self) -> None:
        await asyncio.gather(*(self.slowly(hello) for hello in HANDSHAKES * 10))

    async def half_uploads(self) -> None:
        """A hundred at once, each stops in the middle."""
        clients = [await self.client() for _ in range(100)]
        for client in clients:
            await client.send(b"set uploads 0 0 1000000\r\n" + b"x" * 270_000)
            self.counts["half uploads"] += 1
        while not self.over():
            await asyncio.sleep(0.1)
        for client in clients:
            client.leave(reset=True)

    async def never_reads(self) -> None:
        async def one() -> None:
            while not self.over():
                client = await self.client()
                listens = True
                while listens and not self.over():
                    try:
                        listens = await asyncio.wait_for(
                            client.send(b"get big/peek\r\n" * 500), 0.5
                        )
                        self.counts["pipelined gets never read"] += 500
                    except TimeoutError:
                        pass
                client.leave(reset=True)

        await asyncio.gather(*(one() for _ in range(10)))

    async def resets(self) -> None:
        while not self.over():
            client = await self.client()
            await client.send(CONVERSATION[: self._place()])
            if self.chance.random() < 0.5:
                await client.receive(0.01)
            client.leave(reset=True)
            await asyncio.sleep(0.01)

    def _place(self) -> int:
        size = len(CONVERSATION)
        return self.chance.choice((self.chance.randrange(130), self.chance.randrange(size), size))

    async def churn(self) -> None:
        while not self.over():
            (await self.client()).leave(reset=self.chance.random() < 0.5)
            await asyncio.sleep(0.004)

    async def nonsense(self) -> None:
        while not self.over():
            client = await self.client()
            await client.send(self.chance.choice(NONSENSE))
            await client.receive(0.05)
            self.counts["nonsense"] += 1
            client.leave(reset=self.chance.random() < 0.5)
            await asyncio.sleep(0.02)


KINDS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    "slow line": Attack.slow_line,
    "slow body": Attack.slow_body,
    "slow handshake": Attack.slow_handshake,
    "half uploads": Attack.half_uploads,
    "never reads": Attack.never_reads,
    "resets": Attack.resets,
    "churn": Attack.churn,
    "nonsense": Attack.nonsense,
}


def attack(address: tuple[str, int], kinds: list[str], seconds: float, seed: int) -> Counter[str]:
    """All of these at once, for so many seconds; returns what was done. Only in a process of its own.

    It is nice: what it takes of the processor is not what is asked about.
    """
    os.nice(19)

    async def run() -> Counter[str]:
        made = Attack(address, time.monotonic() + seconds, seed)
        await asyncio.gather(*(KINDS[kind](made) for kind in kinds))
        return made.counts

    return asyncio.run(run())
