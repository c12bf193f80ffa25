"""The lock that an interruption leaves free. Real signals, wherever they come."""

import signal
import threading
from collections.abc import Iterator
from random import Random
from types import FrameType

import pytest

from darnerpy.locks import Lock


class Interruption(Exception):
    pass


@pytest.fixture
def alarms() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarms")
def test_whoever_is_interrupted_leaves_it_free() -> None:
    lock, chance = Lock(), Random(1)
    for _ in range(500):
        with pytest.raises(Interruption):  # noqa: PT012
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, 0.0002))
            while True:
                with lock:
                    pass
        assert lock.acquire(blocking=False)
        lock.release()


@pytest.mark.usefixtures("alarms")
def test_whoever_is_interrupted_waiting_for_it_does_not_take_it_from_its_owner() -> None:
    lock, here, go_on = Lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            here.set()
            assert go_on.wait(20)

    owner = threading.Thread(target=hold)
    owner.start()
    assert here.wait(20)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    with pytest.raises(Interruption), lock:
        raise AssertionError("it is another's")
    assert not lock.acquire(blocking=False)
    go_on.set()
    owner.join()
    assert lock.acquire(timeout=0)
    lock.release()


def test_nobody_has_it_twice() -> None:
    lock = Lock()
    with lock:
        assert not lock.acquire(blocking=False)
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_condition_of_it() -> None:
    """As the library's work waits for it."""
    lock, done = Lock(), False
    condition = threading.Condition(lock)

    def work() -> None:
        nonlocal done
        with lock:
            done = True
            condition.notify_all()

    with lock:
        worker = threading.Thread(target=work)
        worker.start()
        assert condition.wait_for(lambda: done, timeout=20)
    worker.join()
    assert lock.acquire(blocking=False)
    lock.release()
