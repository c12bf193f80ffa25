"""The load counts the processor's time of the server it is for: of a real one, beside /proc."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import driver, servers
from bench.driver import Load
from bench.machine import Placement, free_port
from bench.servers import CANNED, Recipe, Server

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")

SOURCES = (sys.executable, "-m", "darnerpy")
DARNERPY = servers.darnerpy("darnerpy", sync="always", command=SOURCES)
ANYWHERE = Placement([], [])
TICK = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=[CANNED, DARNERPY], ids=["canned", "darnerpy"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    recipe: Recipe = request.param
    driver.compile_programs()
    server = Server(recipe, free_port(), tmp_path / "server", placement=ANYWHERE)
    server.start()
    yield server
    server.stop()


def spent(pid: int) -> float:
    """Seconds of the processor since the process began, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def test_the_whole_of_a_run_is_what_proc_says(server: Server) -> None:
    before = spent(server.pid)
    outcome = server.run(Load("set", connections=20, count=20_000, seconds=50))
    after = spent(server.pid)
    assert outcome.trouble is None
    assert outcome.ops == 20_000
    # Both ends of /proc's are cut to whole ticks, of user and system; connecting is not in ours.
    assert (after - before) / 2 < outcome.server_cpu_seconds < after - before + 4 * TICK
    assert outcome.cpu_us == pytest.approx(outcome.server_cpu_seconds / 20_000 * 1e6)


def test_neither_warm_up_nor_connecting_is_in_it(server: Server) -> None:
    before = spent(server.pid)
    outcome = server.run(Load("pair", connections=50, warmup=1.0, seconds=0.2))
    after = spent(server.pid)
    assert outcome.trouble is None
    assert outcome.seconds == pytest.approx(0.2, abs=0.001)
    assert 0 < outcome.server_cpu_seconds < after - before


def test_a_process_that_is_not_there_is_named(server: Server) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    target = driver.Target(server.recipe.protocol, server.port, ended.pid, ANYWHERE)
    with pytest.raises(RuntimeError, match=r"pid: No such process"):
        driver.run(target, Load("set", count=1))
