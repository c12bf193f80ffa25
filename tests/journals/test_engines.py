"""The list of engines, and what lies in a queue's directory."""

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from darnerpy.config import QueueSettings
from darnerpy.errors import JournalError
from darnerpy.journals.contract import DiskEngine
from darnerpy.journals.engines import DEFAULT, DISK_ENGINES, engine_in, engines, name_in
from darnerpy.journals.large import LargeFiles
from tests.journals.plain import PlainEngine

NAMES = [b"work", b"..", b"\xff" * 250]
EACH = [*DISK_ENGINES.values(), PlainEngine()]


def make(engine: DiskEngine, directory: Path, name: bytes = b"work") -> None:
    engine.open(directory, name, LargeFiles(directory / "large"), 1 << 20, QueueSettings()).close()


def test_settings_know_every_engine() -> None:
    assert set(get_args(get_type_hints(QueueSettings)["engine"])) == engines().keys()
    assert DEFAULT.name == QueueSettings().engine
    assert all(name == engine.name for name, engine in engines().items())
    assert DISK_ENGINES.keys() == {each.name for each in engines().values() if each.on_disk}


@pytest.mark.parametrize("engine", EACH, ids=lambda engine: engine.name)
@pytest.mark.parametrize("name", NAMES)
def test_a_directory_tells_its_engine_and_queue(
    tmp_path: Path, engine: DiskEngine, name: bytes
) -> None:
    directory = tmp_path / "deep" / "down"
    assert engine.name_in(directory) is None
    assert engine_in(directory, EACH) is None
    make(engine, directory, name)
    assert engine.name_in(directory) == name
    assert engine_in(directory, EACH) is engine
    if engine.name in DISK_ENGINES:
        assert name_in(directory) == name


def test_one_directory_has_one_engine(tmp_path: Path) -> None:
    for engine in EACH:
        make(engine, tmp_path)
    names = " and ".join(engine.name for engine in EACH)
    with pytest.raises(JournalError, match=f"{tmp_path} has journals of {names}: one was expected"):
        engine_in(tmp_path, EACH)
