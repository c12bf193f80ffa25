"""What deploy/ and the Dockerfile promise, as far as reading them can tell; `make test-image` runs
the image.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from darnerpy.cli.codes import UNAVAILABLE, USAGE
from darnerpy.config import QueueSettings, Settings, load, options

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "darnerpy.service"
COMPOSE = DEPLOY / "compose.yaml"
CONFIG = DEPLOY / "darnerpy.toml"
DOCKERFILE = ROOT / "Dockerfile"

# --- systemd


@pytest.fixture
def installed_unit(tmp_path: Path) -> Path:
    """The unit as it would be where the server is installed: its program must exist."""
    text, programs = re.subn(r"(?m)^ExecStart=\S+", "ExecStart=/bin/sh", UNIT.read_text())
    assert programs == 1
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    return unit


def systemd_analyze(*arguments: str | Path) -> str:
    """Run it; returns all it said, and fails the test if it exits with an error."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        env=os.environ | {"SYSTEMD_COLORS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_systemd_has_nothing_to_say_about_the_unit(installed_unit: Path) -> None:
    # An unknown key is only printed, without an error.
    assert systemd_analyze("verify", installed_unit) == ""


def test_the_unit_is_hardened(installed_unit: Path) -> None:
    if "--offline" not in systemd_analyze("--help"):
        pytest.skip("this systemd-analyze only rates units that are loaded")
    # Exits with an error above 1.5; an unhardened service has 9.6 of 10.
    systemd_analyze("security", "--offline=true", "--threshold=15", installed_unit)


def test_the_unit_starts_the_server_with_the_example_configuration() -> None:
    (start,) = re.findall(r"(?m)^ExecStart=(.*)", UNIT.read_text())
    _, command, flag, path = shlex.split(start)
    assert (command, flag) == ("serve", "--config")
    assert Path(path).name == CONFIG.name


def test_the_unit_starts_again_what_may_work_then() -> None:
    unit = dict(re.findall(r"(?m)^(\w+)=(.*)", UNIT.read_text()))
    assert unit["Restart"] == "on-failure"
    assert unit["StartLimitIntervalSec"] == "0"  # else systemd gives up after five seconds
    assert unit["RestartPreventExitStatus"].split() == [str(USAGE)]
    assert UNAVAILABLE != USAGE


def test_the_example_configuration_shows_the_defaults(tmp_path: Path) -> None:
    # A comment that is a setting has no blank after its sign.
    every_line = tmp_path / CONFIG.name
    every_line.write_text(re.sub(r"(?m)^#(?=[\w\[])", "", CONFIG.read_text()))
    for path in CONFIG, every_line:
        settings = load(str(path), {}, {})
        for name in options(Settings):
            assert getattr(settings, name) == getattr(Settings(), name)
        assert settings.queue(b"work") == QueueSettings()


# --- The container image


@pytest.fixture
def dockerfile() -> dict[str, list[str]]:
    """The last stage, the one that is kept: arguments by instruction, variables filled in."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text()).replace("\\\n", " ")
    instructions = defaultdict(list)
    for line in text.rsplit("\nFROM", 1)[1].splitlines()[1:]:
        if line:
            word, arguments = line.split(maxsplit=1)
            instructions[word].append(arguments)
    return instructions


def test_only_the_build_stage_installs_packages(dockerfile: dict[str, list[str]]) -> None:
    build = DOCKERFILE.read_text().rsplit("\nFROM", 1)[0]
    assert re.search(r"apt-get install .*\bgcc\b", build)
    # Nor is it lent anything: what a mount is made onto can stay behind, as an empty file.
    assert not re.search(r"apt-get|pip|--mount", " ".join(dockerfile["RUN"]))


def test_what_test_image_lends_is_what_the_build_asks_for() -> None:
    lent = re.search(r"(?s)HOST_SETTINGS = \{(.*?)\}", (DEPLOY / "test-image").read_text())
    assert lent
    asked = re.findall(r"type=secret,id=([\w.-]+)", DOCKERFILE.read_text())
    assert set(re.findall(r'"([\w.-]+)":', lent[1])) == set(asked)


def test_all_that_the_build_copies_is_sent_to_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text())
    assert {f"!{name}" for line in copied for name in line.split()} <= set(ignored)


def test_the_image_does_not_run_as_root(dockerfile: dict[str, list[str]]) -> None:
    # By number, since Kubernetes cannot tell from a name that it is not root.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", dockerfile["USER"][-1])


def test_the_server_is_process_1_and_is_stopped_as_it_expects(
    dockerfile: dict[str, list[str]],
) -> None:
    # A shell form would put a shell there, which keeps SIGTERM to itself.
    assert json.loads(dockerfile["ENTRYPOINT"][-1]) == ["darnerpy"]
    assert json.loads(dockerfile["CMD"][-1]) == ["serve"]
    assert dockerfile["STOPSIGNAL"] == ["SIGTERM"]


def test_the_image_has_a_health_check(dockerfile: dict[str, list[str]]) -> None:
    (check,) = dockerfile["HEALTHCHECK"]
    assert json.loads(check.split("CMD", 1)[1])[:2] == ["darnerpy", "stats"]


def test_the_image_keeps_its_data_on_a_volume(dockerfile: dict[str, list[str]]) -> None:
    (volume,) = dockerfile["VOLUME"]
    assert f"DARNERPY_DATA={volume}" in shlex.split(" ".join(dockerfile["ENV"]))


def test_the_image_listens_on_the_ports_it_exposes(dockerfile: dict[str, list[str]]) -> None:
    (ports,) = dockerfile["EXPOSE"]
    memcache, http = ports.split()
    variables = shlex.split(" ".join(dockerfile["ENV"]))
    assert f"DARNERPY_LISTEN=0.0.0.0:{memcache}" in variables
    assert "DARNERPY_HTTP=guarded" in variables
    assert not Settings(http="guarded").http_addresses
    (address,) = Settings(http="guarded", http_token_file=Path("t")).http_addresses
    assert str(address) == f"0.0.0.0:{http}"


# --- Compose


def test_compose_publishes_on_loopback_only() -> None:
    yaml = pytest.importorskip("yaml", reason="no PyYAML")
    (service,) = yaml.safe_load(COMPOSE.read_text())["services"].values()
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_takes_the_privileges_away_and_keeps_the_data() -> None:
    yaml = pytest.importorskip("yaml", reason="no PyYAML")
    compose = yaml.safe_load(COMPOSE.read_text())
    (service,) = compose["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    (volume,) = compose["volumes"]
    assert service["volumes"] == [f"{volume}:/data"]


def test_compose_shows_how_http_is_turned_on() -> None:
    """What its comments say to uncomment makes a file that is right, too."""
    yaml = pytest.importorskip("yaml", reason="no PyYAML")
    marks = r'- "127|DARNERPY_HTTP_|secrets:|  http-token:|    file:'
    text = re.sub(rf"(?m)^( *)# ({marks})", r"\1\2", COMPOSE.read_text())
    compose = yaml.safe_load(text)
    (service,) = compose["services"].values()
    assert "127.0.0.1:2223:2223" in service["ports"]
    (secret,) = service["secrets"]
    assert service["environment"]["DARNERPY_HTTP_TOKEN_FILE"] == f"/run/secrets/{secret}"
    assert compose["secrets"][secret]["file"] == "http-token"
    assert "openssl rand -hex 32 > deploy/http-token" in text


# --- All of them


@pytest.mark.parametrize("path", [DOCKERFILE, UNIT, COMPOSE], ids=lambda path: path.name)
def test_only_options_that_exist_are_set(path: Path) -> None:
    known = {each.variable for kind in (Settings, QueueSettings) for each in options(kind).values()}
    used = set(re.findall(r"DARNERPY_[A-Z_]+", path.read_text()))
    assert used
    others = {"DARNERPY_SERVER", "DARNERPY_PURE"}  # the client's, and the build's
    assert used - others <= known


def test_scripts_can_be_run() -> None:
    assert all(os.access(DEPLOY / name, os.X_OK) for name in ("test-image", "stand-in-base"))
