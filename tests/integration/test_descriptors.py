"""Few descriptors: clients are refused before they run out, and journals always have some."""

import resource
from contextlib import ExitStack

from tests.conftest import MakeServer, loops

LIMIT = 200
"""A fifth for tables, 8 journals of 6, a sixteenth for those that can rest, 64 for all else; and a tenth
of what is left may be closing.
"""
POSSIBLE = 33


@loops
def test_clients_are_refused_before_descriptors_run_out(make_server: MakeServer, loop: str) -> None:
    server = make_server(
        loop=loop, sync="never", max_connections=1000, open_files=f"{LIMIT}:{LIMIT}"
    )
    server.wait_for_log(rf"warning not enough file descriptors .*connections_possible={POSSIBLE}\b")
    with ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(POSSIBLE)]
        first = wires[0]
        first.wait_until("", curr_connections=POSSIBLE)
        for _ in range(30):
            with server.connect() as late:
                reply = b"SERVER_ERROR too many connections, %d are allowed\r\n" % POSSIBLE
                assert late.read_to_end() == reply
        server.wait_for_log(r"warning a connection is refused: too many connections.* peer=")
        # More queues than journals may be open, each with what a client may have open besides.
        for number, wire in enumerate(wires):
            wire.put(f"q{number}", b"x" * 300_000)
        for number, wire in enumerate(reversed(wires)):
            assert wire.get(f"q{number}") == b"x" * 300_000
        assert int(first.stats()["open_journals"]) <= 8
        assert int(first.stats()["refused_connections"]) == 30
        for wire in wires[1:]:
            wire.close()
        first.wait_until("", curr_connections=1)


def test_the_soft_limit_is_raised(make_server: MakeServer) -> None:
    server = make_server(sync="never", open_files="100:5000")
    assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (5000, 5000)
    assert "not enough" not in server.log()
    with server.connect() as wire:
        for number in range(60):
            wire.put(f"q{number}", b"x")
        assert wire.stats()["open_journals"] == "60"
