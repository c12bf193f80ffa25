"""Every source of every option: who wins, what is refused, and in which words."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.config import (
    Address,
    QueueSettings,
    Settings,
    SyncPolicy,
    UnixAddress,
    add_flags,
    check_variables,
    describe,
    load,
    options,
)
from darnerpy.errors import ConfigError
from tests.unit.configured import from_flags

ROOT = Path(__file__).parents[2]
Write = Callable[[str], str]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "darnerpy.toml"
        path.write_text(text)
        return str(path)

    return write


# --- Defaults and precedence


def test_the_defaults() -> None:
    settings = load(None, {}, {})
    assert settings == Settings()
    assert settings.data == Path("data")
    assert settings.listen == (Address("127.0.0.1", 22133),)
    assert settings.queue(b"q").sync == SyncPolicy(always=True)
    assert settings.queue(b"q").sync_ops is None
    assert settings.window_memory == 16 << 20
    assert settings.client_timeout is None
    assert settings.queue(b"work").max_item_bytes == 64 << 20
    assert settings.queue(b"work").engine == "leveldb"


def test_each_source_overrides_the_one_before(toml: Write) -> None:
    config = toml("max_open_reads = 2")
    environ = {"DARNERPY_MAX_OPEN_READS": "3"}
    assert load(config, {}, {}).max_open_reads == 2
    assert load(config, environ, {}).max_open_reads == 3
    assert from_flags("--config", config, environ=environ).max_open_reads == 3
    flags = ("--config", config, "--max-open-reads", "4")
    assert from_flags(*flags, environ=environ).max_open_reads == 4


def test_an_empty_variable_is_unset() -> None:
    assert load(None, {"DARNERPY_LISTEN": ""}, {}) == Settings()


@pytest.mark.parametrize(
    "variable",
    [
        "DARNERPY_SERVER",
        "DARNERPY_PURE",
        "DARNERPY_SERVICE_HOST",
        "DARNERPY_SERVICE_PORT",
        "DARNERPY_SERVICE_PORT_MEMCACHE",
        "DARNERPY_PORT",
        "DARNERPY_PORT_22133_TCP",
        "DARNERPY_PORT_22133_TCP_ADDR",
        "DARNERPY_HEADLESS_SERVICE_HOST",
        "DARNERPY_HEADLESS_PORT_22133_TCP_PROTO",
        "DARNERPYX",
        "SYNCH",
    ],
)
def test_variables_that_are_somebody_elses_are_left_alone(variable: str) -> None:
    """Kubernetes sets such names for a service called darnerpy."""
    assert load(None, {variable: "tcp://10.0.0.1"}, {}) == Settings()
    assert check_variables({variable: "x"}) == []


def test_variables_that_nobody_knows_are_told() -> None:
    environ = {"DARNERPY_HOME": "/x", "DARNERPY_COLOUR": "red", "DARNERPY_EMPTY": ""}
    assert load(None, environ, {}) == Settings()
    assert check_variables(environ) == ["DARNERPY_COLOUR", "DARNERPY_HOME"]


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("DARNERPY_SYNCH", "DARNERPY_SYNC"),
        ("DARNERPY_MAX_OPEN_READ", "DARNERPY_MAX_OPEN_READS"),
        ("DARNERPY_MAX_ITEM", "DARNERPY_MAX_ITEMS"),
        ("DARNERPY_LISTNE", "DARNERPY_LISTEN"),
    ],
)
def test_variables_that_are_nearly_options_are_refused(variable: str, near: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, {variable: "1"}, {})
    assert str(error.value) == f"{variable}: unknown variable; did you mean {near}?"


def test_an_error_in_a_weaker_source_is_still_an_error(toml: Write) -> None:
    with pytest.raises(ConfigError, match="DARNERPY_SYNC"):
        load(None, {"DARNERPY_SYNC": "soon"}, {"sync": "never"})


# --- Values


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("2s", 2_000),
        ("10m", 600_000),
        ("1h", 3_600_000),
        ("7d", 604_800_000),
        ("off", None),
    ],
)
def test_durations(text: str, milliseconds: int | None) -> None:
    assert load(None, {}, {"client_timeout": text}).client_timeout == milliseconds


def test_no_grace_at_all_is_a_duration_as_well() -> None:
    assert load(None, {}, {"status_grace_period": "0s"}).status_grace_period == 0


def test_an_address_that_is_off() -> None:
    assert load(None, {}, {"text_listen": ["off"]}).text_listen == ()
    assert from_flags("--text-listen", "a:1").text_listen == (Address("a", 1),)


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("64KiB", 65_536), ("8MiB", 8 << 20), ("1GiB", 1 << 30)]
)
def test_sizes(text: str, size: int) -> None:
    assert load(None, {}, {"window_memory": text}).window_memory == size


def test_a_size_may_be_a_number_in_toml(toml: Write) -> None:
    assert load(toml("window_memory = 4096"), {}, {}).window_memory == 4096


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("always", SyncPolicy(always=True)),
        ("never", SyncPolicy(always=False)),
        ("50ms", SyncPolicy(always=False, interval_ms=50)),
    ],
)
def test_sync(text: str, policy: SyncPolicy) -> None:
    assert load(None, {}, {"sync": text}).queue(b"q").sync == policy


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("localhost:22133", Address("localhost", 22133)),
        ("[::1]:22133", Address("::1", 22133)),
        ("[fe80::1%eth0]:1", Address("fe80::1%eth0", 1)),
        ("unix:/run/darnerpy.sock", UnixAddress("/run/darnerpy.sock")),
        ("unix:a:b", UnixAddress("a:b")),
    ],
)
def test_addresses_are_read_and_written_alike(text: str, address: Address | UnixAddress) -> None:
    assert load(None, {}, {"listen": [text]}).listen == (address,)
    assert str(address) == text


def test_several_addresses_from_every_source(toml: Write) -> None:
    both = (Address("a", 1), UnixAddress("/b"))
    assert load(toml('listen = ["a:1", "unix:/b"]'), {}, {}).listen == both
    assert load(None, {"DARNERPY_LISTEN": "a:1, unix:/b"}, {}).listen == both
    assert from_flags("--listen", "a:1", "--listen", "unix:/b").listen == both


# --- Refusals


@pytest.mark.parametrize(
    "line",
    [
        "max_open_reads = 0",
        "max_open_reads = true",
        "max_open_reads = 1.0",
        'max_open_reads = "-1"',
        "max_open_reads = []",
        "max_connections = -1",
        "keepalive_idle = '0s'",
        "keepalive_idle = '1500ms'",
        "keepalive_idle = '10h'",
        "keepalive_interval = 'off'",
        "keepalive_interval = 10",
        "keepalive_probes = 0",
        "keepalive_probes = 128",
        "data = ''",
        "data = 5",
        "listen = []",
        "listen = [22133]",
        'listen = ["127.0.0.1"]',
        'listen = ["127.0.0.1:65536"]',
        'listen = [":22133"]',
        'listen = ["::1:22133"]',
        'listen = ["unix:"]',
        'sync = "sometimes"',
        'sync = "0ms"',
        "sync = 50",
        "sync = []",
        'window_memory = "16MB"',
        'window_memory = "1.5MiB"',
        "window_memory = 0",
        "window_memory = -1",
        "window_memory = 1.5",
        'min_free_disk = "0"',
        "min_free_disk = false",
        'text_listen = ["off", "a:1"]',
        "text_listen = []",
        "admin_commands = 1",
        'admin_commands = "yes"',
        "status_grace_period = 0",
        'status_grace_period = "off"',
        'listen = "unix:/a\\u0000"',
        'listen = ["a,b:1"]',
        'listen = ["unix:/a,b"]',
        "window_memory = 1000000000000001",
        'data = "a\\u0000"',
        "max_connections = 1000000000000000",
        'client_timeout = "10"',
        'client_timeout = "10 m"',
        'client_timeout = "0s"',
        "client_timeout = false",
        'dialect = "redis"',
        'loop = ["uvloop"]',
        'log_level = "INFO"',
        'log_format = "xml"',
        'listen_mode = "0888"',
        'listen_mode = "4660"',
        'listen_mode = "66"',
        "listen_mode = 660",
        "listen_mode = 0o660",
        'listen_group = "a b"',
        "listen_group = -33",
    ],
)
def test_a_bad_value_is_refused_with_source_value_and_expectation(toml: Write, line: str) -> None:
    config = toml(line)
    key = line.split(" = ")[0]
    with pytest.raises(ConfigError, match=rf"{re.escape(config)}: {key}: expected .+, not .+"):
        load(config, {}, {})


@pytest.mark.parametrize(
    "line",
    [
        "max_items = 0",
        "max_items = true",
        'max_bytes = "0"',
        'max_age = "0s"',
        "max_age = 0",
        "discard_old_when_full = 1",
        'expire_to = "a+b"',
        'expire_to = "a b"',
        "expire_to = []",
        'dead_letter = "a/b"',
        'dead_letter = "+"',
        "max_attempts = -1",
        'max_retry_delay = "off"',
        'max_retry_delay = "0ms"',
        'consumers = ["a", "a"]',
        'consumers = [""]',
        "consumers = ['a,b']",
        "consumers = [5]",
        'consumers = "a,,b"',
        "consumers = true",
        'start = "middle"',
        'copy_from = "a b"',
        'lag_action = "wait"',
    ],
)
def test_a_bad_value_for_a_queue_is_refused_likewise(toml: Write, line: str) -> None:
    config = toml(f"[queues.work]\n{line}")
    place = re.escape(f'{config}: queues."work".{line.split(" = ")[0]}')
    with pytest.raises(ConfigError, match=rf"{place}: expected .+, not .+"):
        load(config, {}, {})


def test_the_words_of_a_refusal(toml: Write) -> None:
    expected = "expected a size such as 512, 64KiB, 8MiB or 1GiB, at most 1GiB, not '2GiB'"
    config = toml('[queues."mail-*"]\nmax_item_bytes = "2GiB"')
    with pytest.raises(ConfigError) as error:
        load(config, {}, {})
    assert str(error.value) == f'{config}: queues."mail-*".max_item_bytes: {expected}'
    with pytest.raises(ConfigError) as error:
        load(None, {"DARNERPY_MAX_ITEM_BYTES": "2GiB"}, {})
    assert str(error.value) == f"DARNERPY_MAX_ITEM_BYTES: {expected}"
    with pytest.raises(ConfigError) as error:
        from_flags("--max-item-bytes", "2GiB")
    assert str(error.value) == f"--max-item-bytes: {expected}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("max_open_read = 1", "max_open_read: unknown key; did you mean max_open_reads?"),
        ("zzz = 1", "zzz: unknown key; known are data, listen, text_listen, listen_mode,"),
        ("max_itms = 1", "max_itms: unknown key; did you mean max_items?"),
        ("[queue.work]", 'queue: unknown table; did you mean [queues."*"]?'),
        ("queue = 5", 'queue: unknown key; did you mean [queues."*"]?'),
        ("[alias]", "alias: unknown table; did you mean [aliases]?"),
        ("[server]", 'server: unknown table; known are [queues."*"] and [aliases]; options of the'),
        ("[sync]", "sync: expected"),
        ("[queues.mail.new]", 'for the queue mail.new write [queues."mail.new"]'),
        ("engine = 'memory'", 'engine: belongs in a table such as [queues."*"]'),
        ("queues = 5", 'queues: expected tables such as [queues."*"], not 5'),
        ("[queues]\nengine = 'memory'", 'queues."engine": expected a table [queues."engine"]'),
        ('[queues."*"]\nengin = 1', 'queues."*".engin: unknown key; did you mean engine?'),
        ('[queues."*"]\ndialect = "kestrel"', 'queues."*".dialect: is for the whole server, above'),
        ('sync = "always"\nsync', "(at line 2,"),
        ('sync = "always"\nsync = "never"', "(at line 2,"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_place(toml: Write, text: str, complaint: str) -> None:
    config = toml(text)
    with pytest.raises(ConfigError) as error:
        load(config, {}, {})
    assert str(error.value).startswith(f"{config}: ")
    assert complaint in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.toml: cannot be read: No such file"):
        load(str(tmp_path / "absent.toml"), {}, {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(str(tmp_path), {}, {})
    (tmp_path / "latin.toml").write_bytes(b'sync = "never"\n# \xff\n')
    with pytest.raises(ConfigError, match=r"latin.toml: not UTF-8 \(at line 2\)"):
        load(str(tmp_path / "latin.toml"), {}, {})


# --- Documentation


def test_the_documentation_holds_the_table() -> None:
    """When this fails, paste what `describe()` returns between the markers."""
    page = (ROOT / "docs/configuration.md").read_text()
    assert f"<!-- options -->\n{describe()}<!-- /options -->" in page


def test_the_help_names_every_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    help = parser.format_help()
    for each in (options(Settings) | options(QueueSettings)).values():
        assert (f"{each.flag} {each.kind.metavar}" in help) is not each.table_only
    server, _, every_queue = help.partition('a line of [queues."*"]')
    for name, each in options(Settings).items():
        assert f"\n  {each.flag} " in server, name
    for name, each in options(QueueSettings).items():
        assert (f"\n  {each.flag} " in every_queue) is not each.table_only, name


def test_what_differs_from_queue_to_queue_is_in_the_file_only(toml: Write) -> None:
    for name in "consumers", "copy_from":
        with pytest.raises(ConfigError, match=f"{name} is for a table of the file"):
            load(None, {f"DARNERPY_{name.upper()}": "a"}, {})
    flags = {"consumers": "a", "copy_from": "a"}
    assert load(None, {}, flags) == Settings()
    settings = load(toml('[queues.work]\nconsumers = ["a", "b"]\ncopy_from = "a"'), {}, flags)
    assert settings.queue(b"work").consumers == (b"a", b"b")
    assert settings.queue(b"work").copy_from == b"a"


def test_every_queue_may_be_given_more_by_flags() -> None:
    settings = from_flags(
        *(
            "--max-items",
            "10",
            "--retry-delay",
            "2s",
            "--expire-to",
            "late",
            "--lag-action",
            "discard",
        ),
        environ={"DARNERPY_MAX_LAG_BYTES": "1KiB", "DARNERPY_START": "head"},
    )
    found = settings.queue(b"work")
    assert (found.max_items, found.retry_delay, found.expire_to) == (10, 2000, b"late")
    assert (found.lag_action, found.max_lag_bytes, found.start) == ("discard", 1024, "head")
    assert settings.queue(b"work", b"audit").start == "head"
