"""deploy/alerts.yaml: when alerts fire and what they say, by promtool, of series that are made up."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

ALERTS = Path(__file__).parents[2] / "deploy/alerts.yaml"
SERVER = {"instance": "one", "job": "darnerpy"}

Says = Callable[..., None]

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")


@pytest.fixture
def says(tmp_path: Path) -> Says:
    """Asserts that an alert says this and no more, at some time.

    series: by name and labels, a value a minute. told: what is said, by the labels it has beside the
    server's; the severity is the alert's.
    """

    def check(
        alert: str, at: str, series: dict[str, str], told: dict[tuple[str, ...], str]
    ) -> None:
        (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
        (rule,) = [each for each in group["rules"] if each["alert"] == alert]
        expected = [
            {
                "exp_labels": {
                    **SERVER,
                    **rule["labels"],
                    **dict(label.split("=") for label in labels),
                },
                "exp_annotations": {"summary": summary},
            }
            for labels, summary in told.items()
        ]
        at_server = ", ".join(f'{label}="{value}"' for label, value in SERVER.items())
        test = {
            "interval": "1m",
            "input_series": [
                {"series": name.replace("}", f", {at_server}}}"), "values": values}
                for name, values in series.items()
            ],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
        }
        path = tmp_path / "test.yaml"
        path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": [test]}))
        done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return check


Series = dict[str, str]

WAITS: dict[str, Series] = {
    "DarnerpyOldItems": {"darnerpy_queue_age_seconds{QUEUE}": "700x60"},
    "DarnerpyQueueGrows": {
        "darnerpy_queue_items{QUEUE}": "1001+100x60",
        "darnerpy_queue_delayed{QUEUE}": "0x60",
    },
    "DarnerpyNobodyReads": {
        "darnerpy_queue_items{QUEUE}": "3x60",
        "darnerpy_queue_delayed{QUEUE}": "0x60",
        "darnerpy_queue_waiters{QUEUE}": "0x60",
        "darnerpy_queue_open_reads{QUEUE}": "0x60",
        "darnerpy_queue_gets_total{QUEUE}": "8x60",
    },
}
TOLD = {
    "DarnerpyOldItems": "The next item of {} at one has waited for 11m 40s",
    "DarnerpyQueueGrows": "{} at one grows: consumers do not keep up",
    "DarnerpyNobodyReads": "Nobody reads {} at one",
}


def of_queue(series: Series, labels: str) -> Series:
    return {name.replace("QUEUE", labels): values for name, values in series.items()}


@pytest.mark.parametrize("alert", WAITS)
def test_an_alert_names_the_queue_or_its_consumer(says: Says, alert: str) -> None:
    series = of_queue(WAITS[alert], 'queue="work"')
    series |= of_queue(WAITS[alert], 'queue="work",consumer="audit"')
    told: dict[tuple[str, ...], str] = {
        ("queue=work",): TOLD[alert].format("work"),
        ("queue=work", "consumer=audit"): TOLD[alert].format("work+audit"),
    }
    says(alert, "50m", series, told)


@pytest.mark.parametrize("alert", WAITS)
@pytest.mark.parametrize(("what", "fires"), [("gets", False), ("puts", True)])
def test_that_items_wait_while_gets_are_paused_is_no_news(
    says: Says, alert: str, what: str, fires: bool
) -> None:
    paused = {f'darnerpy_queue_paused{{queue="work",what="{what}"}}': "1x60"}
    series = of_queue(WAITS[alert], 'queue="work"') | paused
    says(alert, "50m", series, {("queue=work",): TOLD[alert].format("work")} if fires else {})


@pytest.mark.parametrize(
    ("alert", "what", "fires"),
    [
        ("DarnerpyOldItems", "dead_letter", False),
        ("DarnerpyOldItems", "expire_to", True),
        ("DarnerpyNobodyReads", "dead_letter", False),
        ("DarnerpyNobodyReads", "expire_to", True),
        ("DarnerpyQueueGrows", "dead_letter", True),
    ],
)
def test_nobody_has_to_read_a_dead_letter(says: Says, alert: str, what: str, fires: bool) -> None:
    target = {f'darnerpy_queue_target{{queue="work",what="{what}"}}': "1x60"}
    series = of_queue(WAITS[alert], 'queue="work"') | target
    says(alert, "50m", series, {("queue=work",): TOLD[alert].format("work")} if fires else {})


@pytest.mark.parametrize(
    ("alert", "delayed", "fires"),
    [
        pytest.param("DarnerpyNobodyReads", "3x60", False, id="nothing is due"),
        pytest.param("DarnerpyNobodyReads", "2x60", True, id="one is due"),
        pytest.param("DarnerpyQueueGrows", "1001+100x60", False, id="nothing is due of many"),
        pytest.param("DarnerpyQueueGrows", "900+10x60", True, id="ever more are due"),
        pytest.param("DarnerpyQueueGrows", "0+100x60", False, id="as many as ever are due"),
    ],
)
def test_what_is_not_due_is_not_for_anybody_to_read(
    says: Says, alert: str, delayed: str, fires: bool
) -> None:
    series = of_queue(WAITS[alert], 'queue="work"')
    series['darnerpy_queue_delayed{queue="work"}'] = delayed
    says(alert, "50m", series, {("queue=work",): TOLD[alert].format("work")} if fires else {})


WORK = {
    ("queue=work",): "Items of work at one are damaged and cannot be served: the log says which"
}


@pytest.mark.parametrize(
    ("values", "at", "fires"),
    [
        pytest.param("0x60", "50m", False, id="no damage"),
        pytest.param("0x9 538x60", "20m", True, id="met while it runs"),
        pytest.param("0x9 _x3 538x60", "20m", True, id="met at a start"),
        pytest.param("0x9 _x90 538x60", "105m", True, id="met at a start after a long time"),
        pytest.param("0x9 538x90", "85m", False, id="long ago"),
        pytest.param("538x90 _x3 538x60", "100m", False, id="known before a start"),
        pytest.param("538x90 _x10 538x90", "165m", False, id="nor when it is an hour ago"),
        pytest.param("538x90 _x90 538x90", "190m", False, id="known before a long stop"),
        pytest.param(
            "538x90 _x3 17x60", "100m", False, id="trimmed in part, and forgotten by a start"
        ),
        pytest.param("538x90 _x3 0x5 3x60", "105m", True, id="new after that"),
        pytest.param("538x90", "30m", True, id="there from the beginning"),
        pytest.param("538x90", "80m", False, id="there from the beginning, long ago"),
    ],
)
def test_damage_that_is_new_is_told_for_an_hour(
    says: Says, values: str, at: str, fires: bool
) -> None:
    series = {'darnerpy_queue_damaged_total{queue="work"}': values}
    says("DarnerpyItemsDamaged", at, series, WORK if fires else {})


def test_what_is_kept_is_told_as_long_as_it_is(says: Says) -> None:
    series = {'darnerpy_queue_kept{queue="work"}': "_x9 40x100"}
    summary = "40 items of work at one are kept and not served: see darnerpy check"
    says("DarnerpyItemsKept", "8m", series, {})
    says("DarnerpyItemsKept", "100m", series, {("queue=work",): summary})
