"""`darnerpy tap` as a process, and what it prints; and the ring of a server, read to its end."""

import json
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from darnerpy import ClosedError, Ring
from darnerpy.queue_errors import Empty
from darnerpy.server.events import FILE, Event, decode
from tests.servers import DARNERPY, TIMEOUT, wait_until

__all__ = ["Tapper", "told_in"]


class Tapper:
    """Follows a data directory. lines, complaints: what it has printed so far, to each of its outputs."""

    def __init__(self, data: Path, *words: str) -> None:
        self.lines: list[str] = []
        self.complaints: list[str] = []
        self.process = subprocess.Popen(
            ("setpriv", "--pdeathsig=KILL", *DARNERPY, "tap", f"--data={data}", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="surrogateescape",
        )
        self._readers = [
            threading.Thread(target=into.extend, args=(stream,), daemon=True)
            for into, stream in (
                (self.lines, self.process.stdout),
                (self.complaints, self.process.stderr),
            )
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        code = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code

    def until(self, text: str) -> list[str]:
        """What it has printed when a line with this text is there."""
        wait_until(lambda: any(text in line for line in list(self.lines)))
        return [line.rstrip("\n") for line in self.lines]

    def complains(self, text: str) -> None:
        wait_until(lambda: any(text in line for line in list(self.complaints)))

    @property
    def told(self) -> list[dict[str, Any]]:
        """The lines of `--json`."""
        return [json.loads(line) for line in list(self.lines)]


def told_in(data: Path) -> list[Event]:
    """All events that are in the ring now."""
    found: list[Event] = []
    with Ring.open(data / FILE, "oldest") as reader:
        try:
            while True:
                found += decode(reader.read(timeout=0))
        except (Empty, ClosedError):
            return found
