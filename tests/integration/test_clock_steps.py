"""The wall clock of a running server is set: what lasts a while lasts as long as it would have."""

import time
from pathlib import Path

import pytest

from tests.clocks import WallClock
from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire, wait_until

HOUR = 3600
LASTS = 1.0
TOML = """
client_timeout = "1m"
[queues.held]
open_timeout = "1s"
[queues.later]
retry_delay = "1s"
[queues.slow]
retry_delay = "1h"
max_retry_delay = "1h"
"""
STEPS = {"back": (-HOUR, 0), "ahead": (HOUR, 0), "right again": (0, HOUR), "and ahead": (0, -HOUR)}


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def steps_of(server: ServerProcess) -> int:
    return server.log().count("the clock was set by")


@pytest.mark.parametrize("what", STEPS)
def test_what_lasts_a_while(make_server: MakeServer, clock: WallClock, what: str) -> None:
    """It begins with the clock in one place and ends with it in another."""
    first, second = STEPS[what]
    server: ServerProcess = make_server(toml=TOML, environ=clock.environ)
    with server.connect() as wire, server.connect() as waiter, server.connect() as monitor:
        wire.put("held", b"held")
        wire.put("later", b"later")
        clock.set(first)
        begin = time.monotonic()
        assert wire.get("held/open") == b"held"
        assert wire.get("later/open") == b"later"
        assert wire.ask(b"get later/abort\r\n") == b"END\r\n"
        waiter.send(b"get nothing/t=1000\r\n")
        monitor.send(b"monitor nothing 1\r\n")
        clock.set(second)
        assert int(wire.stats("held")["oldest_open_age"]) <= (time.monotonic() - begin) * 1000 + 1
        waiter.expect(b"END\r\n")
        monitor.expect(b"END\r\n")
        assert time.monotonic() - begin > LASTS - 0.01
        with server.connect() as other:
            for queue in ("held", "later"):
                assert other.get(f"{queue}/t=20000") == queue.encode()
                assert time.monotonic() - begin > LASTS - 0.01
            stats = other.stats()
            assert 0 <= int(stats["uptime"]) <= time.monotonic() - begin + 60
            assert abs(int(stats["time"]) - time.time() - second) < 60
            assert other.stats("held")["open_timeouts"] == "1"


def test_set_while_it_lasts(make_server: MakeServer, clock: WallClock) -> None:
    """Back for a while, noticed, and right again, noticed too: nothing is late by that."""
    server: ServerProcess = make_server(toml=TOML, environ=clock.environ)
    with server.connect() as wire, server.connect() as other:
        wire.put("held", b"held")
        wire.put("later", b"later")
        clock.set(-HOUR)
        server.wait_for_log("the clock was set by -3[56]")
        assert wire.get("held/open") == b"held"
        assert wire.get("later/open") == b"later"
        assert wire.ask(b"get later/abort\r\n") == b"END\r\n"
        clock.set(0)
        server.wait_for_log(r"the clock was set by \+3[56]")
        for queue in ("held", "later"):
            assert other.get(f"{queue}/t=20000") == queue.encode()
        assert int(other.stats()["uptime"]) < HOUR


def test_a_retry_from_before_the_start_is_looked_at_again(
    make_server: MakeServer, clock: WallClock
) -> None:
    """Its time is on the wall clock: whoever sets that an hour ahead has it at once."""
    server: ServerProcess = make_server(toml=TOML, environ=clock.environ)
    with server.connect() as wire:
        wire.put("slow", b"slow")
        assert wire.get("slow/open") == b"slow"
        assert wire.ask(b"get slow/abort\r\n") == b"END\r\n"
    server.restart()
    with server.connect() as wire:
        assert wire.get("slow") is None
        assert wire.stats("slow")["delayed"] == "1"
        clock.set(HOUR + 60)
        assert wire.get("slow/t=20000") == b"slow"


def test_expiry_follows_the_wall_clock(make_server: MakeServer, clock: WallClock) -> None:
    server: ServerProcess = make_server(toml=TOML, environ=clock.environ)
    with server.connect() as wire:
        assert wire.ask(b"set brief 0 600 1\r\nx\r\n") == b"STORED\r\n"
        assert wire.get("brief/peek") == b"x"
        clock.set(HOUR)
        wire.wait_until("brief", items=0, expired_items=1)
        clock.set(0)
        assert wire.get("brief") is None


def hang_on(wire: Wire) -> bool:
    return wire.ask(b"version\r\n").startswith(b"VERSION")


def test_nobody_is_idle_for_an_hour_at_once(make_server: MakeServer, clock: WallClock) -> None:
    server: ServerProcess = make_server(toml=TOML, environ=clock.environ)
    with server.connect() as idle:
        assert hang_on(idle)
        time.sleep(2.5)  # it has been seen idle
        for number, seconds in enumerate((HOUR, 0, -HOUR), 1):
            clock.set(seconds)
            wait_until(lambda wanted=number: steps_of(server) == wanted)  # type: ignore[misc]
        time.sleep(2.5)  # and is looked at again
        assert hang_on(idle)
