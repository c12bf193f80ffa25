"""The files of large items: which of them outlive a restart."""

from pathlib import Path

from darnerpy.journals.large import LargeFiles
from darnerpy.queues.positions import Span


def test_only_what_no_record_needs_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "large"
    directory.mkdir()
    for name in ("1-1.item", "2-2.item", "3-3.item", "7-4.item", "9-5.item", "6.part"):
        (directory / name).touch()
    LargeFiles(directory).clean(trimmed=7, next_id=9, kept=[Span(2, 4, 0, 0)])
    assert {path.name for path in directory.iterdir()} == {"2-2.item", "3-3.item", "7-4.item"}
