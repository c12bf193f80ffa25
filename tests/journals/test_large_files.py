"""The files of large items: which of them outlive a restart, and what is on disk when."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals import large
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.leveldb import opening
from darnerpy.journals.leveldb.engine import LevelDbEngine
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
    put_large(durable)
    durable.trim()
    assert synced[9:] == ["large", "work", "logs"]


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


def names(directory: Path) -> set[str]:
    return set(os.listdir(directory))


def test_what_is_in_hand_is_spared_and_what_nobody_knows_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "large"
    files = LargeFiles(directory)
    uploads = [files.upload() for _ in range(3)]
    for upload in uploads:
        upload.write([b"large"])
        upload.finish(False)
    for name in ("7.part", "notes.txt", "4-x.item", "5.item", "7-9.item~", "-1.part"):
        (directory / name).touch()
    del upload, uploads[1]
    files.clean(1, 1, [])
    left = {"1.part", "3.part", "notes.txt", "4-x.item", "5.item", "7-9.item~", "-1.part"}
    assert names(directory) == left
    assert set(files._crcs or ()) == {1, 3}


def test_a_half_upload_of_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    """An item may arrive before the journal is open, and what was left is looked at."""
    directory = tmp_path / "large"
    directory.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"another's")
    for name in ("1.part", "2.part"):
        os.link(tmp_path / "elsewhere", directory / name)
    files = LargeFiles(directory)
    written, linked = files.upload(), files.upload()
    files.clean(1, 1, [])
    (tmp_path / "whole").write_bytes(b"a whole one")
    written.write([b"new"])
    written.finish(False)
    linked.link(tmp_path / "whole")
    assert (directory / "1.part").read_bytes() == b"new"
    assert (directory / "2.part").read_bytes() == b"a whole one"
    assert (tmp_path / "elsewhere").read_bytes() == b"another's"


def test_what_cannot_be_removed_is_an_error_of_the_journal(tmp_path: Path) -> None:
    directory = tmp_path / "large"
    (directory / "1.part").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"cannot remove 1\.part"):
        LargeFiles(directory).clean(1, 1, [])
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot list file"):
        LargeFiles(tmp_path / "file").clean(1, 1, [])


def test_the_size_is_that_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "large"
    directory.mkdir()
    for number in range(3):
        (directory / f"{number}-{number}.item").write_bytes(b"12345")
    real = os.scandir

    class Vanishing:
        """The first file goes when it has been listed."""

        def __init__(self, path: Path) -> None:
            self._entries = real(path)

        def __enter__(self) -> "Vanishing":
            return self

        def __exit__(self, *exception: object) -> None:
            self._entries.close()

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            entries = list(self._entries)
            os.unlink(entries[0].path)
            return iter(entries)

    monkeypatch.setattr(os, "scandir", Vanishing)
    assert LargeFiles(directory).size() == 10


@pytest.mark.parametrize("known", [True, False])
def test_where_no_file_can_be_linked_it_is_copied(
    tmp_path: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    source = tmp_path / "source"
    source.write_bytes(b"large" * 500_000)
    linked = LargeFiles(tmp_path / "linked").upload()
    linked.link(source)
    files = LargeFiles(tmp_path / "large")
    upload = files.upload()
    monkeypatch.setattr(os, "link", refused)
    upload.link(source, linked.crc if known else None)
    assert upload.crc == linked.crc
    assert files._crcs == {1: linked.crc}
    assert upload.path.read_bytes() == source.read_bytes()
    assert upload.path.stat().st_nlink == 1
    with pytest.raises(JournalError, match="cannot copy nowhere"):
        files.upload().link(tmp_path / "nowhere")
