"""Versions of the data directory: every released one opens, a newer one is refused, steps lead up."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from darnerpy.brokers import formats
from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.errors import DataDirError, DataFormatError
from darnerpy.queues.batches import PAUSED_PUTS
from tests.fixtures.make import AUDITED, DEAD, LATER, ODD, WAITING, fill
from tests.inspection.queues import contents, data_directory, fingerprints, paused
from tests.servers import ServerProcess

FIXTURES = Path(__file__).parents[1] / "fixtures"
RELEASED = sorted(FIXTURES.glob("format-*"))


def test_there_is_a_fixture_of_every_version() -> None:
    assert [path.name for path in RELEASED] == [f"format-{n + 1}" for n in range(formats.CURRENT)]


@pytest.mark.parametrize("fixture", RELEASED, ids=lambda path: path.name)
def test_a_released_version_opens_and_drains(fixture: Path, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    shutil.copytree(fixture, server.data)
    with server, server.connect() as wire:
        for key, expected in (("work", WAITING), ("work+audit", AUDITED), ("graves", [DEAD])):
            assert [wire.get(key) for _ in expected] == expected
            assert wire.get(key) is None
        assert wire.get("Big%Name") == ODD


@pytest.mark.parametrize("fixture", RELEASED, ids=lambda path: path.name)
def test_a_released_version_is_looked_at_as_it_is(fixture: Path, tmp_path: Path) -> None:
    data = shutil.copytree(fixture, tmp_path / "data")
    before = fingerprints(data)
    assert main(["check", os.fspath(data)]) == 0
    flags = ["--data", os.fspath(data), "--output", os.fspath(tmp_path / "file")]
    assert main(["export", "work", *flags]) == 0
    assert fingerprints(data) == before


@pytest.mark.parametrize("fixture", RELEASED[1:], ids=lambda path: path.name)
def test_what_came_with_format_2_is_there(fixture: Path, tmp_path: Path) -> None:
    data = shutil.copytree(fixture, tmp_path / "data")
    found = contents(data, "later")
    assert [each.data for each in found] == [item.data for item in LATER]
    assert [each.created for each in found] == [item.created for item in LATER]
    assert [each.due for each in found] == [item.due for item in LATER]
    assert [each.leases for each in found] == [(), (), ((b"", 1, 77, 1_700_000_030_000),), ()]
    assert paused(data, "later") == PAUSED_PUTS


@pytest.mark.parametrize("fixture", RELEASED, ids=lambda path: path.name)
def test_a_released_version_is_clean_and_keeps_attempts(fixture: Path, tmp_path: Path) -> None:
    data = shutil.copytree(fixture, tmp_path / "data")
    with closing(DataDir(data)):
        pass
    assert main(["check", os.fspath(data)]) == 0
    attempts = [each.returns for each in contents(data)]
    once = ((b"", 1, 0),)
    assert attempts == [once, once, once, (*once, (b"audit", 2, 0)), (), (), ()]
    [buried] = contents(data, "graves")
    assert buried.origin is not None
    assert (buried.origin.queue, buried.flags) == (b"short", 7)


def test_the_fixture_is_what_its_script_makes(tmp_path: Path) -> None:
    fill(tmp_path)
    for queue in ("work", "graves"):
        told = [
            [
                (each.data, each.flags, each.readers, each.returns)
                for each in contents(directory, queue)
            ]
            for directory in (tmp_path / "data", RELEASED[-1])
        ]
        assert told[0] == told[1]


def test_a_newer_version_is_refused_by_all_and_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_directory(tmp_path / "data")
    formats.write_format(data, formats.CURRENT + 1)
    before = fingerprints(data)
    place = os.fspath(data)
    for words in (
        ["check", place],
        ["check", place, "--repair"],
        ["export", "work", "--data", place],
        ["serve", "--http", "off", "--data", place],
        ["import", "--from", "darner", os.fspath(tmp_path), "--data", place],
    ):
        if words[0] == "import":
            words[3] = os.fspath(tmp_path / "source")
            (tmp_path / "source").mkdir()
        assert main(words) == 2, words
        error = capfd.readouterr().err
        assert f"{data / 'FORMAT'}: format 3 is of a newer darnerpy" in error
        assert "knows up to 2: use a version that knows it; nothing was changed" in error
    assert fingerprints(data) == before


def test_a_note_that_says_nothing_is_refused(tmp_path: Path) -> None:
    data = data_directory(tmp_path / "data")
    for text in ("", "0\n", "one\n", "-1\n"):
        (data / "FORMAT").write_text(text)
        with pytest.raises(DataFormatError, match="is no format, 1 to 2 was expected"):
            DataDir(data)


def test_steps_lead_up_once_each_and_again_when_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def first(data: Path) -> None:
        done.append("first")
        (data / "one").touch()

    def second(data: Path) -> None:
        assert (data / "one").exists()
        done.append("second")
        if done.count("second") == 1:
            raise OSError(5, "cut off")

    data = data_directory(tmp_path / "data")
    monkeypatch.setattr(formats, "CURRENT", 4)
    monkeypatch.setattr(formats, "LEAST", 4)
    monkeypatch.setattr(formats, "STEPS", {2: first, 3: second})
    with pytest.raises(DataFormatError, match="start the server with it once"):
        DataDir(data, as_it_is=True)
    with pytest.raises(DataDirError, match="cut off"):
        DataDir(data)
    with closing(DataDir(data)):
        assert done == ["first", "second", "second"]
    with closing(DataDir(data)), closing(DataDir(data_directory(tmp_path / "new"))):
        assert (data / "FORMAT").read_text() == (tmp_path / "new/FORMAT").read_text() == "4\n"
    assert len(done) == 3
