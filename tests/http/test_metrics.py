"""`/metrics` as Prometheus reads it: both formats, what is counted, and what vanishes."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse

from darnerpy.http.monitoring.exposition import OPENMETRICS, PROMETHEUS, format_for
from darnerpy.http.monitoring.metrics import FAMILIES
from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.records import block_key
from tests.conftest import MakeServer
from tests.http.web import Web
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {"pump": {"loop": "pump", "http": "127.0.0.1:0"}}

OPEN = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
parse_open: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(families: Iterable[Metric]) -> Samples:
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def scrape(web: Web, path: str = "/metrics") -> Samples:
    return samples_of(parse(web.get(path).body.decode()))


def of(samples: Samples, name: str, **labels: str) -> Any:
    return samples.get((f"darnerpy_{name}", frozenset(labels.items())))


def test_what_is_counted_of_a_queue(web: Web, wire: Wire) -> None:
    wire.put("work", b"aa", b"bb", b"cc", b"dd")
    assert wire.get("work") == b"aa"
    assert wire.get("work/open") == b"bb"
    assert wire.get("work/abort") is None
    assert wire.get("work/open") == b"bb"
    assert wire.get("work/close") is None
    assert wire.get("work/open") == b"cc"
    seen = scrape(web)
    for name, value in {
        "queue_items": 1,
        "queue_bytes": 2,
        "queue_open_reads": 1,
        "queue_waiters": 0,
        "queue_delayed": 0,
        "queue_puts_total": 4,
        "queue_gets_total": 4,
        "queue_confirmed_total": 2,
        "queue_returned_total": 1,
        "queue_flushed_total": 0,
        "queue_expired_total": 0,
        "queue_discarded_total": 0,
        "queue_dead_total": 0,
    }.items():
        assert of(seen, name, queue="work") == value, name
    assert of(seen, "queue_age_seconds", queue="work") >= 0
    assert wire.ask(b"flush work\r\n") == b"END\r\n"
    assert of(scrape(web), "queue_flushed_total", queue="work") == 1


def test_what_is_purged_is_not_taken_for_what_made_room(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", max_items=4, discard_old_when_full="true")
    with server.connect() as wire, Web(server) as web:
        assert wire.get("bulk+audit") is None
        wire.put("bulk", *[b"x"] * 5)
        assert web.ask("DELETE", "/v1/queues/bulk/items?first=2").json == {"purged": 2}
        purge = "/v1/queues/bulk/items?first=1&consumer=audit"
        assert web.ask("DELETE", purge).json == {"purged": 1}
        seen = scrape(web)
        assert of(seen, "queue_discarded_total", queue="bulk") == 1
        assert of(seen, "queue_purged_total", queue="bulk") == 2
        assert of(seen, "queue_purged_total", queue="bulk", consumer="audit") == 1
        assert of(seen, "queue_flushed_total", queue="bulk") == 0
        assert of(seen, "queue_confirmed_total", queue="bulk") == 0
        stats = wire.stats("bulk")
        assert (stats["discarded"], stats["purged"]) == ("1", "2")
        assert wire.stats("bulk+audit")["purged"] == "1"
        for gone in (b"delete bulk+audit\r\n", b"delete bulk\r\n"):
            assert wire.ask(gone) == b"DELETED\r\n"
            assert wire.stats()["purged"] == "3"


def test_clients_and_commands_of_http_are_counted_too(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0", max_connections=1)
    with Web(server) as web:
        before = scrape(web)
        with Web(server) as other:
            assert other.get("/v1/queues").status == 503
        web.post("/v1/queues/q/items", b"x")
        for _ in range(2):
            web.post("/v1/queues/q/take")
        after = scrape(web)
    for name, more in {
        "connections_accepted_total": 1,
        "connections_refused_total": 1,
        "sets_total": 1,
        "gets_total": 2,
        "get_hits_total": 1,
        "get_misses_total": 1,
        "received_bytes_total": 0,
        "sent_bytes_total": 0,
    }.items():
        assert of(after, name) - of(before, name) == more, name


def test_a_consumer_has_series_of_its_own_which_go_with_it(web: Web, wire: Wire) -> None:
    wire.get("fan+audit")
    wire.put("fan", b"x", b"y")
    assert wire.get("fan+audit") == b"x"
    seen = scrape(web)
    assert of(seen, "queue_items", queue="fan") == 2
    assert of(seen, "queue_items", queue="fan", consumer="audit") == 1
    assert of(seen, "queue_confirmed_total", queue="fan", consumer="audit") == 1
    assert of(seen, "queue_puts_total", queue="fan") == 2
    assert of(seen, "queue_puts_total", queue="fan", consumer="audit") is None
    assert wire.ask(b"delete fan+audit\r\n") == b"DELETED\r\n"
    assert of(scrape(web), "queue_items", queue="fan", consumer="audit") is None
    assert wire.ask(b"delete fan\r\n") == b"DELETED\r\n"
    assert not [key for key in scrape(web) if ("queue", "fan") in key[1]]


def test_every_name_is_a_good_label(web: Web, wire: Wire) -> None:
    names = [b'quo"te', b"back\\slash", b"\xff\xfe", "süß".encode(), b"{a=b}", b"..", b"%41"]
    for name in names:
        assert wire.ask(b"set %b 0 0 1\r\nx\r\n" % name) == b"STORED\r\n"
    seen = scrape(web)
    for label in ("quo%22te", "back%5Cslash", "%FF%FE", "s%C3%BC%C3%9F", "%7Ba%3Db%7D", "%2541"):
        assert of(seen, "queue_items", queue=label) == 1, label
    opened = web.get("/metrics", accept=OPEN)
    told = samples_of(parse_open(opened.body.decode()))
    assert of(told, "queue_items", queue="quo%22te") == 1


def test_a_glob_limits_it_to_some_queues(web: Web, wire: Wire) -> None:
    for name in ("glob-a", "glob-b", "other"):
        wire.put(name, b"x")
    seen = scrape(web, "/metrics?queue=glob-*")
    queues = {value for _, labels in seen for label, value in labels if label == "queue"}
    assert queues == {"glob-a", "glob-b"}
    assert of(seen, "queues") is not None


def test_in_a_glob_a_character_is_one_however_many_bytes_it_has(web: Web, wire: Wire) -> None:
    wire.put("café", b"x")
    assert of(scrape(web, "/metrics?queue=caf?"), "queue_items", queue="caf%C3%A9") == 1
    (listed,) = web.get("/v1/queues?glob=c?f%5B%C3%A8%C3%A9%5D").json["queues"]
    assert listed["text"] == "café"


def test_both_formats_say_the_same_of_every_family(web: Web, wire: Wire) -> None:
    wire.put("same", b"x")
    plain, opened = web.get("/metrics"), web.get("/metrics", accept=OPEN)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert opened.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert opened.body.endswith(b"\n# EOF\n")
    one = list(parse(plain.body.decode()))
    other = list(parse_open(opened.body.decode()))
    assert samples_of(one).keys() == samples_of(other).keys()
    kinds = {family.name: (family.type, family.unit, family.documentation) for family in other}
    assert kinds == {each.name: (each.kind, each.unit, each.help) for each in FAMILIES}
    known = {family.name for family in one}
    suffix = {"info": "_info"}
    assert known == {each.name + suffix.get(each.kind, "") for each in FAMILIES}


def test_histograms_are_cumulative_and_count_turns(web: Web, wire: Wire) -> None:
    wire.put("turns", b"x")
    assert wire.get("turns") == b"x"
    before = scrape(web)
    for _ in range(5):
        wire.put("turns", b"x")
        assert wire.get("turns") == b"x"
    after = scrape(web)
    for name in ("commit_seconds", "command_seconds"):
        assert of(after, f"{name}_count") >= of(before, f"{name}_count") + 10
        buckets = [
            (float(dict(labels)["le"]), value)
            for (sample, labels), value in after.items()
            if sample == f"darnerpy_{name}_bucket"
        ]
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == of(after, f"{name}_count")
    assert of(after, "queue_time_seconds_count") >= of(before, "queue_time_seconds_count") + 5


def test_a_total_goes_on_where_a_queue_that_failed_is_read_again(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_journals=1, http="127.0.0.1:0")
    with server.connect() as wire, Web(server) as web:
        wire.put("well", b"x", b"y")
        assert wire.get("well") == b"x"
        wire.put("other", b"x")
        wait_until(lambda: wire.stats()["open_journals"] == "1")
        shutil.rmtree(server.data / "queues/well")
        assert wire.ask(b"set well 0 0 1\r\nz\r\n").startswith(b"SERVER_ERROR ")
        seen = scrape(web)
        assert of(seen, "queue_failed", queue="well") == 1
        assert of(seen, "queue_failed", queue="other") is None
        assert of(seen, "queue_puts_total", queue="well") == 2
        assert of(seen, "queue_confirmed_total", queue="well") == 1
    server.kill()


def test_queues_that_others_send_to_can_be_told_from_the_rest(make_server: MakeServer) -> None:
    toml = """
        [queues."*"]
        max_attempts = 2
        dead_letter = "failed"
        [queues."mail-*"]
        dead_letter = "drop"
        expire_to = "late"
    """
    server = make_server(toml=toml, http="127.0.0.1:0")
    with server.connect() as wire, Web(server) as web:
        for name in ("failed", "late", "drop", "mail-a", "work"):
            wire.put(name, b"x")
        wire.get("failed+audit")
        told = {labels for name, labels in scrape(web) if name == "darnerpy_queue_target"}
        assert told == {
            frozenset({("queue", "failed"), ("what", "dead_letter")}),
            frozenset({("queue", "late"), ("what", "expire_to")}),
        }


def test_damage_and_what_is_kept_for_it_are_told(make_server: MakeServer) -> None:
    server = make_server(sync="never", http="127.0.0.1:0")
    with server.connect() as wire, Web(server) as web:
        assert wire.get("hurt+audit") is None
        wire.put("well", b"x")
        for _ in range(8):  # a record each
            wire.put("hurt", b"x")
        seen = scrape(web)
        assert of(seen, "queue_damaged_total", queue="hurt") == 0
        assert of(seen, "queue_kept", queue="hurt") is None
    server.stop()
    with plyvel.DB(os.fspath(server.data / "queues/hurt/leveldb")) as database:
        assert database.get(block_key(4)) is not None
        database.delete(block_key(4))
    server.restart()
    with server.connect() as wire, Web(server) as web:
        wait_until(lambda: wire.stats()["loading"] == "0")
        for _ in range(3):
            assert wire.get("hurt") == b"x"
        assert wire.get("hurt") is None
        stats = wire.stats("hurt")
        assert (stats["damaged_items"], stats["kept"]) == ("1", "4")
        seen = scrape(web)
        assert of(seen, "queue_damaged_total", queue="hurt") == 1
        assert of(seen, "queue_kept", queue="hurt") == 4
        assert of(seen, "queue_damaged_total", queue="well") == 0
        assert of(seen, "queue_kept", queue="well") is None
        assert of(seen, "queue_damaged_total", queue="hurt", consumer="audit") is None
    server.kill()  # damage is an error in the log


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")
def test_promtool_finds_no_fault(web: Web, wire: Wire) -> None:
    wire.put('od"d', b"x")
    wire.get("od+c")
    text = web.get("/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("accept", "opened"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", False),
        (OPEN, True),
        ("application/openmetrics-text", True),
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            True,
        ),
        ("application/openmetrics-text;q=0,text/plain", False),
        ("application/openmetrics-text;q=0.2,text/plain", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=x", False),
    ],
)
def test_the_format_is_what_the_client_prefers(accept: str, opened: bool) -> None:
    assert format_for(accept) is (OPENMETRICS if opened else PROMETHEUS)


def test_process_and_build(server: ServerProcess, web: Web) -> None:
    seen = scrape(web)
    resident = seen["process_resident_memory_bytes", frozenset()]
    assert server.memory() * 0.8 < resident < server.memory() * 1.25
    assert seen["process_open_fds", frozenset()] > 5
    assert seen["process_cpu_seconds_total", frozenset()] > 0
    assert [dict(labels)["version"] for name, labels in seen if name == "darnerpy_build_info"]


def test_every_metric_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    section = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    told = re.findall(r"`(_?[a-z_]+)`", section)
    for family in FAMILIES:
        name = PROMETHEUS.sample(family)
        known = name in told or any(each[0] == "_" and name.endswith(each) for each in told)
        assert known or name.startswith("process_"), name
    full = {each for each in told if each.startswith("darnerpy_")}
    assert full <= {PROMETHEUS.sample(each) for each in FAMILIES}
