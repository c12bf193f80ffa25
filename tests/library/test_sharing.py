"""Who shares a directory, and with which settings: within a process all do, two processes never."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from darnerpy import aio
from darnerpy.config import QueueSettings, load, options
from darnerpy.library.keywords import Keywords
from tests.library.fronts import OpenQueue
from tests.servers import PYTHON


def python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(
        [PYTHON, "-W", "error", "-c", code, *args], capture_output=True, text=True, timeout=50
    )


# -- one process -----------------------------------------------------------------------------------


def test_two_objects_on_one_path_share_it(open_queue: OpenQueue) -> None:
    one, two = open_queue(), open_queue()
    one.put(b"a")
    assert two.get() == b"a"
    two.put(b"b")
    one.close()
    assert two.get() == b"b"
    with pytest.raises(darnerpy.ClosedError):
        one.get()


def test_it_is_one_directory_however_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    spellings: list[Any] = [
        "real",
        "./real",
        "link",
        tmp_path / "link/../real",
        str(tmp_path / "real"),
    ]
    queues = [darnerpy.Queue(path, engine="memory") for path in spellings]
    for number, queue in enumerate(queues):
        queue.put(b"%d" % number)
    assert queues[2].get_many(9) == [b"0", b"1", b"2", b"3", b"4"]
    for queue in queues:
        queue.close()


def test_blocking_and_asyncio_share_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Queue(tmp_path, engine="memory") as there:
            with darnerpy.Queue(tmp_path, engine="memory") as here:
                here.put(b"a")
                assert await there.get() == b"a"
                await there.put(b"b")
                assert here.get() == b"b"

    asyncio.run(main())


def test_queues_of_a_directory_are_apart(open_queue: OpenQueue) -> None:
    names = [
        "mail",
        "work",
        "Ünïcode",
        "UPPER",
        "upper",
        "dots.and-more",
        "a" * 250,
        "50%",
        "*",
        "m[a]il?",
    ]
    queues = {name: open_queue(name) for name in names}
    for name, queue in queues.items():
        queue.put(name.encode())
    for name, queue in queues.items():
        assert (queue.name, queue.get_many(9)) == (name, [name.encode()])


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *((name, ValueError) for name in ("", "a b", "a/b", "a+b", "a" * 251)),
        *((name, TypeError) for name in (b"bytes", None)),
    ],
)
def test_what_no_queue_can_be_called(tmp_path: Path, name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        darnerpy.Queue(tmp_path, name)


def test_a_path_is_a_path(tmp_path: Path) -> None:
    for wrong in (5, b"bytes", None):
        with pytest.raises(TypeError, match="is text or a Path, not"):
            darnerpy.Queue(wrong)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(darnerpy.DataDirError, match="file"):
        darnerpy.Queue(tmp_path / "file")
    with darnerpy.Queue(tmp_path / "made" / "if" / "need be", engine="memory") as queue:
        queue.put(b"x")


# -- settings --------------------------------------------------------------------------------------


def test_settings_are_written_as_in_the_configuration_or_as_python_has_them(
    open_queue: OpenQueue,
) -> None:
    text = open_queue("text", max_age="1500ms", max_bytes="64KiB", max_items="off", sync="50ms")
    value = open_queue("value", max_age=1.5, max_bytes=65536, max_items=None, sync=0.05)
    text.put(b"x")
    value.put(b"x")
    settings = [
        queue._desk.directory.broker.queues[queue.name.encode()].settings for queue in (text, value)
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_items": "many"}, "max_items: expected"),
        ({"max_items": True}, "max_items: expected"),
        ({"max_items": 0}, "max_items: expected"),
        ({"sync": "sometimes"}, "sync: expected"),
        ({"sync": None}, "sync: expected .*, not None"),
        ({"engine": None}, "engine: expected .*, not None"),
        ({"open_timeout": 0.0001}, "open_timeout: expected .*, not 0.0001"),
        ({"open_timeout": -1}, "open_timeout: expected .*, not -1$"),
        ({"engine": "paper"}, "engine: expected"),
        ({"max_age": -1}, "max_age: expected"),
        ({"max_age": float("nan")}, "max_age: expected"),
        ({"dead_letter": 5}, "dead_letter: expected"),
        ({"sync": "always", "sync_ops": 5}, "sync_ops: expected"),
        ({"max_attempts": 3}, "max_attempts = 3 needs dead_letter"),
        ({"dead_letter": "q", "max_attempts": 3}, "queue 'q'.dead_letter: .* than 'q' itself"),
        ({"listen": "127.0.0.1:1"}, "listen is a setting of the server"),
        ({"tap": True}, "tap is a setting of the server"),
    ],
)
def test_a_bad_setting_is_told(tmp_path: Path, settings: Any, told: str) -> None:
    with pytest.raises(darnerpy.ConfigError, match=told) as raised:
        darnerpy.Queue(tmp_path / "data", "q", **settings)
    assert str(tmp_path / "data") in str(raised.value)
    assert "q" in str(raised.value)
    with darnerpy.Queue(tmp_path / "data", "q", engine="memory") as queue:  # nothing is left of it
        queue.put(b"x")


def test_every_setting_of_a_queue_can_be_given() -> None:
    of_server = {"tap"}
    of_directory = {"max_open_journals", "window_memory", "min_free_disk"}
    assert set(Keywords.__annotations__) == options(QueueSettings).keys() - of_server | of_directory


def test_a_setting_that_is_none_is_no_argument(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="maxsize"):
        darnerpy.Queue(tmp_path, maxsize=5)  # type: ignore[call-arg]


def test_the_second_object_goes_by_the_settings_of_the_first(open_queue: OpenQueue) -> None:
    first = open_queue(max_items=2)
    second = open_queue()
    open_queue(max_items=2)
    with pytest.raises(
        darnerpy.ConfigError, match="max_items is 2 where it is open already, not 3"
    ):
        open_queue(max_items=3)
    with pytest.raises(darnerpy.ConfigError, match="open_timeout is None"):
        open_queue(open_timeout=5)
    with pytest.raises(darnerpy.ConfigError, match="window_memory is"):
        open_queue("other", window_memory=5)
    other = open_queue("other", max_items=3)
    other.put_many([b""] * 3)
    second.put_many([b""] * 2)
    assert (first.full(), other.full()) == (True, True)


def test_settings_are_chosen_anew_when_all_have_closed(open_queue: OpenQueue) -> None:
    keeper = open_queue("keeper")
    first = open_queue(max_items=1)
    first.close()
    second = open_queue(max_items=5)
    second.put_many([b""] * 5)
    keeper.put(b"x")


def test_another_engine_is_not_taken_for_what_is_there(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, sync="never") as queue:
        queue.put(b"x")
    for _ in range(2):
        with pytest.raises(
            darnerpy.ConfigError, match=r"engine is 'leveldb' on disk, not 'memory'.*convert"
        ):
            darnerpy.Queue(tmp_path, engine="memory")
    with darnerpy.Queue(tmp_path, engine="leveldb") as queue:
        assert queue.get() == b"x"


@pytest.mark.parametrize("named", ["arena", None])
def test_only_a_configuration_that_names_an_engine_is_compared_with_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, named: str | None
) -> None:
    config = {"queues": {"*": {"max_items": 9}, "kept": {"engine": named} if named else {}}}
    for engine, name in [("arena", "other"), ("leveldb", "kept")]:
        with darnerpy.Queue(tmp_path, name, engine=engine) as queue:
            queue.put(b"x")
        with darnerpy.Queue(tmp_path, "third", engine="memory"):
            pass
    assert not caplog.messages
    with darnerpy.open(tmp_path, config, max_age=5) as queues:
        assert [queue.get() for queue in queues.values()] == [b"x", b"x"]
    assert len(caplog.messages) == (named is not None)
    assert "1 queue in leveldb, where settings say arena" in caplog.text or named is None


# -- a configuration, and all queues of a directory ------------------------------------------------


CONFIG = """
sync = "never"
listen = "127.0.0.1:1"

[queues."*"]
engine = "memory"
max_items = 5
tap = true

[queues."mail-*"]
max_items = 2
"""


def test_all_queues_of_a_directory(tmp_path: Path) -> None:
    with darnerpy.open(tmp_path, sync="never", engine="memory") as queues:
        assert (list(queues), len(queues), "mail" in queues, bool(queues)) == ([], 0, False, True)
        mail = queues["mail"]
        assert mail is queues["mail"]
        assert "mail" not in queues
        mail.put(b"x")
        queues["work"].put(b"y")
        assert (list(queues), len(queues), "mail" in queues) == (["mail", "work"], 2, True)
        assert {name: len(queue) for name, queue in queues.items()} == {"mail": 1, "work": 1}
        assert ("five" in queues, "+bad" in queues) == (False, False)
        del queues["mail"]
        assert list(queues) == ["work"]
        assert mail.closed
        with pytest.raises(KeyError):
            del queues["mail"]
        queues["mail"].put(b"again")
        assert queues["mail"].get() == b"again"
        work = queues["work"]
    assert work.closed
    assert queues.closed
    with pytest.raises(darnerpy.ClosedError):
        queues["work"]
    queues.close()


@pytest.mark.parametrize("kind", ["path", "mapping", "settings"])
def test_a_configuration_holds_for_them(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "darnerpy.toml"
    file.write_text(CONFIG)
    config: Any = {
        "path": file,
        "mapping": {
            "sync": "never",
            "listen": "127.0.0.1:1",
            "queues": {
                "*": {"engine": "memory", "max_items": 5, "tap": True},
                "mail-*": {"max_items": 2},
            },
        },
        "settings": load(str(file), {}, {}),
    }[kind]
    with darnerpy.open(tmp_path / "data", config=config, max_item_bytes=100) as queues:
        queues["work"].put_many([b""] * 5)
        queues["mail-in"].put_many([b""] * 2)
        assert all(queue.full() for queue in queues.values())
        with pytest.raises(darnerpy.ItemTooLargeError):
            queues["work"].put(bytes(101))
        with darnerpy.Queue(tmp_path / "data", "mail-in") as same:
            assert len(same) == 2
        with pytest.raises(darnerpy.ConfigError, match="with another configuration"):
            darnerpy.open(tmp_path / "data", config={"window_memory": 5_000_000})
        assert not (tmp_path / "data/tap").exists()  # what only a server can do is read past


def test_a_bad_configuration_is_told(tmp_path: Path) -> None:
    file = tmp_path / "darnerpy.toml"
    file.write_text("[queues.x]\nmax_itms = 5\n")
    with pytest.raises(
        darnerpy.ConfigError, match=r"darnerpy.toml: queues.*did you mean max_items"
    ):
        darnerpy.open(tmp_path / "data", config=file)
    with pytest.raises(darnerpy.ConfigError, match=r"max_itms"):
        darnerpy.open(tmp_path / "data", config={"queues": {"x": {"max_itms": 5}}})
    wrong: list[tuple[Any, str]] = [
        (5, "config is a path, a mapping or settings, not int"),
        (b"x", "config is a path, .* not bytes"),
        ({5: 3}, "keys of a configuration are text, not int: 5"),
        ({"queues": {None: {}}}, "keys of a configuration are text, not NoneType"),
    ]
    for config, told in wrong:
        with pytest.raises(TypeError, match=told):
            darnerpy.open(tmp_path / "data", config=config)
    aliases = {"aliases": {"all": ["a", "b"]}}
    with (
        darnerpy.open(tmp_path / "data", config=aliases) as queues,
        pytest.raises(darnerpy.ConfigError, match="an alias"),
    ):
        queues["all"]


# -- what is logged --------------------------------------------------------------------------------


@pytest.mark.parametrize("logger", [None, "", "darnerpy", "darnerpy.journal"])
def test_a_line_of_the_log_names_the_queue(tmp_path: Path, logger: str | None) -> None:
    with darnerpy.Queue(tmp_path, "wörk", engine="arena") as queue:
        queue.put_many([b"needle", b"x"])
        queue.put(b"needle")
    [segment] = tmp_path.rglob("*.segment")
    segment.write_bytes(segment.read_bytes().replace(b"needle", b"noodle"))
    setup = (
        ""
        if logger is None
        else "handler = logging.StreamHandler(sys.stdout); "
        "handler.setFormatter(logging.Formatter('%(message)s of %(queue)s')); "
        f"logging.getLogger({logger!r}).addHandler(handler); "
    )
    code = f"import darnerpy, logging, sys; {setup}darnerpy.Queue(sys.argv[1], 'wörk').get(False)"
    done = python(code, str(tmp_path))
    plain, formed = "queue 'wörk': journal is damaged: ", "of b'w\\xc3\\xb6rk'"
    assert (plain in done.stderr) == (logger is None)
    assert (formed in done.stdout) == (logger is not None)
    if logger is None:
        assert f"{tmp_path}/queues/" in done.stderr


# -- two processes ---------------------------------------------------------------------------------


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, engine="memory") as queue:
        queue.put(b"x")
        done = python("import sys, darnerpy; darnerpy.Queue(sys.argv[1])", str(tmp_path))
    assert done.returncode == 1
    assert "DataDirError" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert str(tmp_path) in done.stderr
    assert (
        python(
            "import sys, darnerpy; darnerpy.Queue(sys.argv[1]).close()", str(tmp_path)
        ).returncode
        == 0
    )


def test_an_import_takes_no_more_than_it_uses() -> None:
    code = "import darnerpy{0}, sys; {1}; print(*sys.modules)"

    def loaded(of: str, use: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", code.format(of, use)], capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    forbidden = {
        "uvloop",
        "argparse",
        "darnerpy.server.server",
        "darnerpy.sessions",
        "darnerpy.protocol",
    }
    assert not loaded("", "darnerpy.Queue") & forbidden
    assert not loaded(".aio", "darnerpy.aio.Queue") & forbidden
    assert {"darnerpy.library.queue", "asyncio"}.isdisjoint(loaded("", "pass"))
    assert "darnerpy.aio" in loaded("", "darnerpy.aio.Queue")
