"""The judges of histories: silent about a queue that keeps its promises, never about one that does not."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from darnerpy.errors import DarnerError
from darnerpy.testing.accounting import check_accounting
from darnerpy.testing.history import Event, Finding, History, Operation
from darnerpy.testing.linear import check_linearizable
from darnerpy.testing.order import check_order
from tests.testing.model import Simulation
from tests.testing.mutations import MUTATIONS, READS, Settings

KINDS = (*READS, "put", "expiring", "flush", "delete", "hang up")

chances = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1 << 32),
        "kinds": st.lists(st.sampled_from(KINDS), min_size=1, max_size=15).map(
            lambda kinds: ("put", *kinds)
        ),
        "clients": st.integers(1, 5),
        "kills": st.integers(0, 2),
        "named": st.sampled_from([(), ("a",), ("a", "b")]),
        "open_timeout": st.sampled_from([None, 0.02, 0.2]),
    }
)


KILLED_WHILE_FOUNDED: Settings = {
    "seed": 17500,
    "kinds": ("put", "open", "get", "wait"),
    "clients": 3,
    "kills": 1,
    "named": ("a", "b"),
    "open_timeout": None,
}
"""A client is told END by a consumer that another one has made, which is killed unanswered."""

KILLED_TWICE: Settings = {
    "seed": 903560,
    "kinds": (
        *("put", "flush", "close", "get", "peek", "open"),
        *("flush", "hang up", "open", "hang up", "expiring"),
    ),
    "clients": 2,
    "kills": 2,
    "named": (),
    "open_timeout": 0.02,
}
"""What a flush has left, unanswered, is seen after the first kill."""


def judge(history: History) -> list[Finding]:
    return check_accounting(history, 1) + check_order(history, 1)


@given(chances, st.floats(0.1, 2))
@example(KILLED_WHILE_FOUNDED, 0.1)
@example(KILLED_TWICE, 0.1)
def test_nothing_is_found_where_nothing_is_wrong(chances: Settings, until: float) -> None:
    assert not judge(Simulation(**chances, until=until).run())


@settings(max_examples=30)
@given(chances)
@example(KILLED_WHILE_FOUNDED)
def test_an_order_is_found_where_there_is_one(chances: Settings) -> None:
    chances |= {"clients": min(3, chances["clients"])}
    history = Simulation(**chances, until=0.1).run()
    try:
        findings = check_linearizable(history, 1, bound=5_000)
    except DarnerError:
        return  # undecided
    assert not findings


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_what_is_wrong_is_found(mutation: type[Simulation]) -> None:
    histories = (mutation(seed, **MUTATIONS[mutation]).run() for seed in range(10))
    assert any(judge(history) for history in histories)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_no_order_is_found_where_there_is_none(mutation: type[Simulation]) -> None:
    chances = MUTATIONS[mutation] | {"clients": 3, "until": 0.3}
    for seed in range(40):
        try:
            if check_linearizable(mutation(seed, **chances).run(), 1, bound=3_000):
                return
        except DarnerError:
            continue
    pytest.fail("not found")


# -- what is found, and what is said about it ------------------------------------------------------


def op(line: str, begin: float, end: float | None, **more: Any) -> Operation:
    """`client kind queue[+consumer] [value]`, asked and answered when."""
    client, kind, name, *value = line.split()
    queue, _, consumer = name.partition("+")
    outcome = "unknown" if end is None else "ok"
    fields: dict[str, Any] = {
        "client": client,
        "kind": kind,
        "queue": queue,
        "consumer": consumer,
        "value": value[0] if value else None,
        "outcome": outcome,
    }
    return Operation(**(fields | more), invoked=begin, returned=end)


def found(*operations: Operation, events: tuple[Event, ...] = (), drained: bool = True) -> set[str]:
    """What the quick judges find. The slow one must find something if and only if they do."""
    left = [("q", "")] if drained else []
    history = History(list(operations), list(events), left)
    findings = judge(history)
    assert bool(check_linearizable(history, 1)) == bool(findings)
    for finding in findings:
        assert all(str(operation) in str(finding) for operation in finding.operations)
    return {finding.what for finding in findings}


PUT_A, PUT_B = op("p put q a", 1, 2), op("p put q b", 3, 4)
END = op("d get q", 90, 91)


def test_a_plain_get_without_an_answer_excuses_one_item() -> None:
    unheard = op("c get q", 5, None)
    assert found(PUT_A, PUT_B, op("d get q b", 8, 9), END) == {"lost", "out of order"}
    gone = (Event("disconnected", 6, "c"), Event("settled", 7, "c"))
    assert not found(PUT_A, PUT_B, unheard, op("d get q b", 8, 9), END, events=gone)
    assert "lost" in found(PUT_A, PUT_B, unheard, END, events=gone)


def test_a_get_that_ended_before_the_put_excuses_nothing() -> None:
    gone = (Event("disconnected", 0.1, "c"), Event("settled", 0.2, "c"))
    assert "lost" in found(op("c get q", 0, None), PUT_A, END, events=gone)


def test_a_close_without_an_answer_may_have_worked() -> None:
    opened, closing = op("c open q a", 5, 6), op("c close q a", 7, None)
    killed = (Event("killed", 8), Event("started", 10))
    assert not found(PUT_A, opened, closing, END, events=killed)
    assert not found(PUT_A, opened, closing, op("d get q a", 11, 12), END, events=killed)
    assert found(PUT_A, opened, closing, op("d get q a", 6.5, 7.5), END, events=killed)


def test_a_put_without_an_answer_may_have_worked_once() -> None:
    put = op("p put q a", 1, None)
    killed = (Event("killed", 1.5), Event("started", 2))
    assert not found(put, END, events=killed)
    assert not found(put, op("d get q a", 5, 6), END, events=killed)
    twice = (op("d get q a", 5, 6), op("d get q a", 7, 8))
    assert found(put, *twice, END, events=killed) == {"delivered twice"}


def test_what_is_aborted_comes_before_what_was_put_after_it() -> None:
    opened, aborted = op("c open q a", 5, 6), op("c abort q a", 7, 8)
    rest = (op("d get q a", 11, 12), END)
    assert not found(PUT_A, PUT_B, opened, op("d get q b", 6, 7), aborted, *rest)
    assert not found(PUT_A, PUT_B, opened, op("d get q b", 7.5, 10), aborted, *rest)
    late = op("d get q b", 9, 10)
    assert found(PUT_A, PUT_B, opened, late, aborted, *rest) == {"out of order"}


def test_what_was_held_is_back_when_its_holder_is_gone() -> None:
    opened = op("c open q a", 5, 6)
    gone = (Event("disconnected", 7, "c"), Event("settled", 8, "c"))
    rest = (op("d get q a", 20, 21), END)
    assert not found(PUT_A, opened, op("e get q", 7.2, 8.5), *rest, events=gone)
    assert found(PUT_A, opened, op("e get q", 8.5, 9), *rest, events=gone) == {
        "END was said too early"
    }
    assert not found(PUT_A, opened, op("e get q a", 7.2, 7.5), END, events=gone)
    assert found(PUT_A, opened, op("e get q a", 6.2, 6.5), END, events=gone) == {"delivered twice"}


def test_an_item_that_expires_may_vanish_then_and_not_before() -> None:
    put = op("p put q a", 1, 2, lasts=10.0)
    assert not found(put, op("d get q", 11.5, 11.6), END)
    assert not found(put, op("d get q a", 11.5, 11.6), END)
    assert found(put, op("d get q a", 12.5, 12.6), END) == {"expired item delivered"}
    assert found(put, op("d get q", 9, 9.1), END) == {"END was said too early"}


def test_an_open_read_that_times_out_comes_again_then_and_not_before() -> None:
    opened = op("c open q a", 5, 6, lasts=10.0)
    late_close = op("c close q a", 17, 18)
    assert not found(PUT_A, opened, op("d get q a", 15.5, 15.6), late_close, END)
    assert found(PUT_A, opened, op("d get q a", 14, 14.5), late_close, END) == {"delivered twice"}


def test_flush_discards_what_waits_and_leaves_what_is_held() -> None:
    flush = op("f flush q", 10, 11)
    assert not found(PUT_A, flush, END)
    assert found(PUT_A, flush, op("d get q a", 12, 13), END) == {"discarded item delivered"}
    held = (op("c open q a", 5, 6), op("c abort q a", 12, 13))
    assert not found(PUT_A, *held, flush, op("d get q a", 14, 15), END)
    assert found(PUT_A, *held, op("f delete q", 10, 11), op("d get q a", 14, 15), END) == {
        "discarded item delivered"
    }


def test_a_consumer_sees_what_was_put_since_it_was_named() -> None:
    named = op("c peek q+x", 2.4, 2.5)
    rest = (op("d get q a", 20, 21), op("d get q b", 22, 23), END)
    assert not found(PUT_A, named, PUT_B, op("d get q+x b", 30, 31), *rest)
    assert "another's item" in found(PUT_A, named, op("d get q+x a", 30, 31), PUT_B, *rest)
    assert found(PUT_A, named, op("d get q+x", 30, 31), PUT_B, *rest) == {"END was said too early"}


def test_what_nobody_put_here_is_told_from_what_was_put_elsewhere() -> None:
    assert found(op("d get q x", 5, 6), END) == {"invented"}
    assert found(op("p put other a", 1, 2), op("d get q a", 5, 6), END) == {"another's item"}
    refused = op("p put q a", 1, 2, outcome="refused")
    assert found(refused, op("d get q a", 5, 6), END) == {"refused item delivered"}
    assert "invented" in found(op("d get q a", 0, 0.5), PUT_A, END)


def test_losses_are_seen_only_in_what_was_drained() -> None:
    assert not found(PUT_A, drained=False)
    assert found(PUT_A, END, drained=False) == {"END was said too early"}


def test_a_history_is_kept_as_json() -> None:
    history = Simulation(1, kinds=KINDS, kills=1).run()
    assert History.from_json(history.to_json()) == history


def test_a_history_of_many_operations_is_judged_quickly() -> None:
    """Quadratic in 60 000 operations would take hours."""
    puts = [op(f"p put q v{n}", 2 * n, 2 * n + 1) for n in range(30_000)]
    gets = [op(f"c get q v{n}", 2 * n + 60_000, 2 * n + 60_001) for n in range(30_000)]
    assert not judge(History([*puts, *gets], drained=[("q", "")]))
    gets[20_000], gets[20_001] = (
        op("c get q v20001", 100_000, 100_001),
        op("c get q v20000", 100_002, 100_003),
    )
    assert [finding.what for finding in judge(History([*puts, *gets]))] == ["out of order"]
