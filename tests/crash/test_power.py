"""The machine dies, not only the process: what was synced is on the disk, the rest may be gone."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.load import drain
from tests.servers import ServerProcess


class Disk:
    """An ext4 file system in a file. A copy of that file is what a power cut would leave."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.image = directory / "image"
        self._mounted: list[Path] = []

    def make(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(64 << 20)
        _run("mkfs.ext4", "-q", "-F", self.image)

    def mount(self, image: Path) -> Path:
        path = self.directory / f"mounted-{len(self._mounted)}"
        path.mkdir()
        _run("mount", "-o", "loop", image, path)
        self._mounted.append(path)
        return path

    def cut(self) -> Path:
        """Whatever has reached the disk, and nothing else."""
        copy = self.directory / "cut"
        shutil.copyfile(self.image, copy)
        return copy

    def unmount(self) -> None:
        for path in self._mounted:
            subprocess.run(["umount", "--lazy", path], check=False)


def _run(*command: object) -> None:
    try:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not there")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{command[0]} is not allowed here: {error.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a disk image needs root")
    made = Disk(tmp_path)
    made.make()
    yield made
    made.unmount()


def acknowledged(server: ServerProcess, key: bytes, stop: threading.Event) -> list[bytes]:
    """Put items of all sizes until told to stop; the list grows as they are acknowledged."""
    acked: list[bytes] = []

    def produce() -> None:
        chance = random.Random(1)
        try:
            with server.connect() as wire:
                number = 0
                while not stop.is_set():
                    number += 1
                    data = b"%d:" % number + b"x" * chance.choice((10, 1000, 60_000, 300_000))
                    reply = wire.ask(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(data), data))
                    if reply == b"STORED\r\n":
                        acked.append(data)
                    if number % 3 == 0 and wire.ask(b"get drained\r\n") and number % 2:
                        wire.put("drained", b"x")
        except (AssertionError, ConnectionError):
            pass

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while len(acked) < 30 and time.monotonic() < deadline:
        time.sleep(0.001)
    return acked


@pytest.mark.parametrize(("sync", "key"), [("always", b"q"), ("never", b"q/sync")])
def test_what_was_synced_survives_a_power_cut(disk: Disk, sync: str, key: bytes) -> None:
    stop = threading.Event()
    server = ServerProcess(disk.mount(disk.image), sync=sync, min_free_disk="off")
    try:
        server.start()
        acked = acknowledged(server, key, stop)
        server.process.send_signal(signal.SIGSTOP)
        before = list(acked)
        image = disk.cut()
    finally:
        stop.set()
        server.kill()
    assert len(before) >= 30
    left = served_from(disk.mount(image))
    assert left[: len(before)] == before


def test_what_was_not_synced_may_go_but_only_from_the_end(disk: Disk) -> None:
    stop = threading.Event()
    server = ServerProcess(disk.mount(disk.image), sync="20ms", min_free_disk="off")
    try:
        server.start()
        acked = acknowledged(server, b"q", stop)
        before = list(acked)
        time.sleep(0.3)  # far more than the interval
        server.process.send_signal(signal.SIGSTOP)
        image = disk.cut()
    finally:
        stop.set()
        server.kill()
    left = served_from(disk.mount(image))
    assert left[: len(before)] == before
    assert [int(data.split(b":")[0]) for data in left] == list(range(1, len(left) + 1))


def served_from(directory: Path) -> list[bytes]:
    server = ServerProcess(directory, sync="never", min_free_disk="off")
    try:
        server.start()
        return drain(server.address)["q"]
    finally:
        server.kill()


def test_a_copy_taken_while_running_serves_what_was_acknowledged(tmp_path: Path) -> None:
    """Nothing is held back in the process: a directory copied from a stopped one has it all."""
    stop = threading.Event()
    server = ServerProcess(tmp_path / "first", sync="never")
    try:
        server.start()
        acked = acknowledged(server, b"q", stop)
        for number in range(3):
            time.sleep(0.05)
            server.process.send_signal(signal.SIGSTOP)
            before = list(acked)
            shutil.copytree(server.data, tmp_path / f"copy-{number}" / "data")
            server.process.send_signal(signal.SIGCONT)
            left = served_from(tmp_path / f"copy-{number}")
            assert left[: len(before)] == before
    finally:
        stop.set()
        server.kill()
