"""Files that were put aside: what the commands for a data directory make of them."""

import json
import os
from pathlib import Path

import pytest

from darnerpy.cli.main import main
from darnerpy.journals.leveldb import opening
from darnerpy.journals.leveldb.quarantine import unfinished
from tests.inspection.queues import contents, data_directory, fingerprints, kept, only

COUNT = 200


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A queue with a wrong bit in its log, which hits item 100."""
    work = kept(tmp_path / "data")
    for n in range(1, COUNT + 1):
        work.put(b"the item %d" % n)
    work.close()
    log = only(tmp_path / "data", "leveldb/*.log")
    damaged = log.read_bytes().replace(b"the item 100", b"the 1tem 100")
    log.write_bytes(damaged)
    return tmp_path / "data"


def counts(capsys: pytest.CaptureFixture[str], data: Path) -> tuple[int, int, int, int]:
    before = fingerprints(data)
    main(["check", os.fspath(data), "--json"])
    assert fingerprints(data) == before
    found = json.loads(capsys.readouterr().out)
    assert not any("name" in each["what"] or "offset" in each["what"] for each in found["damage"])
    return found["items"], found["damaged"], found["missing"], found["kept"]


def test_check_says_the_same_before_in_the_middle_and_after(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (COUNT - 1, 1, 0, 0)
    assert counts(capsys, data) == expected
    before = contents(data)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "win_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept(data)
    assert unfinished(data / "queues/work/leveldb")
    assert counts(capsys, data) == expected
    assert contents(data) == before
    for _ in range(2):
        kept(data).close()
        assert not unfinished(data / "queues/work/leveldb")
        assert counts(capsys, data) == expected
        assert contents(data) == before


def test_when_all_is_confirmed_the_loss_is_still_told(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(data)
    for span, _ in work.found.lost:
        work.queue.lose(span, keep=False)
    work.take(COUNT - 1)
    work.close()
    assert counts(capsys, data) == (0, 1, 0, 0)


def interrupted(*args: object) -> None:
    raise KeyboardInterrupt


def test_repair_takes_it_away_with_the_old_queue(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(data).close()
    before = contents(data)
    assert main(["check", os.fspath(data), "--repair"]) == 1
    capsys.readouterr()
    assert counts(capsys, data) == (COUNT - 1, 0, 0, 0)
    assert contents(data) == before
    assert not (data / "queues/work/damaged").exists()
    assert list(data.glob("repair-*/work/damaged/1/*.log"))
    assert main(["check", os.fspath(data)]) == 0


def test_an_export_has_what_was_won_back(data: Path, tmp_path: Path) -> None:
    kept(data).close()
    target = tmp_path / "work.jsonl"
    main(["export", "work", "--data", os.fspath(data), "--output", os.fspath(target)])
    lines = target.read_text().splitlines()
    assert len(lines) == COUNT - 1 + 2
    other = data_directory(tmp_path / "other")
    code = main(["import", "--from", "jsonl", os.fspath(target), "--data", os.fspath(other)])
    assert code == 0
    assert [each.data for each in contents(other)] == [each.data for each in contents(data)]
