"""The fast checksum and zlib's are the same, and each reads what was written with the other."""

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from darnerpy import checksums

_WITHOUT = "import sys; sys.modules['zlib_ng'] = None\n"
_PUT = """
import sys, darnerpy
with darnerpy.Queue(sys.argv[1], engine="arena") as queue:
    for size in (0, 10, 5000, 300_000):
        queue.put(b"x" * size)
"""
_GET = """
import sys, darnerpy
with darnerpy.Queue(sys.argv[1]) as queue:
    print([len(queue.get(timeout=5)) for _ in range(4)])
"""


def _run(code: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_fast_one_is_zlibs() -> None:
    assert checksums.crc32.__module__ == "zlib_ng.zlib_ng", "not installed: nothing was compared"
    for size in (0, 1, 7, 63, 64, 100, 4096, 100_001):
        data = memoryview(bytes(range(256)) * 400)[:size]
        for seed in (0, 1, 0xFFFFFFFF, 1 << 40):
            assert checksums.crc32(data, seed) == zlib.crc32(data, seed)


def test_without_it_zlibs_is_taken(tmp_path: Path) -> None:
    told = _run(
        _WITHOUT + "from darnerpy import checksums; print(checksums.crc32.__module__)", tmp_path
    )
    assert told == "zlib"


@pytest.mark.parametrize(("put", "get"), [(_PUT, _WITHOUT + _GET), (_WITHOUT + _PUT, _GET)])
def test_each_reads_what_the_other_wrote(tmp_path: Path, put: str, get: str) -> None:
    _run(put, tmp_path / "jobs")
    assert _run(get, tmp_path / "jobs") == "[0, 10, 5000, 300000]"
