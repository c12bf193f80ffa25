"""The compiled part of the pump on its own: what it promises to protocols, and when."""

import gc
import os
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

pytest.importorskip("darnerpy.server._pump", reason="the pump is not compiled here")

from tests.server.recorder import Bench, Recorder, reset, tcp_pair

READ = TURN = 128 << 10
HIGH_WATER = 64 << 10


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def fill(recorder: Recorder) -> bytes:
    """Write more than the system takes while the other side does not read; returns what it was."""
    whole = os.urandom(1 << 16) * 64
    for at in range(0, len(whole), 1000):
        recorder.transport.write(whole[at : at + 1000])
    return whole


def read_all(bench: Bench, other: socket.socket, size: int) -> bytes:
    got = b""
    other.setblocking(False)
    while len(got) < size:
        bench.turn()
        try:
            piece = other.recv(1 << 16)
        except BlockingIOError:
            continue
        assert piece, "closed too early"
        got += piece
    return got


# --- a turn


def test_all_is_received_then_the_turn_ends_then_all_is_sent(bench: Bench) -> None:
    pairs = [bench.connect() for _ in range(5)]
    seen: list[str] = []

    def end() -> None:
        seen.append("end")
        for recorder, other in pairs:
            assert recorder.data == b"ask"
            with pytest.raises(BlockingIOError):
                other.recv(10, socket.MSG_DONTWAIT)

    for number, (recorder, _) in enumerate(pairs):

        def answer(recorder: Recorder = recorder, number: int = number) -> None:
            if not number:
                bench.pump.at_turn_end(end)
            recorder.transport.write(b"answer ")
            recorder.transport.write(b"%d" % number)

        recorder.on["data_received"] = answer
    for _, other in pairs:
        other.send(b"ask")
    assert bench.turn() is False
    assert seen == ["end"]
    for number, (_, other) in enumerate(pairs):
        assert other.recv(100) == b"answer %d" % number
    bench.turn()
    assert seen == ["end"], "it is called once"


def test_what_is_written_between_turns_is_sent_by_the_next(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.transport.write(b"hello")
    assert recorder.transport.get_write_buffer_size() == 5
    bench.turn()
    assert other.recv(10) == b"hello"
    assert recorder.transport.get_write_buffer_size() == 0


def test_what_a_turn_end_writes_is_sent_in_that_turn(bench: Bench) -> None:
    recorder, other = bench.connect()
    bench.pump.at_turn_end(lambda: recorder.transport.write(b"late"))
    bench.turn()
    assert other.recv(10) == b"late"


def test_turns_follow_each_other_until_the_loop_has_something_to_do(bench: Bench) -> None:
    (first, first_end), (second, second_end) = bench.connect(), bench.connect()
    first.on["data_received"] = lambda: second_end.send(b"go on")
    second.on["data_received"] = bench.poke
    first_end.send(b"begin")
    assert bench.pump.turns(None) is True
    assert (first.data, second.data) == (b"begin", b"go on")


def test_turns_end_when_the_loop_is_told_something(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.on["data_received"] = bench.pump.leave
    other.send(b"x")
    assert bench.pump.turns(None) is False
    assert recorder.data == b"x"


def test_threads_are_listened_to_once_in_a_turn_and_turns_go_on(bench: Bench) -> None:
    for _ in range(10):
        bench.pump.wake()
    bench.turn()
    assert bench.woken == 1
    bench.turn()
    assert bench.woken == 1
    bench.pump.wake()
    assert not bench.turn(), "and the loop has nothing to do for that"
    assert bench.woken == 2


def test_who_waits_is_woken_by_a_thread(bench: Bench) -> None:
    recorder, other = bench.connect()
    thread = threading.Timer(0.02, bench.pump.wake)

    def woken() -> None:
        recorder.transport.write(b"done")
        bench.poke()

    bench.on_wake = woken
    thread.start()
    assert bench.pump.turns(None)
    thread.join()
    assert other.recv(10) == b"done"


def test_waking_a_pump_that_is_closed_does_nothing(bench: Bench) -> None:
    bench.pump.close()
    bench.pump.wake()
    assert bench.woken == 0


def test_turns_end_when_the_time_is_over(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.on["data_received"] = lambda: other.send(b"x")
    assert bench.pump.turns(0.01) is False
    other.send(b"x")
    assert bench.pump.turns(0.01) is False
    assert len(recorder.told) > 1


def test_turns_within_a_turn_are_refused(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.on["data_received"] = bench.turn
    other.send(b"x")
    bench.turn()
    assert [type(error) for error, _ in bench.failed] == [RuntimeError]


# --- fairness


def test_a_turn_takes_so_much_of_each_and_so_much_in_all(bench: Bench) -> None:
    pairs = [bench.connect() for _ in range(8)]
    sent = 0
    for _, other in pairs:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sent += other.send(bytes(10_000))
    assert sent > len(pairs) * READ
    assert bench.turn() is True, "between two turns the loop may look after its own"
    taken = [len(recorder.data) for recorder, _ in pairs]
    assert max(taken) == READ
    assert TURN <= sum(taken) < TURN + READ
    bench.until(lambda: sum(len(recorder.data) for recorder, _ in pairs) == sent)
    order = [recorder for recorder, name in bench.diary if name == "data_received"]
    assert order[: len(pairs)] == list(dict.fromkeys(order)), "nobody twice before all others once"


def test_one_who_never_stops_does_not_keep_the_loop_from_its_own(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.on["data_received"] = lambda: other.send(b"x")
    other.send(b"x")
    bench.poke()
    assert bench.pump.turns(None) is True


def test_a_turn_end_that_asks_for_another_leaves_others_their_turn(bench: Bench) -> None:
    recorder, other = bench.connect()
    again: list[None] = []

    def end() -> None:
        again.append(None)
        bench.pump.at_turn_end(end)

    bench.pump.at_turn_end(end)
    other.send(b"x")
    bench.turn()
    assert recorder.data == b"x"
    assert 0 < len(again) < 5


# --- writing


@pytest.mark.parametrize("pair", [socket.socketpair, tcp_pair])
def test_a_slow_reader_gets_all_and_the_writer_is_paused(
    bench: Bench, pair: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    recorder, other = bench.connect(pair())
    whole = fill(recorder)
    assert recorder.told == ["pause_writing"]
    size = recorder.transport.get_write_buffer_size()
    assert HIGH_WATER < size <= len(whole)
    assert read_all(bench, other, len(whole)) == whole
    bench.turn()
    assert recorder.told == ["pause_writing", "resume_writing"]
    assert recorder.transport.get_write_buffer_size() == 0


def test_more_is_written_when_writing_is_resumed(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.on["resume_writing"] = lambda: recorder.transport.write(b"the rest")
    whole = fill(recorder)
    assert read_all(bench, other, len(whole) + 8) == whole + b"the rest"


def test_much_is_sent_before_the_turn_ends(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.transport.write(bytes(HIGH_WATER + 1))
    assert other.recv(1)
    assert "pause_writing" not in recorder.told


def test_one_who_does_not_read_can_be_read_from(bench: Bench) -> None:
    recorder, other = bench.connect()
    fill(recorder)
    other.send(b"still here")
    bench.until(lambda: recorder.data == b"still here")


@pytest.mark.parametrize("wrong", ["text", bytearray(b"x"), None])
def test_only_bytes_are_written(bench: Bench, wrong: object) -> None:
    recorder, _ = bench.connect()
    with pytest.raises(TypeError):
        recorder.transport.write(wrong)  # type: ignore[arg-type]


def test_the_end_of_output_follows_what_is_unsent(bench: Bench) -> None:
    recorder, other = bench.connect()
    whole = fill(recorder)
    recorder.transport.write_eof()
    assert read_all(bench, other, len(whole)) == whole
    bench.turn()
    assert other.recv(1) == b""
    other.send(b"I can still speak")
    bench.until(lambda: recorder.data == b"I can still speak")
    with pytest.raises(RuntimeError):
        recorder.transport.write(b"more")


# --- reading


def test_nothing_comes_while_reading_is_paused(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.transport.pause_reading()
    recorder.transport.pause_reading()
    other.send(b"x")
    bench.turn()
    assert not recorder.told
    recorder.transport.resume_reading()
    recorder.transport.resume_reading()
    bench.turn()
    assert recorder.data == b"x"


@pytest.mark.parametrize("how", ["pause_reading", "close", "abort"])
def test_it_holds_from_now_on_also_for_one_found_ready(bench: Bench, how: str) -> None:
    pairs = [bench.connect() for _ in range(3)]

    def stop() -> None:
        for recorder, _ in pairs:
            if not recorder.told:
                getattr(recorder.transport, how)()

    for recorder, other in pairs:
        recorder.on["data_received"] = stop
        other.send(b"x")
    bench.turn()
    assert sum(len(recorder.data) for recorder, _ in pairs) == 1


def test_a_new_protocol_takes_over(bench: Bench) -> None:
    old, other = bench.connect()
    new = Recorder(bench.diary)
    old.on["data_received"] = lambda: old.transport.set_protocol(new)
    other.send(b"first")
    bench.turn()
    other.send(b"second")
    other.close()
    old.stays = new.stays = False
    bench.until(lambda: new.lost)
    assert old.told == [b"first"]
    assert new.told == [b"second", "eof_received", "connection_lost"]


# --- ends


def test_half_closed_and_kept(bench: Bench) -> None:
    recorder, other = bench.connect()
    other.send(b"last words")
    other.shutdown(socket.SHUT_WR)
    bench.until(lambda: "eof_received" in recorder.told)
    for _ in range(5):
        bench.turn()
    assert recorder.told == [b"last words", "eof_received"], "told once, and not asked again"
    recorder.transport.write(b"answer")
    bench.turn()
    assert other.recv(10) == b"answer"
    recorder.transport.close()
    bench.turn()
    assert recorder.lost == [None]


def test_half_closed_and_not_kept(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.stays = False
    whole = fill(recorder)
    other.shutdown(socket.SHUT_WR)
    bench.until(lambda: "eof_received" in recorder.told)
    assert recorder.transport.is_closing()
    assert not recorder.lost
    assert read_all(bench, other, len(whole)) == whole
    bench.turn()
    assert recorder.lost == [None]
    assert other.recv(1) == b""


def test_closed_while_it_is_told_something(bench: Bench) -> None:
    recorder, other = bench.connect()

    def bye() -> None:
        recorder.transport.write(b"bye")
        recorder.transport.close()
        recorder.transport.close()
        assert recorder.transport.is_closing()

    recorder.on["data_received"] = bye
    other.send(b"quit")
    bench.turn()
    assert recorder.lost == [None]
    assert other.recv(10) == b"bye"
    assert other.recv(10) == b""
    recorder.transport.write(b"nobody hears it")
    recorder.transport.abort()
    recorder.transport.pause_reading()
    recorder.transport.resume_reading()
    bench.turn()


def test_aborted_with_much_unsent(bench: Bench) -> None:
    recorder, _ = bench.connect()
    fill(recorder)
    recorder.on["connection_lost"] = recorder.transport.abort
    recorder.transport.abort()
    assert not recorder.lost, "not within another call"
    assert recorder.transport.get_write_buffer_size() == 0
    bench.turn()
    assert recorder.lost == [None]


def test_reset_by_the_other_side(bench: Bench) -> None:
    recorder, other = bench.connect(tcp_pair())
    reset(other)
    bench.until(lambda: recorder.lost)
    assert isinstance(recorder.lost[0], ConnectionResetError)
    assert recorder.told == ["connection_lost"]


def test_reset_while_much_is_unsent_and_reading_is_paused(bench: Bench) -> None:
    recorder, other = bench.connect(tcp_pair())
    recorder.transport.pause_reading()
    fill(recorder)
    reset(other)
    bench.until(lambda: recorder.lost)
    assert isinstance(recorder.lost[0], ConnectionError)


def test_nothing_to_watch_for_nothing_is_noticed(bench: Bench) -> None:
    """As with asyncio's: whoever pauses reading has to look himself. And nothing spins."""
    recorder, other = bench.connect(tcp_pair())
    recorder.transport.pause_reading()
    reset(other)
    assert bench.pump.turns(0.05) is False
    assert not recorder.told
    recorder.transport.resume_reading()
    bench.until(lambda: recorder.lost)


def test_written_to_one_who_has_gone(bench: Bench) -> None:
    recorder, other = bench.connect()
    recorder.transport.pause_reading()
    other.close()
    recorder.transport.write(b"hello?")
    bench.turn()
    assert isinstance(recorder.lost[0], BrokenPipeError)


def test_another_is_lost_and_written_to_in_connection_lost(bench: Bench) -> None:
    (first, first_end), (second, _), (third, third_end) = (bench.connect() for _ in range(3))

    def last() -> None:
        second.transport.abort()
        second.transport.write(b"too late")
        third.transport.write(b"heard")

    first.on["connection_lost"] = last
    first.stays = False
    first_end.close()
    bench.until(lambda: second.lost)
    assert third_end.recv(10) == b"heard"


def test_who_is_left_when_the_pump_closes(bench: Bench) -> None:
    pairs = [bench.connect() for _ in range(3)]
    fill(pairs[0][0])
    pairs[1][0].transport.close()
    bench.pump.close()
    bench.pump.close()
    assert [recorder.lost for recorder, _ in pairs] == [[None]] * 3


# --- what callbacks raise


@pytest.mark.parametrize("where", ["data_received", "eof_received"])
def test_what_it_raises_ends_it_and_nobody_else(bench: Bench, where: str) -> None:
    (bad, bad_end), (good, good_end) = bench.connect(), bench.connect()
    bad.on[where] = lambda: 1 / 0
    for end in (bad_end, good_end):
        end.send(b"x")
        end.shutdown(socket.SHUT_WR)
    bench.until(lambda: bad.lost and "eof_received" in good.told)
    ((error, about),) = bench.failed
    assert isinstance(error, ZeroDivisionError)
    assert error.__traceback__ is not None
    assert about is bad.transport
    assert bad.lost == [error]
    assert not good.lost


@pytest.mark.parametrize("where", ["pause_writing", "resume_writing", "connection_lost"])
def test_what_else_it_raises_is_told(bench: Bench, where: str) -> None:
    recorder, other = bench.connect()
    recorder.on[where] = lambda: 1 / 0
    whole = fill(recorder)
    assert read_all(bench, other, len(whole)) == whole
    recorder.transport.close()
    bench.until(lambda: recorder.lost)
    assert [type(error) for error, _ in bench.failed] == [ZeroDivisionError]
    assert other.recv(1) == b"", "its socket is closed all the same"


def test_what_a_turn_end_raises_is_told(bench: Bench) -> None:
    seen: list[None] = []
    bench.pump.at_turn_end(lambda: 1 / 0)  # type: ignore[arg-type]
    bench.pump.at_turn_end(lambda: seen.append(None))
    bench.turn()
    assert seen
    ((error, about),) = bench.failed
    assert isinstance(error, ZeroDivisionError)
    assert about is None


def test_what_is_not_to_be_gone_on_after_is_raised_when_the_turn_is_over(bench: Bench) -> None:
    (bad, bad_end), (good, good_end) = bench.connect(), bench.connect()
    bench.raises = KeyboardInterrupt
    bad.on["data_received"] = lambda: 1 / 0
    bad_end.send(b"x")
    good_end.send(b"x")
    with pytest.raises(KeyboardInterrupt):
        bench.pump.turns(None)
    assert good.data == b"x"
    good_end.send(b"y")
    bench.turn()
    assert good.data == b"xy"


# --- what it holds


def test_what_is_known_of_it(bench: Bench) -> None:
    own, other = socket.socketpair()
    recorder, _ = bench.connect((own, other))
    info = recorder.transport.get_extra_info
    assert info("socket") is own
    assert info("peername") == "peer"
    assert info("cipher") is None
    assert info("cipher", "none") == "none"
    recorder.transport.abort()
    bench.turn()
    assert own.fileno() == -1


def test_a_socket_is_not_made_by_hand(bench: Bench) -> None:
    recorder, _ = bench.connect()
    with pytest.raises(TypeError):
        type(recorder.transport)()
    with pytest.raises((TypeError, ValueError)):
        bench.pump.add("no socket", "peer", recorder)  # type: ignore[arg-type]


def test_who_is_lost_is_let_go(bench: Bench) -> None:
    recorder, other = bench.connect()
    known = weakref.ref(recorder)
    other.send(b"x")
    bench.turn()
    recorder.transport.abort()
    bench.turn()
    bench.diary.clear()
    del recorder
    gc.collect()
    assert known() is None


def test_a_pump_nobody_closes_is_let_go() -> None:
    bench = Bench()
    recorder, other = bench.connect()
    recorder.transport.write(b"unsent")
    known = weakref.ref(recorder)
    bench.diary.clear()
    own = recorder.transport.get_extra_info("socket")
    bench.disown()
    del recorder, bench
    gc.collect()
    assert known() is None
    own.close()
    other.close()


def test_many_come_and_go_and_nothing_stays(bench: Bench) -> None:
    def come_and_go(count: int) -> None:
        for number in range(count):
            own, other = socket.socketpair()
            recorder = Recorder([])
            recorder.transport = bench.pump.add(own, ("127.0.0.1", number), recorder)
            recorder.transport.resume_reading()
            other.send(b"x" * number)
            recorder.transport.write(b"y" * number)
            recorder.stays = number % 2 == 0
            bench.turn()
            other.close()
            bench.turn()
            recorder.transport.close()
            bench.turn()
            assert len(recorder.lost) == 1

    come_and_go(100)
    gc.collect()
    blocks, descriptors = sys.getallocatedblocks(), len(os.listdir("/proc/self/fd"))
    come_and_go(1000)
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 100
    assert len(os.listdir("/proc/self/fd")) == descriptors
