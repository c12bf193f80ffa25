"""`darnerpy convert`: another engine, and nothing else is different."""

import errno
import json
import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.journals import engines
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.contract import Damage, DiskEngine
from darnerpy.journals.records import block_key
from darnerpy.names import file_name
from darnerpy.queues.batches import PAUSED_PUTS, Lease
from darnerpy.queues.positions import Span
from tests.inspection.everything import everything
from tests.inspection.queues import data_directory, fill, fingerprints
from tests.journals.kept import Kept

PAIRS = [("leveldb", "arena"), ("arena", "leveldb")]


def engine(name: str) -> DiskEngine:
    return engines.DISK_ENGINES[name]


def queue_of(data: Path, engine_name: str, name: str = "work") -> Kept:
    directory = data_directory(data) / "queues" / file_name(name.encode())
    return Kept(directory, engine(engine_name), name=name.encode())


def convert(
    capsys: pytest.CaptureFixture[str], data: Path, to: str, *queues: str
) -> tuple[int, list[dict[str, Any]]]:
    arguments = ["--engine", to, "--data", os.fspath(data), "--json"]
    code = main(["convert", *(queues or ("work",)), *arguments])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_everything_is_as_it_was(
    before: str, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, before)
    fill(kept)
    kept.queue.put(b"later", 5, 0, 0, due=1_900_000_000_000).items[-1].created += 5
    kept.queue.own.begin_lease(Lease(1, 3, 2**63 + 1, 1_700_000_030_000))
    kept.queue.paused = PAUSED_PUTS
    kept.commit_full()
    kept.close()
    directory = data / "queues/work"
    expected = everything(directory)
    assert expected["returns"]
    assert expected["leases"]
    assert expected["paused"]
    assert len(expected["positions"]) == 3
    [large] = (directory / "large").iterdir()
    same = large.stat().st_ino
    code, [told] = convert(capsys, data, after)
    assert (code, told["from"], told["to"], told["converted"]) == (0, before, after, True)
    assert told["items"] == len(expected["items"])
    assert everything(directory) == expected
    assert sorted(os.listdir(directory)) == sorted([after, "large"])
    [large] = (directory / "large").iterdir()
    assert large.stat().st_ino == same, "a large item was copied"
    assert not [*data.glob(".*/*")]
    code, [told] = convert(capsys, data, before)
    assert (code, told["to"]) == (0, before)
    assert everything(directory) == expected


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_queue_goes_on_where_it_was(
    before: str, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, before)
    fill(kept)
    number, waiting = kept.queue.number, kept.waiting
    kept.close()
    convert(capsys, data, after)
    kept = queue_of(data, after)
    assert kept.queue.number >= number
    assert kept.waiting == waiting
    kept.put(b"later")
    assert kept.waiting == [*waiting, b"later"]
    kept.take(len(waiting))
    kept.trim()
    kept.reopen()
    assert kept.waiting == [b"later"]
    kept.close()


Steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "take", "open", "close", "abort", "flush", "large", "trim"]),
        st.integers(0, 5),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(Steps, st.sampled_from(PAIRS))
def test_whatever_has_happened_to_it(steps: list[tuple[str, int]], pair: tuple[str, str]) -> None:
    before, after = pair
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        kept = queue_of(data, before)
        live(kept, steps)
        kept.close()
        expected = everything(data / "queues/work")
        for to in (after, before):
            assert main(["convert", "work", "--engine", to, "--data", os.fspath(data)]) == 0
            assert everything(data / "queues/work") == expected


def live(kept: Kept, steps: list[tuple[str, int]]) -> None:
    queue = kept.queue
    for step, number in steps:
        reader = queue.consumer(b"audit") if number == 5 else queue.own
        held = list(reader.open.values())
        if step == "put":
            kept.put(*(b"%d" % n for n in range(number)))
        elif step == "large":
            kept.put_large(b"L" * 10)
        elif step == "take":
            kept.take(number)
        elif step == "open":
            kept.load()
            queue.open(reader)
        elif step == "close" and held:
            queue.close(held[number % len(held)])
        elif step == "abort" and held:
            queue.abort(held[number % len(held)])
        elif step == "flush":
            queue.flush()
        elif step == "trim":
            kept.trim()
        kept.commit()


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_is_kept_or_lost_stays_so(
    before: str, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, before)
    for n in range(1, 21):
        kept.put(b"%d" % n)
    gap, behind = Span(5, 7, 4, 6), Span(7, 12, 6, 14)
    lost = [
        (Span(3, 4, 2, 3), Damage("a wrong bit", 3, 4)),
        (gap, Damage("items are missing", 5, 7, missing=True)),
    ]
    kept.journal.note_lost(lost)
    kept.queue.lose(lost[0][0], keep=True)
    kept.queue.lose(gap, keep=False)
    kept.queue.lose(behind, keep=True)
    kept.commit()
    kept.close()
    expected = everything(data / "queues/work")
    assert expected["kept"]
    assert expected["lost"] == [(3, 4, False), (5, 7, True)]
    code, [told] = convert(capsys, data, after)
    assert (code, told["lost"]) == (0, 3)
    assert everything(data / "queues/work") == expected


def test_a_damaged_queue_stays_as_it_is_and_the_others_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for name in ("work", "works", "play"):
        kept = queue_of(data, "leveldb", name)
        kept.put(b"1", b"2")
        if name == "work":
            key = block_key(1)
            database = kept.journal._db  # type: ignore[attr-defined]
            database.put(key, database.get(key)[:-1] + b"?")
        kept.close()
    before = fingerprints(data / "queues/work")
    code, told = convert(capsys, data, "arena", "work*", "nosuch")
    assert code == 1
    assert [each["converted"] for each in told] == [False, True]
    assert "wrong checksum: have it repaired first" in told[0]["refused"]
    assert fingerprints(data / "queues/work") == before
    assert engines.engine_in(data / "queues/works", [ArenaEngine()])
    assert not engines.engine_in(data / "queues/play", [ArenaEngine()])
    assert main(["convert", "nosuch", "--engine", "arena", "--data", os.fspath(data)]) == 1
    assert f"{data}: there is no queue nosuch" in capsys.readouterr().err
    assert main(["check", os.fspath(data), "--repair"]) == 1
    capsys.readouterr()
    assert convert(capsys, data, "arena")[0] == 0


def test_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, "leveldb", "w[1]")
    kept.put(b"1", b"22")
    kept.close()
    arguments = ["--engine", "arena", "--data", os.fspath(data)]
    assert main(["convert", "w[1]", *arguments]) == 0  # a name before it is a pattern
    assert capsys.readouterr().out == "w[1]: leveldb -> arena: 2 items, 3 bytes\n"
    before = fingerprints(data)
    assert main(["convert", "w*", *arguments]) == 0
    assert capsys.readouterr().out == "w[1]: arena already, nothing was done\n"
    assert fingerprints(data) == before


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = data_directory(tmp_path / "data")
    with closing(DataDir(data)):
        assert convert(capsys, data, "arena")[0] == 5
    assert convert(capsys, tmp_path / "nothing", "arena")[0] == 2
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(SystemExit, match="2"):
        convert(capsys, data, "memory")
    for name, why in (
        ("a b", "may not contain byte 0x20 (at 1)"),
        ("work+audit", "not a consumer"),
    ):
        with pytest.raises(SystemExit, match="2"):
            convert(capsys, data, "arena", name)
        assert why in capsys.readouterr().err


def test_two_journals_in_one_directory_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for name in ("leveldb", "arena"):
        queue_of(data, name).close()
    code, [told] = convert(capsys, data, "arena")
    assert code == 1
    assert "has journals of leveldb and arena" in told["refused"]
    assert main(["check", os.fspath(data)]) == 1
    assert "has journals of leveldb and arena" in capsys.readouterr().out


def test_what_is_no_engines_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, "leveldb")
    kept.put(b"1")
    kept.close()
    directory = data / "queues/work"
    (directory / "damaged/1").mkdir(parents=True)
    (directory / "damaged/1/000003.log").write_bytes(b"as it was")
    (directory / "damaged/1/DONE").write_text("told")
    (directory / "README").write_text("by hand")
    assert convert(capsys, data, "arena")[0] == 0
    assert [name for name in sorted(fingerprints(directory)) if not name.endswith(".spare")] == [
        "README",
        "arena/0000000000000001.segment",
        "damaged/1/000003.log",
        "damaged/1/DONE",
    ]


def test_a_disk_that_is_full_leaves_the_queue_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    kept = queue_of(data, "leveldb")
    fill(kept)
    kept.close()
    before = fingerprints(data)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        code, [told] = convert(capsys, data, "arena")
    assert (code, told["converted"]) == (1, False)
    assert "No space left" in told["refused"]
    assert fingerprints(data) == before
