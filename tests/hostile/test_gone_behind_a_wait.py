"""A client that waits, has sent more than is read meanwhile, and vanishes: what it held comes back."""

from tests.conftest import MakeServer, loops
from tests.servers import wait_until


@loops
def test_what_it_held_comes_back(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="never")
    with server.connect() as wire, server.connect() as client:
        wire.put("q", b"held")
        assert client.get("q/open") == b"held"
        client.send(b"get nothing/t=600000\r\n" + b"set other 0 0 100000\r\n" + b"x" * 100_000)
        wait_until(lambda: int(wire.stats()["bytes_read"]) > 64 << 10)
        client.reset()
        wait_until(lambda: wire.stats("q")["open_transactions"] == "0", timeout=3)
        assert wire.get("q") == b"held"
