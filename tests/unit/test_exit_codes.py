"""The exit codes are what README says they are."""

import re
from pathlib import Path

from darnerpy.cli import codes

README = Path(__file__).parents[2] / "README.md"


def test_readme_lists_every_code() -> None:
    listed = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", README.read_text())}
    names = [name for name, value in vars(codes).items() if name.isupper() and type(value) is int]
    assert listed == {0} | {getattr(codes, name) for name in names}
