"""Where each setting of a queue comes from, as the dashboard tells it."""

from pathlib import Path

import pytest

from darnerpy.config import Origins, QueueRule, Settings, load


def origins_of(
    directory: Path, toml: str, queue: str, environ: dict[str, str] | None = None, **flags: object
) -> dict[str, str]:
    """Those that are no default, with a file called `f`."""
    path = str(directory / "f")
    Path(path).write_text(toml)
    given = (path, environ or {}, flags)
    found = Origins(*given).of_queue(load(*given), queue.encode("utf-8", "surrogateescape"))
    return {name: text.replace(path, "f") for name, text in found.items() if text != "default"}


def test_the_most_specific_table_is_told(tmp_path: Path) -> None:
    toml = (
        '[queues."*"]\nmax_age = "1h"\nmax_items = 9\n'
        '[queues."m*"]\nmax_items = 5\n[queues.mail]\nmax_bytes = "1MiB"\n'
        '[queues."*+audit"]\nmax_age = "2h"\n'
    )
    assert origins_of(tmp_path, toml, "mail") == {
        "max_age": "f:2",
        "max_items": "f:5",
        "max_bytes": "f:7",
    }
    assert origins_of(tmp_path, toml, "other") == {"max_age": "f:2", "max_items": "f:3"}


def test_variables_and_flags_are_told(tmp_path: Path) -> None:
    toml = '[queues."*"]\nmax_age = "1h"\n[queues.mail]\nmax_items = 5\n'
    environ = {"DARNERPY_MAX_AGE": "2h", "DARNERPY_MAX_ITEMS": "3"}
    found = origins_of(tmp_path, toml, "mail", environ, open_timeout="5s", max_age="3h")
    assert found == {"max_age": "--max-age", "open_timeout": "--open-timeout", "max_items": "f:4"}
    assert origins_of(tmp_path, toml, "x", environ) == {
        "max_age": "DARNERPY_MAX_AGE",
        "max_items": "DARNERPY_MAX_ITEMS",
    }


@pytest.mark.parametrize(
    ("toml", "sync", "sync_ops"),
    [
        ('sync = "never"\n', "f:1", None),
        ("sync_ops = 5\n", "f:1", "f:1"),
        ('sync = "always"\n[queues."m*"]\nsync_ops = 5\n', "f:3", "f:3"),
        ('sync_ops = 5\n[queues."m*"]\nsync = "always"\n', "f:3", "f:3"),
        ('sync = "1s"\n[queues."m*"]\nsync_ops = 5\n', "f:1", "f:3"),
    ],
)
def test_of_two_that_exclude_each_other_the_one_that_decides_is_told(
    tmp_path: Path, toml: str, sync: str, sync_ops: str | None
) -> None:
    found = origins_of(tmp_path, toml, "mail")
    assert (found.get("sync"), found.get("sync_ops")) == (sync, sync_ops)


def test_a_rule_of_no_file_is_told_by_what_it_is_called() -> None:
    rule = QueueRule(b"mail", {"max_items": 5}, called="until the next reload")
    found = Origins(None, {}, {}).of_queue(Settings(queue_rules=(rule,)), b"mail")
    assert found["max_items"] == "until the next reload"
    assert found["max_bytes"] == "default"


def test_a_name_of_any_bytes(tmp_path: Path) -> None:
    assert origins_of(tmp_path, '[queues."<ü>"]\nmax_items = 5\n', "<ü>") == {"max_items": "f:2"}
    assert origins_of(tmp_path, '[queues."*"]\nmax_items = 5\n', "\udcff") == {"max_items": "f:2"}
