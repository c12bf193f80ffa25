"""kill -9 in the middle of puts, reads and confirmations: another process accounts for every item."""

import signal
import time
from functools import partial
from pathlib import Path
from random import Random

import pytest

import darnerpy
from tests.library.programs import start
from tests.servers import wait_until

# Says what it is about to do, does it, says that it is done. The account is in lines that are whole.
LOAD = """
import os, random
chance = random.Random(int(sys.argv[3]))
big = bytes(300_000)
account = os.open(sys.argv[6], os.O_CREAT | os.O_WRONLY)
def say(*words):
    os.write(account, (" ".join(map(str, words)) + "\\n").encode())
with darnerpy.Queue(path, engine=sys.argv[2], sync=sys.argv[4]) as q:
    number = int(sys.argv[5])
    say("open")
    while True:
        number += 1
        what = chance.random()
        if what < 0.35:
            say("put?", number)
            q.put(b"%d" % number + (big if what < 0.01 else b""))
            say("put", number)
        elif what < 0.5:
            say("put?", *range(number, number + 10))
            q.put_many([b"%d" % each for each in range(number, number + 10)])
            say("put", *range(number, number + 10))
            number += 10
        elif what < 0.65:
            say("get?")
            try:
                say("got", int(q.get(block=False).rstrip(b"\\0")))
            except darnerpy.Empty:
                say("nothing")
        else:
            try:
                item = q.reserve(block=False)
            except darnerpy.Empty:
                continue
            known = int(bytes(item.data).rstrip(b"\\0"))
            if what < 0.9:
                say("confirm?", known)
                item.confirm()
                say("confirmed", known)
            else:
                item.abort()
                say("returned", known)
"""


class Account:
    """put, confirmed: acknowledged. perhaps_put, perhaps_gone: asked for when the process was killed. blind:
    gets that were not answered, each of which may have taken one item.
    """

    def __init__(self) -> None:
        self.put: set[int] = set()
        self.perhaps_put: set[int] = set()
        self.gone: set[int] = set()
        self.perhaps_gone: set[int] = set()
        self.blind = 0

    def read(self, said: str) -> None:
        asked = ""
        for line in said.split("\n")[:-1]:
            word, *numbers = line.split()
            known = set(map(int, numbers))
            if word == "put?":
                self.perhaps_put |= known
            elif word == "put":
                self.put |= known
            elif word == "confirm?":
                self.perhaps_gone |= known
            elif word in ("confirmed", "got"):
                assert not known & self.gone, f"handed out again after it was confirmed: {known}"
                assert known <= self.perhaps_put
                self.gone |= known
            asked = word
        self.blind += asked == "get?"

    def check(self, left: list[int]) -> None:
        """What another process finds afterwards."""
        assert len(set(left)) == len(left)
        assert left == sorted(left)  # in order, with what was returned in its place
        assert set(left) <= self.perhaps_put
        assert not set(left) & self.gone
        missing = self.put - self.gone - self.perhaps_gone - set(left)
        assert len(missing) <= self.blind, missing
        self.gone |= set(left)  # who accounts has taken them


def has_begun(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 1000  # a hundred lines


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("sync", ["always", "never", "20ms"])
def test_killed_at_any_moment(tmp_path: Path, engine: str, sync: str) -> None:
    chance, account = Random(sync), Account()
    for life in range(3):
        file = tmp_path / f"account-{life}"
        program = start(LOAD, tmp_path / "data", engine, life, sync, life * 1_000_000, file)
        wait_until(partial(has_begun, file))
        time.sleep(chance.uniform(0.05, 0.3))  # the random moment
        program.send_signal(signal.SIGKILL)
        _, err = program.communicate(timeout=50)
        assert program.returncode == -signal.SIGKILL, err
        account.read(file.read_text())
        with darnerpy.Queue(tmp_path / "data", engine=engine) as q:
            left = q.get_many(len(q)) if len(q) else []
            account.check([int(data.rstrip(b"\0")) for data in left])
    assert len(account.gone) > 5
