"""`darnerpy` as a shell runs it: processes, judged by what they print and their exit codes."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from typing import IO, Self

from tests.servers import DARNERPY

__all__ = ["Canned", "Shell"]


class Shell:
    """Runs `darnerpy` with one server preset."""

    def __init__(self, address: str) -> None:
        self.environ = os.environ | {"DARNERPY_SERVER": address}

    def run(
        self, *words: str, input: bytes = b"", stdout: int | IO[bytes] = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            (*DARNERPY, *words),
            input=input,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.environ,
            check=False,
            timeout=30,
        )

    @contextmanager
    def start(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE
        command = (*DARNERPY, *words)
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self.environ) as process:
            try:
                yield process
            finally:
                process.kill()

    def push(self, queue: str, *items: bytes) -> None:
        for item in items:
            assert self.run("push", queue, input=item).returncode == 0

    def get(self, queue: str) -> bytes | None:
        done = self.run("get", queue)
        assert done.returncode == (0 if done.stdout else 1), done.stderr
        return done.stdout or None


class Canned:
    """A server that answers the first bytes of one client after another with the next of its answers,
    the last one again and again, and hangs up.

    received: by client, what it sent; complete once the client has gone.
    """

    def __init__(self, *answers: bytes) -> None:
        self.received: Queue[bytes] = Queue()
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            received = bytearray()
            with connection, suppress(OSError):
                received += connection.recv(1 << 16)
                connection.sendall(
                    self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                )
                connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(1 << 16):
                    received += data
            if received:
                self.received.put(bytes(received))
