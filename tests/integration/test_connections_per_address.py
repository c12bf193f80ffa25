"""A limit on the connections from one address, however many there may be in all."""

import socket
from pathlib import Path

from tests.conftest import MakeServer, loops
from tests.servers import Wire, wait_until


@loops
def test_connections_per_address(make_server: MakeServer, tmp_path: Path, loop: str) -> None:
    path = tmp_path / "socket"
    server = make_server(
        max_connections_per_address=2,
        loop=loop,
        sync="never",
        listen=("127.0.0.1:0", f"unix:{path}"),
    )
    tcp, unix = server.addresses
    refusal = b"SERVER_ERROR too many connections from 127.0.0.1, 2 are allowed\r\n"
    locals_ = [Wire(unix) for _ in range(4)]  # these have no address
    first, second = Wire(tcp), Wire(tcp)
    try:
        wire = locals_[0]
        wire.wait_until("", curr_connections=6)
        for number in range(1, 4):
            with Wire(tcp) as third:
                assert third.read_to_end() == refusal
            wire.wait_until("", refused_connections=number, curr_connections=6)
        elsewhere = socket.create_connection((server.host, server.port), 20, ("127.0.0.2", 0))
        with elsewhere:
            elsewhere.sendall(b"version\r\n")
            assert elsewhere.recv(100) == b"VERSION 1.0.0\r\n"
        wire.wait_until("", curr_connections=6)
        second.close()
        wire.wait_until("", curr_connections=5)
        with Wire(tcp) as again:
            again.put("work", b"x")
        wait_until(lambda: wire.stats()["curr_connections"] == "5")
    finally:
        for each in (*locals_, first, second):
            each.close()
