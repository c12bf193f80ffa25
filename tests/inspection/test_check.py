"""`darnerpy check`: what is wrong is found and named, what is right is left alone."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.contract import DiskEngine
from darnerpy.queues.batches import Batch, Mark, Returned
from darnerpy.queues.positions import Span
from tests.inspection.checked import COUNT, WHOLE, check, put_thirty
from tests.inspection.queues import (
    LARGE,
    contents,
    data_directory,
    fingerprints,
    flip,
    harm,
    kept,
    only,
)


@pytest.fixture
def data(tmp_path: Path, engine: DiskEngine) -> Path:
    work = kept(tmp_path / "data", engine)
    put_thirty(work)
    work.close()
    return tmp_path / "data"


def write(data: Path, engine: DiskEngine, batch: Batch) -> None:
    """Have something in the journal of `work` that no queue can have decided."""
    work = kept(data, engine)
    work.journal.write(batch, False)
    work.close()


def test_a_whole_queue_is_clean(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = check(capsys, data, expected=0)
    assert (found["queue"], found["items"], found["kept"]) == ("work", WHOLE, 0)
    assert found["waiting"] == {"": WHOLE, "audit": COUNT - 10}
    assert main(["check", os.fspath(data)]) == 0
    assert capsys.readouterr().out == f"work: {WHOLE} items: clean\n"


def test_after_trimming_there_are_fewer_and_all_is_well(
    tmp_path: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(tmp_path / "data", engine)
    work.put(*(b"%d" % n for n in range(100)))
    work.put_large(b"y" * LARGE)
    work.take(60)
    work.trim()
    work.put(b"last")
    work.close()
    assert check(capsys, tmp_path / "data", expected=0)["items"] == 42


def test_every_wrong_bit_is_told_or_does_no_harm(
    tmp_path: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    work = kept(data, engine)
    for n in range(3):
        work.put(b"item %d" % n)
    work.close()
    path = max((data / "queues/work" / engine.name).iterdir(), key=lambda path: path.stat().st_size)
    original = path.read_bytes()
    used = len(original.rstrip(b"\0"))
    first = original.index(b"item 0")
    told = 0
    for at in range(0, used, 7):
        flip(path, at)
        found = check(capsys, data)
        assert found["items"] == 3 or not found["clean"], at
        told += not found["clean"]
        path.write_bytes(original)
    assert told >= (used - first) // 7


@pytest.mark.parametrize("at", [0, 8, 20, 40])
def test_a_wrong_bit_in_the_head_of_a_segment_is_told_once(
    at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(tmp_path / "data", ArenaEngine())
    work.put(b"x")
    work.close()
    flip(only(tmp_path / "data/queues", "*.segment"), at)
    found = check(capsys, tmp_path / "data", expected=1)
    assert (found["items"], len(found["damage"])) == (1, 1)


def test_a_damaged_item_is_named(
    data: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(data, engine, b"item 7 " * 7)
    found = check(capsys, data, expected=1)
    assert found["engine"] == engine.name
    assert (found["items"], found["damaged"], found["missing"]) == (WHOLE - 1, 1, 0)
    assert (engine.name, 7, 8) in [(d["file"], d["first"], d["stop"]) for d in found["damage"]]
    main(["check", os.fspath(data)])
    out = capsys.readouterr().out
    assert out.startswith("work: 28 items, 1 damaged\n")
    assert f"  damage: {engine.name}: item 7: " in out


def with_a_gap(path: Path, engine: DiskEngine) -> Path:
    """Items 7 and 8 of thirty are not there."""
    work = kept(path, engine)
    work.put(*(b"%d" % n for n in range(1, 7)))
    work.queue.consumer(b"audit")
    work.commit()
    queue = work.queue
    queue.next_id, queue.written, queue.next_offset = 9, 9, queue.next_offset + 2
    for n in range(9, COUNT + 1):
        work.put(b"%d" % n)
    work.close()
    return path


def test_what_lies_behind_a_gap_is_kept(
    tmp_path: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    data = with_a_gap(tmp_path / "data", engine)
    found = check(capsys, data, "--sync", "never", expected=1)
    assert (found["items"], found["missing"], found["kept"]) == (COUNT - 2, 2, COUNT - 8)
    assert found["waiting"] == {"": 6, "audit": 0}
    found = check(capsys, data, "--sync", "always", expected=1)
    assert (found["items"], found["missing"], found["kept"]) == (COUNT - 2, 2, 0)
    assert [(d["first"], d["stop"], d["what"]) for d in found["damage"]] == [(7, 9, "missing")]


@pytest.mark.parametrize("change_file", ["removed", "cut"])
def test_a_large_item_needs_its_file_whole(
    change_file: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = only(data / "queues", "*.item")
    if change_file == "removed":
        path.unlink()
    else:
        os.truncate(path, LARGE - 1)
    found = check(capsys, data, expected=1)
    [damage] = found["damage"]
    assert (damage["file"], damage["first"]) == (f"large/{path.name}", COUNT)
    assert found["damaged"] == 1


def test_half_uploads_are_a_note(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "queues/work/large/7.part").write_bytes(b"half")
    assert check(capsys, data, expected=0)["notes"] == ["half uploads in large/: 7.part"]


def batch_with(number: int, **fields: object) -> Batch:
    batch = Batch(number)
    for name, value in fields.items():
        setattr(batch, name, value)
    return batch


@pytest.mark.parametrize(
    "mark",
    [
        Mark(b"", COUNT + 10, 0, [], True),
        Mark(b"", 1, 0, [Span(5, 9, 10, 20), Span(7, 8, 20, 21)], True),
        Mark(b"", 1, 0, [Span(5, COUNT + 9, 10, 20)], True),
        Mark(b"", 1, 0, [Span(5, 6, 20, 10)], True),
        Mark(b"", 1, 1 << 60, [], True),
        Mark(b"", 1, 0, [], True, [Returned(COUNT + 5, 1, 0)]),
    ],
)
def test_positions_must_be_possible(
    mark: Mark, data: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    end = {"next_id": COUNT + 1, "next_offset": LARGE * 2}
    write(data, engine, batch_with(10_000, marks=[mark], full=True, **end))
    found = check(capsys, data, expected=1)
    assert any("consumer ''" in each["what"] for each in found["damage"])


def test_offsets_must_be_possible(
    data: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(data, engine)
    work.queue.next_offset += 1
    work.put(b"31")
    work.put(b"32")
    mark = Mark(b"", 1, 0, [], False)
    at = {"next_id": 33, "next_offset": 999}
    work.journal.write(batch_with(work.queue.number + 1, marks=[mark], **at), False)
    work.close()
    found = check(capsys, data, expected=1)
    texts = [each["what"] for each in found["damage"]]
    assert any(text.startswith("offset is") for text in texts)
    assert any("before item 33 has offset 999" in text for text in texts)
    assert 31 in {each["first"] for each in found["damage"]}


def test_a_queue_of_another_name_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.rename(data / "queues/work", data / "queues/play")
    found = check(capsys, data, expected=1)
    assert found["queue"] == "play"
    assert "the name in the journal is b'work'" in found["damage"][0]["what"]


def test_a_directory_in_use_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_directory(tmp_path / "data")
    with closing(DataDir(data)):
        assert main(["check", os.fspath(data)]) == 5
    assert (
        f"{data} is in use by another darnerpy (process {os.getpid()})" in capsys.readouterr().err
    )


def test_what_is_no_data_directory_is_not_made_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in ([], ["--repair"]):
        assert main(["check", os.fspath(tmp_path / "nothing"), *flags]) == 2
        assert "is no data directory" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()
    data = data_directory(tmp_path / "data")
    assert main(["check", os.fspath(data), "nosuch"]) == 1
    assert "there is no queue nosuch" in capsys.readouterr().err


# -- repair ----------------------------------------------------------------------------------------


def test_repair_keeps_all_that_is_whole(
    data: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(data)
    harm(data, engine, b"item 7 " * 7)
    damaged = fingerprints(data / "queues/work")
    found = check(capsys, data, "--repair", expected=1)
    said = "28 items kept, 0 of them served again; given up: 1 damaged, 0 missing; as it was"
    assert found["repair"].startswith(said)
    del before[6 - 1]  # item 2 is confirmed, so the list begins 1, 3, 4 …
    assert contents(data) == before
    assert check(capsys, data, expected=0)["items"] == WHOLE - 1
    assert check(capsys, data)["engine"] == engine.name
    [backup] = data.glob("repair-*")
    assert fingerprints(backup / "work") == damaged


def test_repair_serves_what_was_kept_again(
    tmp_path: Path, engine: DiskEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    data = with_a_gap(tmp_path / "data", engine)
    work = kept(data, engine)
    work.queue.lose(Span(7, 9, 6, 8), keep=False)
    work.queue.lose(Span(9, COUNT + 1, 8, work.queue.next_offset), keep=True)
    work.commit()
    work.close()
    assert [each.data for each in contents(data)] == [b"%d" % n for n in range(1, 7)]
    assert check(capsys, data, "--repair", expected=1)["kept"] == COUNT - 8
    assert [each.data for each in contents(data)] == [
        b"%d" % n for n in range(1, COUNT + 1) if n not in (7, 8)
    ]
    check(capsys, data, expected=0)


def test_a_clean_queue_is_not_rewritten(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprints(data)
    assert check(capsys, data, "--repair", expected=0)["repair"] is None
    assert fingerprints(data) == before


def test_a_repair_cut_off_anywhere_loses_nothing(
    data: Path,
    engine: DiskEngine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harm(data, engine, b"item 7 " * 7)
    before = contents(data)

    class Cut(BaseException):
        """The process ends here."""

    rename = os.rename
    for number in range(50):
        left = number

        def cut(source: Path, target: Path) -> None:
            nonlocal left
            if not left:
                raise Cut
            left -= 1
            rename(source, target)

        monkeypatch.setattr(os, "rename", cut)
        try:
            main(["check", os.fspath(data), "--repair"])
        except Cut:
            pass
        else:
            break
        finally:
            monkeypatch.setattr(os, "rename", rename)
        data_directory(data)  # as a server does that starts
        assert contents(data) == before
    else:
        raise AssertionError("it was never done")
    assert number >= 1
    capsys.readouterr()
    check(capsys, data, expected=0)
    assert contents(data) == before


def test_what_was_repaired_and_has_not_its_place_yet_is_looked_at(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off between the two steps in which one queue takes the place of another."""
    (data / ".ready").mkdir(exist_ok=True)
    os.rename(data / "queues/work", data / ".ready/work")
    assert check(capsys, data, expected=0)["items"] == WHOLE
    assert main(["export", "work", "--data", os.fspath(data)]) == 0
    with closing(DataDir(data)):
        assert not (data / ".ready/work").exists()
    capsys.readouterr()
    assert check(capsys, data, expected=0)["items"] == WHOLE
