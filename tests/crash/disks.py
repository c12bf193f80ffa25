"""Disks that fail: images that survive a power cut, small file systems, and system calls that go wrong.

What a machine does not permit is skipped with its reason.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.servers import TIMEOUT, ServerProcess, wait_until

__all__ = ["Disk", "Faults", "eventually", "files_of", "run", "small_disk", "stopped", "write_back"]

IMAGE_BYTES = 128 << 20


def run(*command: object) -> None:
    """Run a command that a machine may not have or allow: then skip."""
    if os.geteuid() != 0:
        pytest.skip(f"{command[0]} needs root")
    try:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not there")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{command[0]} is not allowed here: {error.stderr.strip()}")


class Disk:
    """An ext4 file system in a file. A copy of that file is what a power cut would leave.

    mounted: where it is.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._cuts = 0
        self._image = directory / "image"
        with self._image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", self._image)
        self.mounted = directory / "mounted"
        self.mounted.mkdir()
        run("mount", "-o", "loop", self._image, self.mounted)

    def cut(self) -> bytes:
        """What has reached the disk at one instant, and nothing else. Who writes is to be stopped.

        The image is read until it is twice the same: then nothing was written between.
        """
        before = b""
        while (now := self._image.read_bytes()) != before:
            before = now
        return now

    @contextmanager
    def after(self, cut: bytes) -> Iterator[Path]:
        """The disk as it is after that power cut, at a path, for a while."""
        # Each has names of its own: where a namespace of somebody's keeps the one before mounted, a file
        # that is written anew is mounted as it was.
        self._cuts += 1
        copy, path = (self._directory / f"{what}-{self._cuts}" for what in ("cut", "after"))
        with copy.open("wb") as file:
            for at in range(0, len(cut), 1 << 16):  # zeros are holes
                piece = cut[at : at + (1 << 16)]
                if piece.count(0) < len(piece):
                    file.seek(at)
                    file.write(piece)
            file.truncate(len(cut))
        path.mkdir(exist_ok=True)
        run("mount", "-o", "loop", copy, path)
        try:
            yield path
        finally:
            subprocess.run(["umount", "--lazy", path], check=False)
            copy.unlink()

    @property
    def free(self) -> int:
        """Bytes."""
        disk = os.statvfs(self.mounted)
        return disk.f_bavail * disk.f_frsize

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.mounted], check=False)

    def remove(self) -> None:
        self.unmount()
        shutil.rmtree(self._directory, ignore_errors=True)


def write_back(directory: Path, chance: random.Random) -> None:
    """What a kernel may do at any time: put some files, or parts of them, on the disk and not others."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    for path in chance.sample(files, chance.randrange(min(4, len(files)) + 1)):
        handle = os.open(path, os.O_RDONLY)
        try:
            if chance.random() < 0.7:
                os.fsync(handle)
            else:
                size = path.stat().st_size
                begin = chance.randrange(size + 1)
                os.posix_fadvise(handle, begin, size - begin, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


@contextmanager
def small_disk(path: Path, size: str = "6m") -> Iterator[Path]:
    """A directory on a file system of its own with little room."""
    path.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


class Faults:
    """System calls of a running server that fail, from now on and until the end of the block.

    calls: their names, as strace knows them. error: such as EIO. when: which of them fail, counted
    in each thread by itself: "1+" is all, "3" is the third. paths: only those that concern one of
    these. Skips where strace is not there or may not do this.
    """

    def __init__(
        self,
        server: ServerProcess,
        calls: str,
        error: str,
        when: str = "1+",
        paths: Sequence[Path] = (),
    ) -> None:
        if shutil.which("strace") is None:
            pytest.skip("strace is not installed")
        inject = f"inject={calls}:error={error}:when={when}"
        command = ["strace", "-f", "-p", str(server.pid), "-e", f"trace={calls}", "-e", inject]
        for path in paths:
            command += ["-P", str(path)]
        self.lines: list[str] = []
        self._command = command
        self._attached = threading.Event()

    def __enter__(self) -> Self:
        self._strace = subprocess.Popen(
            self._command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._attached.wait(TIMEOUT)
        if not any(" attached" in line for line in self.lines):
            self._strace.kill()
            self._strace.wait(TIMEOUT)
            self._reader.join(TIMEOUT)
            pytest.skip(f"strace may not look at processes here: {' '.join(self.lines)[:200]}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._strace.poll() is None:
            self._strace.send_signal(signal.SIGINT)
        self._strace.wait(TIMEOUT)
        self._reader.join(TIMEOUT)

    @property
    def injected(self) -> int:
        """How many calls have failed."""
        return sum("(INJECTED)" in line for line in self.lines)

    def _read(self) -> None:
        assert self._strace.stderr is not None
        with self._strace.stderr as stream:
            for line in stream:
                self.lines.append(line)
                if " attached" in line:
                    self._attached.set()
        self._attached.set()


def files_of(server: ServerProcess, queue: str) -> list[Path]:
    """All files that the journal of a queue has, or will soon have, by path."""
    home = server.data / "queues" / queue
    numbers = range(1, 60)
    names = [f"{n:06}.{ending}" for n in numbers for ending in ("log", "ldb", "dbtmp")]
    names += [f"MANIFEST-{n:06}" for n in numbers] + ["CURRENT", "LOCK", "LOG", "LOG.old"]
    large = [home / "large"] + [home / "large" / f"{n}.part" for n in range(1, 20)]
    segments = [f"{n:016x}.segment" for n in numbers]
    files = [home / "leveldb" / name for name in names]
    files += [home / "arena" / name for name in (*segments, "1.spare", "2.spare")]
    return [home, home / "leveldb", home / "arena", *files, *large]


@contextmanager
def stopped(server: ServerProcess) -> Iterator[None]:
    """Nothing happens in the server meanwhile."""
    server.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: set(_states(server.pid)) <= {"T"})  # a sync under way comes to its end
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def _states(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield (task / "stat").read_text().rpartition(")")[2].split()[0]


def eventually(attempt: Callable[[], bool], what: str) -> None:
    """Try again and again until it works: the server must recover by itself."""
    try:
        wait_until(attempt)
    except AssertionError:
        raise AssertionError(f"{what} does not recover") from None
