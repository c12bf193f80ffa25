"""Bugs that fuzzing has found, each by what it was; their inputs are in the corpus."""

from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.errors import ConfigError, DamageError
from darnerpy.inspection.export import FORMATS, ExportedSource
from darnerpy.journals.marks import decode_mark, is_full_mark
from darnerpy.migration.darner import DarnerSource
from darnerpy.migration.siberite import SiberiteSource
from darnerpy.migration.source import Source, SourceError
from tests.fuzz.directories import laid_out
from tests.fuzz.engine import corpus
from tests.migration.reading import QueueRead, read
from tests.unit.configured import from_toml

SOURCES: dict[str, Callable[[Path], Source]] = {"darner": DarnerSource, "siberite": SiberiteSource}
both = pytest.mark.parametrize("server", SOURCES)


def taken(server: str, name: str) -> tuple[QueueRead, str]:
    """The one queue of a directory in the corpus, and the one thing that is wrong with it."""
    with laid_out(corpus(server)[name]) as directory:
        (queue,) = read(SOURCES[server](directory)).values()
    assert len(queue.damage) == 1, queue.damage
    return queue, queue.damage[0]


# --- The configuration


@pytest.mark.parametrize(
    "name", ["key-of-three-thousand-dots", "alias-of-a-key-of-three-thousand-dots"]
)
def test_a_table_too_deep_to_be_shown_ended_the_complaint_about_it(name: str) -> None:
    # Python 3.13 can show even that, and newer ones refuse such a key themselves.
    refused = (
        r"darnerpy.toml: (.*expected a .*, not (so deep a table|.*\.\.\.)|.* nested too deep)$"
    )
    with pytest.raises(ConfigError, match=refused):
        from_toml(corpus("configuration")[name])


# --- The journal


@pytest.mark.parametrize(
    "name",
    [
        "mark-that-ends-within-its-spans",
        "mark-that-is-only-a-version",
        "mark-of-65535-consumers",
        "mark-that-is-only-a-checksum",
        "mark-followed-by-itself",
    ],
)
def test_a_mark_that_ends_too_early_or_goes_on_was_no_damage(name: str) -> None:
    entry = corpus("records")[name]
    key, value = entry[1:18], entry[18:]
    with pytest.raises(DamageError, match=r"^mark 3 before item 8 has counts that do not fit"):
        decode_mark(key, value)
    assert not is_full_mark(key, value)


# --- Exported files


def test_a_short_line_that_is_cut_off_was_called_too_long(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(corpus("jsonl")["cut-before-its-last-byte"])
    with pytest.raises(SourceError, match=r"line \d+: the end of the line was expected"):
        read(ExportedSource(file, FORMATS["jsonl"]))


# --- What Darner and siberite left


@both
@pytest.mark.parametrize("name", ["current-names-a-nul", "current-names-another-directory"])
def test_current_could_name_any_file_or_none(server: str, name: str) -> None:
    queue, damage = taken(server, name)
    assert damage.endswith("which is no MANIFEST")
    assert queue.items, "all is read all the same"


@both
def test_a_number_in_a_manifest_could_be_longer_than_can_be_told(server: str) -> None:
    queue, damage = taken(server, "manifest-number-of-three-thousand-bytes")
    assert damage.endswith("a number in it does not end")
    assert queue.items


@both
@pytest.mark.parametrize("name", ["index-beyond-any-file", "index-of-more-than-all-memory"])
def test_an_index_could_be_anywhere_and_of_any_size(server: str, name: str) -> None:
    _, damage = taken(server, name)
    assert damage.endswith("the table cannot be read: it is cut off")


@both
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("block-with-more-restarts-than-bytes", "it is only 13 bytes"),
        ("key-that-shares-more-than-there-is", "a key shares 99 bytes with one of 0"),
    ],
)
def test_a_block_that_makes_no_sense_was_taken(server: str, name: str, expected: str) -> None:
    _, damage = taken(server, name)
    assert damage.endswith(f"a block is lost: {expected}")


@both
def test_a_change_of_no_kind_was_an_empty_item(server: str) -> None:
    queue, damage = taken(server, "change-of-no-kind")
    assert damage.endswith("a record is wrong: a change of kind 7")
    assert b"" not in queue.data()


def test_a_key_of_another_length_was_an_item_of_darners() -> None:
    queue, damage = taken("darner", "key-of-ten-bytes-that-is-no-items")
    assert damage.endswith("is no item's: it is not taken")
    assert b"\x01\x00" not in queue.data()
