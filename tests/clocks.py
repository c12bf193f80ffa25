"""A wall clock that can be set for one process: a library between the server and the kernel's clock.

The server itself runs as it is; what its C library says of the time of day is moved by what a file
holds. Its monotonic clock is the kernel's.
"""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

__all__ = ["WallClock"]

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *seconds;
static int (*kernels)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WALL_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) seconds = at;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    /* Not in `begin`: another library may ask for the time before. */
    if (!kernels) kernels = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = kernels(id, now);
    if (!result && seconds && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += *seconds;
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return result;
}

time_t time(time_t *at) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (at) *at = exact.tv_sec;
    return exact.tv_sec;
}
"""


class WallClock:
    """environ: what a process must be given so that `set` moves its clock. Skips without a compiler."""

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        source, library = directory / "wallclock.c", directory / "wallclock.so"
        self._file = directory / "wallclock"
        source.write_text(_SOURCE)
        self.set(0)
        command = (compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl")
        subprocess.run(command, check=True, capture_output=True)
        self.environ = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """So much ahead of the right time, or behind it."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
