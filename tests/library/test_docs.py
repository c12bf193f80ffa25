"""What the documentation and the docstrings say is so."""

import doctest
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import darnerpy
from darnerpy import aio

PAGE = Path(__file__).parents[2] / "docs/library.md"


def test_the_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = doctest.DocTestParser().get_doctest(PAGE.read_text(), {}, "library.md", str(PAGE), 0)
    result = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
        parsed, clear_globs=False
    )
    for name in ("q", "small"):
        parsed.globs[name].close()
    assert result.attempted >= 20
    assert result.failed == 0


@pytest.mark.parametrize("module", [darnerpy, aio])
def test_every_public_name_is_documented(module: ModuleType) -> None:
    for name in module.__all__:
        if name.startswith("_"):
            continue
        public = getattr(module, name)
        assert inspect.getdoc(public), name
        if not inspect.isclass(public):
            continue
        ours = [kind for kind in public.__mro__ if kind.__module__.startswith("darnerpy")]
        for member, documented in [pair for kind in ours for pair in vars(kind).items()]:
            is_slot = inspect.ismemberdescriptor(documented) or not hasattr(documented, "__doc__")
            if not (member.startswith("_") or is_slot or isinstance(documented, str)):
                assert inspect.getdoc(documented), f"{name}.{member}"


def test_what_both_fronts_have_has_the_same_names() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert names(aio.Queue) - names(darnerpy.Queue) == {"open"}
    assert names(darnerpy.Queue) - names(aio.Queue) == set()
    assert names(aio.Consumer) == names(darnerpy.Consumer)
    assert names(aio.ReservedItem) == names(darnerpy.ReservedItem)


def test_every_error_is_one_of_ours() -> None:
    for name in darnerpy.__all__:
        public = getattr(darnerpy, name)
        if inspect.isclass(public) and issubclass(public, Exception):
            assert issubclass(public, darnerpy.DarnerError), name
