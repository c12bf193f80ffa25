"""The worker of docs/terminal.md, word for word: it outlives its server, and gives up when it is refused."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import MakeServer
from tests.servers import DARNERPY, free_port, wait_until

PAGE = Path(__file__).parents[2] / "docs/terminal.md"
BLOCKS = re.findall(r"(?s)```sh\n(.*?)```", PAGE.read_text())

AROUND = f"""\
darnerpy() {{ {" ".join(f"'{word}'" for word in DARNERPY)} "$@"; }}
process() {{ cat job >> done; while [ -e hold ]; do sleep 0.1; done; }}
"""


@contextmanager
def worker(directory: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    (loop,) = (block for block in BLOCKS if "lease work" in block)
    with subprocess.Popen(
        ["sh", "-c", AROUND + loop],
        cwd=directory,
        env=os.environ | environ,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_worker_outlives_its_server(make_server: MakeServer, tmp_path: Path) -> None:
    http = f"127.0.0.1:{free_port()}"
    server = make_server(http=http)
    done, hold = tmp_path / "done", tmp_path / "hold"

    def put(item: bytes) -> None:
        with server.connect() as wire:
            wire.put("work", item)

    def all_confirmed() -> None:
        with server.connect() as wire:
            wire.wait_until("work", items=0, open_transactions=0)

    put(b"1")
    with worker(tmp_path, DARNERPY_HTTP_SERVER=f"http://{http}"):
        wait_until(lambda: done.exists() and done.read_bytes() == b"1")
        all_confirmed()
        server.restart()
        hold.touch()
        put(b"2")
        wait_until(lambda: done.read_bytes() == b"12")
        server.kill()
        hold.unlink()
        server.start()
        all_confirmed()
        put(b"3")
        wait_until(lambda: done.read_bytes() == b"123")
        all_confirmed()


def test_a_worker_that_is_refused_gives_up(tmp_path: Path) -> None:
    with worker(tmp_path, DARNERPY_TOKEN="two words") as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert told.startswith(b"darnerpy: DARNERPY_TOKEN: a token was expected")
    assert told.endswith(b"\nthe worker gives up\n")
