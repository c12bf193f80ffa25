"""What the reports promise: the page that explains them, one word a value, totals that never fall."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire, wait_until

PAGE = Path(__file__).parents[2] / "docs/monitoring.md"

TOML = """
[aliases]
both = ["work", "other+c"]

[queues."work"]
max_attempts = 1
dead_letter = "dead"

[queues."small"]
max_items = 1
discard_old_when_full = true

[queues."tries"]
max_attempts = 1
dead_letter = "drop"
"""


def of_page(section: str) -> dict[str, tuple[str, bool]]:
    """The names in a section's table: each with its kind, and whether it is marked."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`( \\\*)? \| ([^|]+?) \|", text, re.MULTILINE)
    return {name: (kind, bool(mark)) for name, mark, kind in rows}


@pytest.fixture
def busy(make_server: MakeServer) -> Iterator[ServerProcess]:
    """A server in which most things that can happen have happened."""
    server = make_server(toml=TOML, sync="never")
    with server.connect() as wire:
        wire.put("work", b"a", b"b")
        wire.get("work+c")
        wire.get("other+c")
        wire.put("both", b"c")
        wire.get("work/open")
        wire.get("work/abort")
        wire.get("work/open")
        wire.put("small", b"a", b"b")
        wire.put("tries", b"a")
        wire.get("tries/open")
        wire.get("tries/abort")
        wire.put("n\xe4m\xa0e\x85", b"x")
        wire.ask(b"set expiring 0 -1 1\r\nx\r\n")
        wire.ask(b"flush_all_expired\r\n")
        wire.wait_until("dead", items=1)
        yield server


@pytest.fixture
def wire(busy: ServerProcess) -> Iterator[Wire]:
    with busy.connect() as connection:
        yield connection


def server_only(wire: Wire) -> dict[str, str]:
    names = wire.stats()
    first = next(i for i, name in enumerate(names) if name.endswith("_state"))
    return dict(list(names.items())[:first])


# --- The page


def test_the_page_names_what_the_server_sends(wire: Wire) -> None:
    queue = of_page("A queue")
    assert list(of_page("The server")) == list(server_only(wire))
    assert set(queue) == set(wire.stats("work"))
    assert {name for name, (_, mark) in queue.items() if not mark} == set(wire.stats("work+c"))
    assert set(of_page("An alias")) == set(wire.stats("both"))


def test_the_page_says_of_what_kind_each_is() -> None:
    for section in ("The server", "A queue", "An alias"):
        kinds = {kind.removesuffix(", kept") for kind, _ in of_page(section).values()}
        assert kinds <= {"gauge", "total", "text"}, section


# --- Values


@pytest.mark.parametrize(
    "request_line",
    [b"stats", b"stats work", b"stats work+c", b"stats both", b"stats small", b"stats none"],
)
def test_every_line_has_three_words(wire: Wire, request_line: bytes) -> None:
    *lines, end = wire.ask(request_line + b"\r\n").split(b"\r\n")[:-1]
    assert end == b"END"
    for line in lines:
        # Also where blanks are more than a blank, in Latin-1 and in Unicode.
        for words in (line.split(b" "), line.split()):
            assert len(words) == 3, line
            assert all(words), line
        assert line.startswith(b"STAT ")


def test_an_error_is_one_word(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_journals=1)
    with server.connect() as wire:
        wire.put("odd", b"x")
        wire.put("well", b"x", b"y")
    server.stop()
    for file in (server.data / "queues/odd/leveldb").iterdir():
        file.unlink()
    (server.data / "queues/odd/leveldb").rmdir()
    (server.data / "queues/odd/leveldb").write_text("no directory")
    server.start()
    with server.connect() as wire:
        wait_until(lambda: wire.stats()["loading"] == "0")
        assert wire.stats("odd") == {"state": "failed", "error": "disk", "engine": "leveldb"}
        total = wire.stats()
        assert (total["failed_queues"], total["loading_queues"]) == ("1", "0")
        assert (total["curr_items"], total["total_items"]) == ("2", "2")
        wire.send(b"dump_stats odd\r\n")
        dump = wire.read_until(b"END\r\n").decode()
        assert dump.startswith(
            "queue 'odd' {\r\n  state=failed\r\n  error=disk\r\n  engine=leveldb\r\n  reason=cannot "
        )
        wire.send(b"dump_stats well\r\n")
        assert b"reason" not in wire.read_until(b"END\r\n")
        wire.put("other", b"x")
        wait_until(lambda: wire.stats()["open_journals"] == "1")
        shutil.rmtree(server.data / "queues/well")
        assert wire.ask(b"set well 0 0 1\r\nz\r\n").startswith(b"SERVER_ERROR ")
        well = wire.stats("well")
        assert (well["state"], well["error"]) == ("failed", "taken_away")
        assert (well["items"], well["total_items"]) == ("2", "2")  # what is known stays known
        assert wire.stats()["total_items"] == "3"  # and what is refused never counts
    server.kill()


def test_names_that_no_client_can_say_are_no_queues(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.put("well", b"x")
    server.stop()
    for odd in ("a%20b", "a%2Bb", "a%2Fb", "a%0Ab"):
        shutil.copytree(server.data / "queues/well", server.data / "queues" / odd)
    server.start()
    with server.connect() as wire:
        wait_until(lambda: wire.stats()["loading"] == "0")
        names = wire.ask(b"stats\r\n")
        assert names.count(b"_state ") == 1
        assert all(len(line.split()) == 3 for line in names.splitlines()[:-1])


# --- Totals


def totals(wire: Wire) -> dict[str, int]:
    known = of_page("The server")
    found = {
        name: int(text) for name, text in server_only(wire).items() if known[name][0] == "total"
    }
    return found | {"total_items": int(server_only(wire)["total_items"])}


def test_totals_never_fall(busy: ServerProcess, wire: Wire) -> None:
    before = totals(wire)
    assert before["expired_items"] == before["dead_lettered"] == before["dropped"] == 1
    assert before["discarded"] == 1
    assert before["total_items"] == 10
    acts = [
        *("delete work+c", "delete tries", "delete work", "delete small", "delete expiring"),
        *("delete other", "delete dead", "flush_all", "flush_all_expired", "delete none"),
    ]
    for act in acts:
        wire.ask(f"{act}\r\n".encode())
        after = totals(wire)
        assert all(after[name] >= count for name, count in before.items()), act
        before = after
    assert before["expired_items"] == before["dead_lettered"] == before["dropped"] == 1
    assert before["discarded"] == 1
    assert before["total_items"] == 10
    wire.put("work", b"x")
    assert totals(wire)["total_items"] == 11


def test_totals_stay_when_an_alias_hides_a_queue(make_server: MakeServer) -> None:
    server = make_server(toml='[queues."a"]\nmax_items = 5\n', sync="never")
    with server.connect() as wire:
        wire.put("hidden", b"x", b"y")
        config = server.data.parent / "darnerpy.toml"
        config.write_text('[aliases]\nhidden = ["shown"]\n')
        assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"
        assert server_only_total(wire) == 2
        wire.put("hidden", b"z")
        assert server_only_total(wire) == 3


def server_only_total(wire: Wire) -> int:
    return int(wire.stats()["total_items"])
