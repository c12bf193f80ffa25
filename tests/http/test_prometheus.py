"""deploy/alerts.yaml and deploy/grafana.json: that they are right, and a real Prometheus takes them."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml  # type: ignore[import-untyped]

from darnerpy.http.monitoring.metrics import FAMILIES
from tests.conftest import MakeServer
from tests.servers import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "alerts.yaml"
GRAFANA = DEPLOY / "grafana.json"

SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}
NAMES = {each.name + end for each in FAMILIES for end in SUFFIXES.get(each.kind, ("",))}

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def grafana_queries() -> list[str]:
    """As Prometheus is asked, with values for the variables."""
    board = json.loads(GRAFANA.read_text())
    values = {"$__rate_interval": "1m", "$job": "darnerpy", "$instance": ".*", "$queue": ".*"}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for name, value in values.items():
        queries = [query.replace(name, value) for query in queries]
    assert not [query for query in queries if "$" in query]
    return queries


def test_every_metric_that_is_asked_for_exists() -> None:
    for text in (ALERTS.read_text(), GRAFANA.read_text()):
        asked = set(re.findall(r"\b(?:darnerpy|process)_[a-z_]+\b", text))
        assert len(asked) > 8
        assert asked <= NAMES


def test_every_alert_says_where_and_how_bad() -> None:
    names = [each["alert"] for each in alerts()]
    assert len(set(names)) == len(names) > 8
    for each in alerts():
        assert each["labels"]["severity"] in ("critical", "warning", "info")
        assert "{{ $labels.instance }}" in each["annotations"]["summary"]


def test_the_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(GRAFANA.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(ALERTS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("GET", path)
            said = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert said["status"] == "success", said
        return said["data"]

    def query(self, query: str) -> list[tuple[dict[str, str], float]]:
        found = self.ask(f"/api/v1/query?query={quote(query, safe='')}")["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def is_there(self) -> bool:
        try:
            self.ask("/api/v1/status/buildinfo")
        except (OSError, HTTPException, ValueError):
            return False
        return True


@contextmanager
def prometheus(directory: Path, target: str) -> Iterator[Prometheus]:
    """One that scrapes every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "darnerpy", "static_configs": [{"targets": [target]}]}],
    }
    directory.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    arguments = [
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
    ]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", *arguments, f"--web.listen-address=127.0.0.1:{port}"],
            stderr=log,
            stdout=log,
        )
        try:
            found = Prometheus(port)
            wait_until(found.is_there)
            yield found
        finally:
            process.terminate()
            process.wait(20)


@needs_prometheus
def test_prometheus_scrapes_it(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(http="127.0.0.1:0", sync="never")
    with server.connect() as wire, prometheus(tmp_path / "prometheus", server.http_address) as seen:
        wire.get("wörk+audit")
        wire.put("wörk", b"x", b"y", b"z")
        assert wire.get("wörk") == b"x"
        name = "w%C3%B6rk"
        wait_until(lambda: seen.query(f'darnerpy_queue_items{{queue="{name}"}}'))
        items = {
            labels.get("consumer", ""): value
            for labels, value in seen.query(f'darnerpy_queue_items{{queue="{name}"}}')
        }
        assert items == {"": 2, "audit": 3}
        assert seen.query('up{job="darnerpy"}')[0][1] == 1
        (target,) = seen.ask("/api/v1/targets")["activeTargets"]
        assert target["lastError"] == ""
        metadata = seen.ask("/api/v1/metadata?metric=darnerpy_commit_seconds")
        assert metadata["darnerpy_commit_seconds"][0]["type"] == "histogram"

        def evaluated() -> bool:
            (group,) = seen.ask("/api/v1/rules")["groups"]
            assert not [rule for rule in group["rules"] if rule["health"] == "err"]
            return all(rule["health"] == "ok" for rule in group["rules"])

        wait_until(evaluated)
        for query in grafana_queries():
            seen.query(query)
        assert wire.ask("delete wörk\r\n".encode()) == b"DELETED\r\n"
        wait_until(lambda: not seen.query(f'darnerpy_queue_items{{queue="{name}"}}'))
        server.stop()
        wait_until(lambda: seen.query('up{job="darnerpy"} == 0'))
