"""What a tap tells, as bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.errors import DataFormatError
from darnerpy.queues.events import MOVE, PUT, Events
from darnerpy.server.events import KINDS, Event, begin, decode, encode, span_of
from tests.unit.audit import told

names = st.binary(min_size=1, max_size=250)
numbers = st.integers(0, 2**64 - 1)
sorts = st.tuples(st.integers(0, MOVE), st.just(b"") | names, st.just(b"") | names)


@st.composite
def happened(draw: st.DrawFn) -> Events:
    events = Events(draw(names), draw(st.lists(sorts, min_size=1, max_size=4)), [], [], [])
    rows = st.tuples(st.integers(0, len(events.sorts) - 1), numbers, numbers)
    for of, item_id, size in draw(st.lists(rows, min_size=1, max_size=9)):
        events.of.append(of)
        events.ids.append(item_id)
        events.sizes.append(size)
    return events


def expected(number: int, time: int, turn: list[Events]) -> list[Event]:
    found: list[Event] = []
    for events in turn:
        for kind, consumer, item_id, size, target in told(events):
            about = events.queue, consumer, item_id, size, target
            found.append(Event(number + len(found), time, kind, *about))
    return found


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.lists(happened(), min_size=1, max_size=4))
def test_what_is_told_is_understood(number: int, time: int, turn: list[Events]) -> None:
    ((message, count),) = encode(number, time, turn)
    events = decode(message)
    assert events == expected(number, time, turn)
    assert count == len(events)
    assert span_of(message) == (number, number + count)


def test_a_turn_of_many_events_is_cut_into_messages() -> None:
    two = [(PUT, b"", b""), (MOVE, b"audit", b"failed")]
    turn = [
        Events(name, two, [number % 2 for number in range(many)], list(range(many)), [7] * many)
        for name, many in {b"small": 1, b"large": 20_000, b"last": 2}.items()
    ]
    messages = encode(5, 1, turn)
    assert len(messages) > 2
    assert all(len(message) < 200_000 for message, _ in messages)
    at = 5
    for message, count in messages:
        assert span_of(message) == (at, at + count)
        at += count
    found = [event for message, _ in messages for event in decode(message)]
    assert found == expected(5, 1, turn)


def test_a_start() -> None:
    ((message, count),) = encode(0, 9, [begin(4711)])
    assert count == 1
    assert decode(message) == [Event(0, 9, "start", b"", b"", 4711, 0, b"")]
    assert KINDS[-1] == "start"


def test_another_version_is_refused() -> None:
    ((message, _),) = encode(0, 9, [begin(1)])
    other = bytes([message[0] + 1]) + message[1:]
    for understand in (decode, span_of):
        with pytest.raises(DataFormatError, match="in format 2; this darnerpy knows 1"):
            understand(other)


def test_the_bytes_of_a_message_stay_as_they_are() -> None:
    two = [(PUT, b"", b""), (MOVE, b"audit", b"failed")]
    events = Events(b"work", two, [0, 1], [1, 2], [3, 4])
    ((message, _),) = encode(258, 515, [events])
    assert message.hex(" ") == (
        "01 00 01 00 02 00 00 00 02 01 00 00 00 00 00 00 03 02 00 00 00 00 00 00 "
        "04 00 02 00 02 00 00 00 77 6f 72 6b "
        "00 00 00 0b 05 06 61 75 64 69 74 66 61 69 6c 65 64 "
        "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 "
        "03 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 "
        "00 00 01 00"
    )
