"""The power goes, or the process: what was acknowledged is there, no batch is there by half."""

from collections import Counter

import pytest

from darnerpy.journals.arena import recovery, walk
from darnerpy.journals.arena.segments import Segment
from darnerpy.journals.arena.syncing import Syncs
from tests.journals.arena.power import History

pytestmark = [pytest.mark.usefixtures("small_blocks"), pytest.mark.timeout(300)]

LIVES = 6


@pytest.mark.parametrize("synced", [True, False])
def test_any_pages_may_have_reached_the_disk(synced: bool, moves: list[bool]) -> None:
    counts: Counter[str] = Counter()
    for seed in range(200):
        history = History(seed, synced)
        history.run(LIVES)
        assert not history.wrong, f"seed {seed}: {history.wrong}"
        counts += history.counts
    assert min(counts[what] for what in ("cuts", "kills", "torn", "trims")) > 50
    assert counts["served"] > counts["cuts"] * 10
    assert moves.count(True) > 50


def found_out(wrong: str, synced: bool) -> bool:
    for seed in range(300):
        history = History(seed, synced)
        history.run(LIVES)
        if any(wrong in each for each in history.wrong):
            return True
    return False


def test_half_batches_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segment, "is_sure", lambda segment, at: True)
    assert found_out("half a batch", synced=False)


def test_a_note_that_hides_what_lies_before_it_would_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beginnings = recovery._beginnings
    monkeypatch.setattr(recovery, "_beginnings", lambda *given: beginnings(*given)[:1])
    assert found_out("acknowledged and missing", synced=True)


def test_a_sync_that_does_nothing_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Syncs, "sync", lambda syncs: None)
    assert found_out("acknowledged and missing", synced=True)


def test_a_cut_that_is_taken_for_damage_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "may_be_cut", lambda file, first, stop: False)
    assert found_out("a cut is taken for damage", synced=False)
