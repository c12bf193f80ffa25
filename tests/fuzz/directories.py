"""A directory as one string of bytes, so that it can be mutated, made smaller and kept in one file.

Any bytes are a directory: a line `\\0==> NAME <==` begins a file, what is before the first is nothing.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["laid_out", "pack", "pack_directory", "unpack"]

_BEGIN = re.compile(rb"\x00==> ([\w.+%~/-]{1,100}) <==\n")


def pack(files: Mapping[str, bytes]) -> bytes:
    return b"".join(b"\x00==> %b <==\n%b" % (name.encode(), data) for name, data in files.items())


def pack_directory(directory: Path) -> bytes:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return pack({str(path.relative_to(directory)): path.read_bytes() for path in files})


def unpack(data: bytes) -> dict[str, bytes]:
    """Files by name; a name that leads out of the directory is left out."""
    _, *parts = _BEGIN.split(data)
    names = [name.decode("ascii") for name in parts[::2]]
    files = dict(zip(names, parts[1::2], strict=True))
    return {n: data for n, data in files.items() if ".." not in n and not n.startswith("/")}


@contextmanager
def laid_out(data: bytes) -> Iterator[Path]:
    """The directory, for as long as the block lasts; a name that is taken already is left out."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        for name, content in unpack(data).items():
            path = directory / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError:
                continue
        yield directory
