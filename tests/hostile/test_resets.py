"""Clients that vanish (RST) after every single byte of a conversation: every item is accounted for."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.dialogues import END, STORED, hit
from tests.servers import ServerProcess, Wire, half_uploads, wait_until

LARGE = b"L" * 300_000

CONVERSATION = [
    b"set q 0 0 5\r\nfirst\r\n",
    b"set q 0 0 6\r\nsecond\r\n",
    b"get q/open\r\n",
    b"set q 0 0 5 noreply\r\nthird\r\n",
    b"get q/close/open\r\n",
    b"set q 0 0 300000\r\n" + LARGE + b"\r\n",
    b"get q/abort\r\n",
    b"set q+c 0 0 3\r\nown\r\n",
    b"get q+c/open\r\n",
    b"get q\r\n",
    b"get q/open\r\n",
    b"get q+c/close\r\n",
    b"get q/peek\r\n",
    b"delete other\r\n",
]


@dataclass
class Model:
    """What the conversation does, for a queue `q` and its consumer `c`; items in order."""

    own: list[bytes] = field(default_factory=list)
    named: list[bytes] = field(default_factory=list)
    held: bytes = b""
    held_named: bytes = b""

    def say(self, request: bytes) -> bytes:
        """The reply."""
        line, _, body = request.partition(b"\r\n")
        verb, key = line.split()[:2]
        if verb == b"set":
            self.named.append(body[:-2])
            if key == b"q":
                self.own.append(body[:-2])
            return b"" if line.endswith(b"noreply") else STORED
        if verb == b"delete":
            return b"DELETED\r\n"
        if key == b"q+c/open":
            self.held_named = self.named.pop(0)
            return hit("q+c/open", self.held_named) + END
        if key == b"q+c/close":
            self.held_named = b""
            return END
        if key == b"q/peek":
            return hit("q/peek", self.own[0]) + END
        if key == b"q/abort":
            self.own.insert(0, self.held)
            self.held = b""
            return END
        taken = self.own.pop(0)
        if b"open" in key:
            self.held = taken
        return hit(key.decode(), taken) + END

    def left(self) -> tuple[list[bytes], list[bytes]]:
        """After the client has gone."""
        held, named = [self.held] if self.held else [], [self.held_named] if self.held_named else []
        return held + self.own, named + self.named


def model_after(count: int) -> tuple[Model, bytes]:
    """After so many commands, and all that was replied."""
    model = Model()
    return model, b"".join([model.say(request) for request in CONVERSATION[:count]])


def places() -> Iterator[tuple[int, int]]:
    """Every byte at which to stop, with the number of whole commands before it; few inside LARGE."""
    at = 0
    for number, request in enumerate(CONVERSATION):
        for byte in range(len(request)):
            if len(request) < 1000 or byte < 40 or byte % 65_536 < 2 or byte > len(request) - 10:
                yield at + byte, number
        at += len(request)
    yield at, len(CONVERSATION)


def vanish(wire: Wire) -> None:
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def begin(wire: Wire) -> int:
    """An empty queue with its consumer, and another to be deleted. How many clients there have been."""
    wire.ask(b"delete q\r\n")
    wire.put("other", b"x")
    assert wire.get("q+c") is None
    return int(wire.stats()["total_connections"])


def after(wire: Wire, before: int) -> tuple[list[bytes], list[bytes]]:
    """What is left once the server has seen the client come and go."""
    wire.wait_until("", total_connections=before + 1, curr_connections=1)
    own, named = iter(lambda: wire.get("q"), None), iter(lambda: wire.get("q+c"), None)
    return list(filter(None, own)), list(filter(None, named))


SERVERS = {"uvloop": {"loop": "uvloop"}, "asyncio": {"loop": "asyncio"}, "pump": {"loop": "pump"}}


@pytest.mark.parametrize("part", range(4))
def test_after_the_replies(server: ServerProcess, part: int) -> None:
    """The client has read what it was told: then it is certain what is left."""
    whole = b"".join(CONVERSATION)
    with server.connect() as wire:
        for place, count in list(places())[part::4]:
            before = begin(wire)
            model, replies = model_after(count)
            with server.connect() as client:
                client.send(whole[:place])
                client.expect(replies)
                vanish(client)
            assert after(wire, before) == model.left(), f"after byte {place}"
        check_nothing_stays(server, wire)


@pytest.mark.parametrize("part", range(4))
def test_before_any_reply(server: ServerProcess, part: int) -> None:
    """The server may have got to any command before it notices; a plain get may have cost an item."""
    whole = b"".join(CONVERSATION)
    with server.connect() as wire:
        for place, count in list(places())[part::4]:
            before = begin(wire)
            with server.connect() as client:
                client.send(whole[:place])
                vanish(client)
            possible = [model_after(each)[0].left() for each in range(count + 1)]
            assert after(wire, before) in possible, f"after byte {place}"
        check_nothing_stays(server, wire)


def check_nothing_stays(server: ServerProcess, wire: Wire) -> None:
    wait_until(lambda: not half_uploads(server.data))
    assert wire.stats()["curr_connections"] == "1"
    assert wire.stats("q")["open_transactions"] == "0"
