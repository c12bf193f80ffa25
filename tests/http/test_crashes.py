"""What was answered over HTTP is so: after kill -9, on a disk that is full, and while it is loading."""

import os
import threading
import time
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.crash.disks import small_disk
from tests.http.web import Web
from tests.servers import ServerProcess, wait_until
from tests.taps import told_in


@pytest.mark.parametrize("sync", ["always", "never"])
def test_kill_9_under_load(make_server: MakeServer, sync: str) -> None:
    """No item that was acknowledged is lost, no item that was taken is given again."""
    server = make_server(http="127.0.0.1:0", sync=sync)
    put: list[bytes] = []
    taken: list[bytes] = []
    leased: dict[bytes, str] = {}

    def use(number: int) -> None:
        count = 0
        with Web(server) as web:
            try:
                while True:
                    data = b"%d:%d" % (number, count) + b"x" * (300_000 if count % 50 == 7 else 50)
                    if web.post("/v1/queues/q/items", data).status == 201:
                        put.append(data)
                    if count % 3 == 0:
                        said = web.post("/v1/queues/q/take")
                        if said.status == 200:
                            taken.append(said.body)
                    if count % 5 == 0:
                        said = web.post("/v1/queues/q/leases?ttl=10m")
                        if said.status == 201:
                            leased[said.body] = said.headers["location"]
                    count += 1
            except (OSError, HTTPException):
                return  # the server is gone

    users = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for user in users:
        user.start()
    wait_until(lambda: len(put) > 300)
    server.kill()
    for user in users:
        user.join()
    server.start()
    with Web(server) as web:
        found: list[bytes] = []
        while (said := web.post("/v1/queues/q/take?wait=1s")).status == 200:
            found.append(said.body)
        for where in leased.values():
            assert web.ask("DELETE", where).status == 204  # it is still in force
    known = taken + found + list(leased)
    # One more for each user: written, but killed before the answer; or taken, and not told.
    assert len(set(put) - set(known)) <= len(users)
    assert len(set(known) - set(put)) <= len(users)
    assert len(known) == len(set(known))


def test_out_of_disk_goes_before_full(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", min_free_disk="900000GiB", max_items=1)
    with Web(server) as web:
        said = web.post("/v1/queues/q/items", b"x")
        assert (said.status, "out of disk" in said.detail) == (507, True)
        lines = web.post("/v1/queues/q/items", '{"text":"x"}', content_type="application/jsonl")
        assert lines.status == 507
    server.kill()  # it has complained in its log, rightly


@pytest.mark.parametrize("size", [50_000, 400_000])
def test_a_full_disk(tmp_path: Path, size: int) -> None:
    with small_disk(tmp_path / "small", "10m") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"f" * 6_500_000)
        server = ServerProcess(disk, http="127.0.0.1:0", min_free_disk="off")
        try:
            server.start()
            put: list[bytes] = []
            refused: list[int] = []
            with Web(server) as web:
                while len(refused) < 3:
                    data = b"%d:" % len(put) + os.urandom(size)
                    said = web.post("/v1/queues/q/items", data)
                    if said.status == 201:
                        put.append(data)
                    else:
                        refused.append(said.status)
                        time.sleep(0.05)
                assert refused[0] == 507
                assert set(refused) <= {503, 507}
                filler.unlink()
                wait_until(lambda: web.post("/v1/queues/q/items", b"works").status == 201)
                found: list[bytes] = []
                while (said := web.post("/v1/queues/q/take?wait=1s")).status == 200:
                    found.append(said.body)
                assert [each for each in found if each in put] == put
        finally:
            server.kill()


def test_what_is_under_a_lease_is_told_as_open_anew(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", tap="true")
    with Web(server) as web:
        for data in (b"1", b"22", b"333"):
            web.post("/v1/queues/q/items", data)
        leases = [web.post("/v1/queues/q/leases?ttl=10m").headers["location"] for _ in range(2)]
        assert web.ask("DELETE", leases[0]).status == 204
        with server.connect() as wire:
            assert wire.get("q/open") == b"333"
            server.kill()
    server.start()
    with Web(server) as web:
        assert web.post("/v1/queues/q/take").body == b"333"
        assert web.ask("DELETE", leases[1]).status == 204
    told = [f"{each.kind} {each.id}" for each in told_in(server.data) if each.kind != "start"]
    before = ["open 1", "open 2", "close 1", "open 3"]
    assert told == ["put 1", "put 2", "put 3", *before, "open 2", "open 3", "close 3", "close 2"]
