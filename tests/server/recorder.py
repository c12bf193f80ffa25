"""A pump on its own, and protocols that write down what they are told."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from darnerpy.server.pump import Pump, Socket

__all__ = ["Bench", "Recorder", "reset", "tcp_pair"]


class Recorder(asyncio.Protocol):
    """told: the names of its callbacks in order, data as it is. on: what to do in one of them.

    lost: what connection_lost was told. stays: what eof_received answers.
    """

    transport: Socket

    def __init__(self, diary: list[Any]) -> None:
        self.told: list[Any] = []
        self.lost: list[Exception | None] = []
        self.on: dict[str, Callable[[], object]] = {}
        self.stays = True
        self.busy = 0
        self._diary = diary

    @property
    def data(self) -> bytes:
        return b"".join(each for each in self.told if isinstance(each, bytes))

    def data_received(self, data: bytes) -> None:
        self._tell("data_received", data)

    def eof_received(self) -> bool:
        self._tell("eof_received")
        return self.stays

    def pause_writing(self) -> None:
        self._tell("pause_writing")

    def resume_writing(self) -> None:
        self._tell("resume_writing")

    def connection_lost(self, error: Exception | None) -> None:
        assert not self.busy, "within another call"
        assert not self.lost, "twice"
        self.lost.append(error)
        self._tell("connection_lost")

    def _tell(self, name: str, data: bytes | None = None) -> None:
        self.told.append(name if data is None else data)
        self._diary.append((self, name))
        if name in self.on:
            self.busy += 1
            try:
                self.on[name]()
            finally:
                self.busy -= 1


class Bench:
    """pump: with nothing of a loop to do until `poke`. failed: what its callbacks have raised, and
    where. woken: how often threads were listened to, which calls on_wake. diary: every callback of
    every protocol, in order.
    """

    def __init__(self) -> None:
        self.failed: list[tuple[BaseException, Socket | None]] = []
        self.raises: type[BaseException] | None = None
        self.diary: list[Any] = []
        self._loop = os.eventfd(0)
        self.woken = 0
        self.on_wake: Callable[[], object] = lambda: None
        self.pump = Pump(self._loop, self._note, self._wake)
        self._others: list[socket.socket] = []

    def close(self) -> None:
        self.pump.close()
        self.disown()
        for other in self._others:
            other.close()

    def disown(self) -> None:
        """Whoever lets go of it now has the pump as it is."""
        os.close(self._loop)

    def poke(self) -> None:
        """The loop has something to do."""
        os.eventfd_write(self._loop, 1)

    def _wake(self) -> None:
        self.woken += 1
        self.on_wake()

    def connect(
        self, pair: tuple[socket.socket, socket.socket] | None = None
    ) -> tuple[Recorder, socket.socket]:
        """A protocol in the pump, and the other end of its socket."""
        own, other = pair or socket.socketpair()
        other.settimeout(20)
        self._others.append(other)
        recorder = Recorder(self.diary)
        recorder.transport = self.pump.add(own, "peer", recorder)
        recorder.transport.resume_reading()
        return recorder, other

    def turn(self) -> bool:
        """One turn, without waiting."""
        return self.pump.turns(0)

    def until(self, reached: Callable[[], object], most: int = 10_000) -> None:
        """Turn by turn; every turn is short, so that a count of them is a limit enough."""
        for _ in range(most):
            if reached():
                return
            self.pump.turns(0.01)
        raise AssertionError("not reached")

    def _note(self, error: BaseException, about: Socket | None) -> None:
        self.failed.append((error, about))
        if self.raises is not None:
            raise self.raises


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = socket.create_connection(listening.getsockname())
        own, _ = listening.accept()
    return own, other


def reset(other: socket.socket) -> None:
    """Hang up with RST instead of FIN."""
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
