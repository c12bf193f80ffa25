"""An attempt that was answered counts, though the server is killed the moment the answer is there."""

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire, wait_until

TOML = """
[queues.work]
max_attempts = 3
dead_letter = "failed"
"""


def abort(wire: Wire, how: str) -> None:
    opened = wire.ask(b"gets work/open\r\n").split()
    assert opened[1:2] == [b"work/open"], opened
    assert wire.ask(b"get work/%b\r\n" % (b"abort=" + opened[4] if how == "id" else b"abort",)) == (
        b"END\r\n"
    )


@pytest.mark.parametrize("how", ["oldest", "id", "quiescent"])
@pytest.mark.parametrize("sync", ["always", "never"])
def test_a_poison_item_reaches_its_dead_letter(
    make_server: MakeServer, sync: str, how: str
) -> None:
    server: ServerProcess = make_server(sync=sync, toml=TOML, status_grace_period="0ms")
    with server.connect() as wire:
        wire.put("work", b"poison")
    for attempt in range(1, 4):
        with server.connect() as wire:
            if how == "quiescent":
                opened = wire.get("work/open")
                assert opened == b"poison", attempt
                assert wire.ask(b"status quiescent\r\n") == b"END\r\n"
                assert wire.ask(b"get work/abort\r\n") == b"END\r\n"
            else:
                abort(wire, how)
            server.kill()
        server.start()
        with server.connect() as wire:
            if how == "quiescent":
                assert wire.ask(b"status up\r\n") == b"END\r\n"
            if attempt < 3:
                assert wire.get("work/peek") == b"poison"
                assert wire.stats("work")["returned"] == "1"
    with server.connect() as wire:
        wait_until(lambda: wire.get("failed/peek") == b"poison")
        assert wire.get("work") is None


@pytest.mark.parametrize("sync", ["always", "never"])
def test_what_comes_back_without_a_word_is_in_the_next_commit(
    make_server: MakeServer, sync: str
) -> None:
    """After a disconnect, and after `open_timeout`: whoever is answered later saw it written."""
    toml = TOML + 'open_timeout = "50ms"\n'
    server: ServerProcess = make_server(sync=sync, toml=toml)
    with server.connect() as wire:
        wire.put("work", b"poison")
    for attempt in range(1, 4):
        with server.connect() as wire, server.connect() as other:
            assert wire.get("work/open") == b"poison", attempt
            if attempt % 2:
                wire.close()
            other.wait_until("work", open_transactions=0)
            other.put("work", b"next")
            server.kill()
        server.start()
    with server.connect() as wire:
        wait_until(lambda: wire.get("failed/peek") == b"poison")


@pytest.mark.parametrize("sync", ["always", "never"])
@pytest.mark.parametrize("how", ["get", "get/peek", "get/open", "monitor"])
def test_a_new_consumer_that_was_answered_is_there(
    make_server: MakeServer, sync: str, how: str
) -> None:
    server: ServerProcess = make_server(sync=sync)
    with server.connect() as wire:
        wire.put("work", b"before")
        verb, _, option = how.partition("/")
        key = b"work+late" + (b"/" + option.encode() if option else b"")
        rest = b" 0" if verb == "monitor" else b""
        assert wire.ask(b"%b %b%b\r\n" % (verb.encode(), key, rest)) == b"END\r\n"
        server.kill()
    server.start()
    with server.connect() as wire:
        wire.put("work", b"after")
        assert wire.get("work+late") == b"after"
