"""The pump's event loop: what asyncio promises holds, however much clients say."""

import asyncio
import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from darnerpy.server import pump
from tests.conftest import needs_pump

pytestmark = needs_pump


@pytest.fixture
def loop() -> Iterator[pump.PumpLoop]:
    loop = pump.PumpLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


class Talker(asyncio.Protocol):
    """received: called with what comes."""

    transport: "pump.Socket"  # quoted: not everywhere is there one

    def __init__(self, received: Callable[["Talker", bytes], object]) -> None:
        self.lost = False
        self._received = received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, pump.Socket)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received(self, data)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True


def connect(
    loop: pump.PumpLoop, received: Callable[[Talker, bytes], object]
) -> tuple[Talker, socket.socket]:
    own, other = socket.socketpair()
    talker = Talker(received)
    talker.connection_made(loop.pump.add(own, "", talker))  # type: ignore[arg-type]
    talker.transport.resume_reading()
    return talker, other


@pytest.fixture
def flood(loop: pump.PumpLoop) -> Iterator[None]:
    """Clients that have always said something already when they are looked at."""
    others: dict[Talker, socket.socket] = {}
    for _ in range(3):
        talker, other = connect(loop, lambda talker, data: others[talker].send(data))
        others[talker] = other
        other.send(b"x" * 100)
    yield
    for other in others.values():
        other.close()


@pytest.mark.usefixtures("flood")
def test_timers_are_not_kept_waiting(loop: pump.PumpLoop) -> None:
    async def wait() -> None:
        for _ in range(10):
            await asyncio.sleep(0.001)
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(wait(), 20))


@pytest.mark.usefixtures("flood")
def test_threads_are_not_kept_waiting(loop: pump.PumpLoop) -> None:
    async def work() -> None:
        for number in range(10):
            assert await asyncio.to_thread(lambda n=number: n) == number  # type: ignore[misc]

    loop.run_until_complete(asyncio.wait_for(work(), 20))


@pytest.mark.usefixtures("flood")
def test_descriptors_are_not_kept_waiting(loop: pump.PumpLoop) -> None:
    reading, writing = os.pipe()
    read = loop.create_future()

    def readable() -> None:
        if not read.done():
            read.set_result(os.read(reading, 10))

    loop.add_reader(reading, readable)
    os.write(writing, b"x")
    try:
        assert loop.run_until_complete(asyncio.wait_for(read, 20)) == b"x"
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)


def test_who_is_called_soon_or_later_by_a_client_does_not_wait_for_the_next(
    loop: pump.PumpLoop,
) -> None:
    soon, later = loop.create_future(), loop.create_future()

    def received(talker: Talker, data: bytes) -> None:
        loop.call_soon(soon.set_result, data)
        loop.call_later(0.001, later.set_result, data)

    _, other = connect(loop, received)
    with other:
        other.send(b"x")
        both = asyncio.gather(soon, later)
        assert list(loop.run_until_complete(asyncio.wait_for(both, 20))) == [b"x", b"x"]


def test_a_thread_wakes_it(loop: pump.PumpLoop) -> None:
    woken = loop.create_future()
    thread = threading.Timer(0.05, loop.call_soon_threadsafe, (woken.set_result, True))
    thread.start()
    assert loop.run_until_complete(asyncio.wait_for(woken, 20))
    thread.join()


def test_threads_are_heard_in_order_and_each_once(loop: pump.PumpLoop) -> None:
    heard: list[int] = []

    def speak() -> None:
        for number in range(1000):
            loop.call_soon_threadsafe(heard.append, number)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=speak)
    thread.start()
    loop.run_forever()
    thread.join()
    assert heard == list(range(1000))


def test_threads_are_heard_without_leaving_the_pump(
    loop: pump.PumpLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned = 0
    selector: Any = vars(loop)["_selector"]
    select = selector.select

    def counted(timeout: float | None = None) -> Any:
        nonlocal returned
        returned += 1
        return select(timeout)

    monkeypatch.setattr(selector, "select", counted)
    heard = threading.Event()

    def speak() -> None:
        for _ in range(200):
            heard.clear()
            loop.call_soon_threadsafe(heard.set)
            assert heard.wait(20)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=speak)
    thread.start()
    loop.run_forever()
    thread.join()
    assert returned < 20


def test_threads_are_heard_before_the_rest_of_those_who_are_ready(loop: pump.PumpLoop) -> None:
    served: list[int] = []

    def received(talker: Talker, data: bytes) -> None:
        if not served:
            loop.call_soon_threadsafe(lambda: served.append(-1))
        served.append(len(data))

    talkers = [connect(loop, received) for _ in range(20)]
    for _, other in talkers:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        other.setblocking(False)
        other.send(b"x" * (1 << 17))
    loop.call_later(0.2, loop.stop)
    loop.run_forever()
    for _, other in talkers:
        other.close()
    assert len(served) > 20
    assert served.index(-1) < 5


def test_what_comes_after_an_interrupt_is_heard_when_the_loop_goes_on(loop: pump.PumpLoop) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    heard = loop.create_future()
    loop.call_soon_threadsafe(interrupt)
    loop.call_soon_threadsafe(heard.set_result, True)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert loop.run_until_complete(asyncio.wait_for(heard, 20))


def test_who_is_called_soon_before_the_pump_waits_is_not_forgotten(
    loop: pump.PumpLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    selector: Any = vars(loop)["_selector"]
    select = selector.select
    called = loop.create_future()

    def interrupted(timeout: float | None = None) -> Any:
        if timeout is None or timeout > 1:  # as a signal handler does that runs just then
            monkeypatch.undo()
            loop.call_soon(called.set_result, True)
            loop.call_soon_threadsafe(lambda: None)
        return select(timeout)

    monkeypatch.setattr(selector, "select", interrupted)
    assert loop.run_until_complete(asyncio.wait_for(called, 20))


def test_who_asks_itself_again_from_a_thread_leaves_the_others_their_turn(
    loop: pump.PumpLoop,
) -> None:
    asked = 0

    def again() -> None:
        nonlocal asked
        asked += 1
        if not received.done():
            loop.call_soon_threadsafe(again)

    received = loop.create_future()
    _, other = connect(loop, lambda talker, data: received.set_result(data))
    with other:
        loop.call_soon_threadsafe(again)
        loop.call_later(0.01, other.send, b"x")
        assert loop.run_until_complete(asyncio.wait_for(received, 20)) == b"x"
    assert asked > 1


def test_what_a_thread_asked_for_may_fail_or_be_cancelled(loop: pump.PumpLoop) -> None:
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(type(context["exception"])))
    ended = loop.create_future()
    loop.call_soon_threadsafe(lambda: 1 / 0)
    loop.call_soon_threadsafe(told.append, "never").cancel()
    loop.call_soon_threadsafe(ended.set_result, None)
    loop.run_until_complete(asyncio.wait_for(ended, 20))
    assert told == [ZeroDivisionError]


def test_nothing_is_asked_of_a_closed_loop() -> None:
    loop = pump.PumpLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon_threadsafe(print)


def test_what_is_written_between_turns_does_not_wait(loop: pump.PumpLoop) -> None:
    talker, other = connect(loop, lambda talker, data: None)

    async def write_and_read() -> bytes:
        await asyncio.sleep(0.001)
        talker.transport.write(b"hello")
        return await asyncio.to_thread(other.recv, 10)

    with other:
        assert loop.run_until_complete(asyncio.wait_for(write_and_read(), 20)) == b"hello"


def test_what_a_callback_raises_is_told_with_its_transport(loop: pump.PumpLoop) -> None:
    told = loop.create_future()
    loop.set_exception_handler(lambda _, context: told.set_result(context))
    talker, other = connect(loop, lambda talker, data: 1 / 0)
    with other:
        other.send(b"x")
        context = loop.run_until_complete(asyncio.wait_for(told, 20))
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["transport"] is talker.transport
    loop.run_until_complete(asyncio.sleep(0))
    assert talker.lost


def test_an_interrupt_leaves_the_loop(loop: pump.PumpLoop) -> None:
    def received(talker: Talker, data: bytes) -> None:
        raise KeyboardInterrupt

    _, other = connect(loop, received)
    with other:
        other.send(b"x")
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()


def test_the_end_of_a_turn_comes_without_a_client(loop: pump.PumpLoop) -> None:
    ended = loop.create_future()
    loop.call_later(0.001, loop.at_turn_end, lambda: ended.set_result(None))
    loop.run_until_complete(asyncio.wait_for(ended, 20))


def test_who_is_connected_when_the_loop_closes_is_hung_up_on() -> None:
    loop = pump.PumpLoop()
    talker, other = connect(loop, lambda talker, data: None)
    loop.close()
    assert talker.lost
    with other:
        assert other.recv(1) == b""


def test_descriptors_run_out_and_come_back(
    loop: pump.PumpLoop, caplog: pytest.LogCaptureFixture
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    greeted: list[Talker] = []

    def connected() -> Talker:
        greeted.append(Talker(lambda talker, data: talker.transport.write(data)))
        return greeted[-1]

    listener = pump.Listener(loop, [listening], connected, 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(address) as client, caplog.at_level(logging.ERROR):
        most = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        spare = []
        try:
            with suppress(OSError):
                while True:
                    spare.append(os.dup(0))
            loop.run_until_complete(asyncio.sleep(0.01))
            assert not greeted
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for each in spare:
                os.close(each)
        assert [record.getMessage() for record in caplog.records] == [
            "cannot accept a connection: Too many open files"
        ]
        client.send(b"still here")
        answered = asyncio.to_thread(client.recv, 100)
        assert loop.run_until_complete(asyncio.wait_for(answered, 20)) == b"still here"
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
