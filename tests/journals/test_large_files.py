"""The files of large items: which of them outlive a restart, and what is on disk when."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals import large, opening
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.leveldb import LevelDbEngine
from darnerpy.queues.positions import Span
from tests.journals.kept import Kept


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Kept]:
    keeper = Kept(tmp_path / "work", LevelDbEngine())
    yield keeper
    keeper.close()


def put_large(kept: Kept, sync: bool = False) -> None:
    upload = kept.large.upload()
    upload.write([b"large"])
    upload.finish(True)
    kept.queue.put(None, 5, 0, 0, large=upload.number)
    kept.commit(sync)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, in order: names of directories, and the logs."""
    told: list[str] = []
    logs = opening.Database.sync_logs

    def sync_logs(database: opening.Database) -> None:
        told.append("logs")
        logs(database)

    monkeypatch.setattr(large, "sync_directory", lambda path: told.append(path.name))
    monkeypatch.setattr(opening.Database, "sync_logs", sync_logs)
    return told


def test_names_are_on_disk_before_the_records_that_need_them(
    durable: Kept, synced: list[str]
) -> None:
    put_large(durable)
    assert synced == []
    durable.journal.sync()
    assert synced == ["large", "work", "logs"]
    durable.journal.sync()
    assert synced[3:] == ["logs"]
    put_large(durable)
    durable.put(b"small", sync=True)
    assert synced[4:] == ["large", "work", "logs"]
    durable.put(b"small", sync=True)
    put_large(durable, sync=True)
    assert synced[7:] == ["large", "work"]


def test_names_that_could_not_be_synced_still_have_to_be(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> None:
        raise OSError(5, "no luck")

    put_large(durable)
    with monkeypatch.context() as patch:
        patch.setattr(large, "sync_directory", failing)
        for _ in range(2):
            with pytest.raises(JournalError, match="no luck"):
                durable.journal.sync()
    durable.journal.sync()


def test_what_is_written_while_the_logs_are_synced_has_still_to_be(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = opening.Database.sync_logs

    def slow(database: opening.Database) -> None:
        calls.append(database)
        real(database)
        if len(calls) == 1:
            durable.put(b"meanwhile")

    durable.put(b"before")
    monkeypatch.setattr(opening.Database, "sync_logs", slow)
    durable.journal.sync()
    durable.put(b"after", sync=True)
    assert len(calls) == 2
    durable.put(b"again", sync=True)
    assert len(calls) == 2


def test_a_discarded_upload_is_forgotten(tmp_path: Path) -> None:
    files = LargeFiles(tmp_path / "large")
    for _ in range(3):
        upload = files.upload()
        upload.write([b"large"])
        upload.finish(False)
        upload.discard()
    assert not files._crcs
    assert list((tmp_path / "large").iterdir()) == []


def test_only_what_no_record_needs_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "large"
    directory.mkdir()
    for name in ("1-1.item", "2-2.item", "3-3.item", "7-4.item", "9-5.item", "6.part"):
        (directory / name).touch()
    LargeFiles(directory).clean(trimmed=7, next_id=9, kept=[Span(2, 4, 0, 0)])
    assert {path.name for path in directory.iterdir()} == {"2-2.item", "3-3.item", "7-4.item"}
