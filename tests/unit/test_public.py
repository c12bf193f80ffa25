"""What `import darnerpy` gives: every name that it promises, each only when it is asked for."""

import ast
import asyncio
import pickle
import queue
import subprocess
import sys
from pathlib import Path

import pytest

import darnerpy

SOURCE = Path(darnerpy.__file__)


def test_every_name_that_is_promised_is_there_and_documented() -> None:
    assert len(set(darnerpy.__all__)) == len(darnerpy.__all__) > 3
    for name in darnerpy.__all__:
        assert name in dir(darnerpy)
        if not name.startswith("_"):
            assert getattr(darnerpy, name).__doc__, name
            assert getattr(darnerpy, name).__name__.removeprefix("darnerpy.") == name


def test_type_checkers_see_the_same_names() -> None:
    (checked,) = (node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {name for name, home in seen.items() if home is None}
    assert modules == {"aio"}
    assert {name: home for name, home in seen.items() if home} == darnerpy._HOME
    assert {*seen, "__version__"} == set(darnerpy.__all__)


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="'darnerpy' has no attribute 'Quue'"):
        darnerpy.Quue  # noqa: B018


def test_the_import_takes_only_what_is_used() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import darnerpy, sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    ours = {name for name in said if name.split(".")[0] == "darnerpy"}
    assert ours == {"darnerpy", "darnerpy.version"}
    assert {"asyncio", "uvloop", "msgspec"}.isdisjoint(said)


@pytest.mark.parametrize(
    ("error", "others", "text"),
    [
        (darnerpy.Empty, [queue.Empty, asyncio.QueueEmpty], "nothing to read"),
        (darnerpy.Full, [queue.Full, asyncio.QueueFull], "no room"),
    ],
)
def test_empty_and_full_are_the_standard_librarys(
    error: type[darnerpy.Empty], others: list[type[Exception]], text: str
) -> None:
    raised = error("data", "mail")
    assert all(isinstance(raised, other) for other in others)
    assert issubclass(error, darnerpy.DarnerError)
    assert str(raised) == f"{text} in the queue 'mail' in data"
    assert str(error("/dev/shm/ticks")) == f"{text} in /dev/shm/ticks"
    assert str(error()) == text
    copied = pickle.loads(pickle.dumps(raised))
    assert (str(copied), copied.path, copied.queue) == (str(raised), "data", "mail")
