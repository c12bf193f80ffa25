"""Settings from the text of a file, and from flags, for tests of the configuration."""

import argparse
import tempfile
from pathlib import Path

import pytest

from darnerpy.config import Settings, add_flags, load
from darnerpy.errors import ConfigError

__all__ = ["from_flags", "from_toml", "refusal"]


def from_toml(text: str | bytes, environ: dict[str, str] | None = None) -> Settings:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "darnerpy.toml")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(str(path), environ or {}, {})


def refusal(text: str) -> str:
    """The complaint about a file, without its directory."""
    with pytest.raises(ConfigError) as error:
        from_toml(text)
    _, separator, complaint = str(error.value).partition("/darnerpy.toml: ")
    assert separator, f"{error.value} does not name the file"
    return complaint


def from_flags(*arguments: str, environ: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    args = parser.parse_args(arguments)
    return load(args.config, environ or {}, vars(args))
