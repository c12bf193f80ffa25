"""Every input that was ever worth keeping, through the target it was kept for."""

from random import Random

import pytest

from tests.fuzz.engine import CORPUS, Failure, Target, corpus, fails, kind_of, shrink
from tests.fuzz.targets import TARGETS

SEEDS = range(3)
INPUTS = [
    pytest.param(target, data, id=f"{target.name}-{name}")
    for target in TARGETS
    for name, data in corpus(target.name).items()
]


@pytest.mark.parametrize(("target", "data"), INPUTS)
def test_an_input_that_was_kept(target: Target, data: bytes) -> None:
    for seed in SEEDS:
        outcome = fails(target, data, seed)
        assert not isinstance(outcome, Failure), f"{target.promise}:\n{outcome.text}"


def test_every_target_has_a_corpus_and_there_is_no_other() -> None:
    kept = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert kept == {target.name for target in TARGETS}
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 500_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_few_new_inputs(target: Target) -> None:
    random = Random(target.name)
    found: set[str] = set()
    for seed in range(30):
        outcome = fails(target, target.mutate(random, target.make(random)), seed)
        assert not isinstance(outcome, Failure), f"{target.promise}:\n{outcome.text}"
        found |= outcome
    assert len(found) > 2, "all inputs were taken alike: nothing was tried"


def check_broken(random: Random, data: bytes) -> set[str]:
    while b"slow" in data:
        pass
    assert b"bad" not in data
    return set()


BROKEN = Target("broken", "", lambda random: b"", check_broken)


def test_what_fails_is_told_and_made_small() -> None:
    data = b"x" * 50 + b"bad" + b"y" * 50
    failure = fails(BROKEN, data, 0)
    assert isinstance(failure, Failure)
    assert failure.kind.startswith("AssertionError at test_corpus.py:")
    assert shrink(BROKEN, data, 0, failure.kind) == b"bad"
    assert shrink(BROKEN, data, 0, "another") == data


def test_what_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.engine.SECONDS", 0.05)
    failure = fails(BROKEN, b"slow", 0)
    assert isinstance(failure, Failure)
    assert failure.kind == "TooSlow"


def test_messages_of_one_kind() -> None:
    one = kind_of("/tmp/x/q.log: byte 17: 'a' is wrong (or so)")
    assert one == kind_of("/tmp/y/q.log: byte 9: 'b c' is wrong (or not)")
    assert one != kind_of("/tmp/y/q.log: item 9: 'b c' is wrong (or not)")
