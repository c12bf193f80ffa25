"""Files of large items that a power cut or a disk has damaged: never delivered as if they were good."""

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess

DATA = b"L" * 300_000


def damaged(make_server: MakeServer, damage: str) -> ServerProcess:
    """A server whose queue begins with a large item that is not as it was."""
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.put("q", DATA, b"behind")
    server.kill()
    [file] = server.data.rglob("*.item")
    match damage:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "short":
            file.write_bytes(DATA[:100_000])
        case "flipped":
            file.write_bytes(DATA[:-1] + b"M")
    return server.start()


@pytest.mark.parametrize("damage", ["missing", "empty", "short", "flipped"])
def test_it_is_passed_over_and_reported(make_server: MakeServer, damage: str) -> None:
    server = damaged(make_server, damage)
    try:
        for key in ("q/open", "q/close/open"):
            with server.connect() as wire:
                reply = wire.ask(b"get %b\r\n" % key.encode())
                assert DATA[:-1] not in reply, "it is delivered"
                if b"behind" in reply:
                    break
        else:
            raise AssertionError("what is behind it cannot be had")
        with server.connect() as wire:
            assert wire.stats("q")["damaged_items"] == "1"
        assert " queue=q " in server.wait_for_log("damaged")
    finally:
        server.kill()
