"""Which event loop serves, by the settings and by what was compiled."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from darnerpy.config import load
from darnerpy.server import loops, pump
from tests.conftest import needs_pump
from tests.servers import wait_until

UVLOOP, ASYNCIO, PUMP = uvloop.Loop, asyncio.SelectorEventLoop, pump.PumpLoop


@pytest.mark.parametrize(
    ("wanted", "loop", "with_pump", "without"),
    [
        ("auto", "auto", PUMP, UVLOOP),
        ("auto", "asyncio", PUMP, ASYNCIO),
        ("auto", "uvloop", UVLOOP, UVLOOP),
        ("off", "auto", UVLOOP, UVLOOP),
        ("off", "asyncio", ASYNCIO, ASYNCIO),
        ("off", "uvloop", UVLOOP, UVLOOP),
    ],
)
@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_pump), False])
def test_who_serves(
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    loop: str,
    with_pump: type,
    without: type,
    compiled: bool,
) -> None:
    monkeypatch.setattr(pump, "AVAILABLE", compiled)
    made = loops.loop_factory(load(None, {}, {"pump": wanted, "loop": loop}))()
    try:
        assert type(made) is (with_pump if compiled else without)
    finally:
        made.close()


NOT_COMPILED = """
import sys
sys.modules["darnerpy.server._pump"] = None
from darnerpy.cli.main import main
sys.exit(main())
"""


def test_a_server_whose_pump_was_not_compiled(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    flags = ("serve", "--http=off", f"--data={tmp_path / 'data'}", f"--listen=unix:{path}")
    command = (sys.executable, "-c", NOT_COMPILED, *flags)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: path.is_socket() or process.poll() is not None)
        process.terminate()
        log = process.communicate(timeout=20)[1]
        assert process.returncode == 0, log
    assert log.splitlines()[0].endswith(" loop=uvloop")
