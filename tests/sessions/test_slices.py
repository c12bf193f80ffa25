"""Slices: none takes longer than it may, and nothing is done twice or left out."""

from collections.abc import Iterator
from time import perf_counter

from darnerpy.sessions.slices import Slices, Step


def steps(number: int, seconds: float) -> Iterator[Step]:
    """Each takes so long."""
    for count in range(number):
        until = perf_counter() + seconds
        while perf_counter() < until:
            pass
        yield b"%d" % count


def test_a_slice_ends_in_time() -> None:
    command = Slices(steps(20, 0.001))
    slices = []
    while not command.over:
        slices.append(list(command.take()))
    assert all(len(each) <= 3 for each in slices)
    assert [step for each in slices for step in each] == [b"%d" % count for count in range(20)]


def test_what_is_short_is_one_slice() -> None:
    command = Slices(iter([b"a", None, b"b"]))
    assert list(command.take()) == [b"a", b"b"]
    assert command.over


def test_a_slice_that_was_left_goes_on_with_the_next_step() -> None:
    command = Slices(iter([b"a", b"b"]))
    assert next(command.take()) == b"a"
    assert not command.over
    assert list(command.take()) == [b"b"]
