"""Every source of every option: who wins, what is refused, and in which words."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.config import Address, Settings, SyncPolicy, UnixAddress, add_flags, describe, load
from darnerpy.errors import ConfigError

ROOT = Path(__file__).parents[2]
Write = Callable[[str], str]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "darnerpy.toml"
        path.write_text(text)
        return str(path)

    return write


def from_flags(*arguments: str, environ: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    args = parser.parse_args(arguments)
    return load(args.config, environ or {}, vars(args))


# --- Defaults and precedence


def test_the_defaults() -> None:
    settings = load(None, {}, {})
    assert settings == Settings()
    assert settings.data == Path("data")
    assert settings.listen == (Address("127.0.0.1", 22133),)
    assert settings.sync == SyncPolicy(always=True)
    assert settings.window_memory == 16 << 20
    assert settings.idle_timeout is None
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


def test_variables_that_are_no_options_are_left_alone() -> None:
    """Kubernetes sets such names for a service called darnerpy."""
    assert load(None, {"DARNERPY_SERVICE_PORT": "tcp://10.0.0.1"}, {}) == Settings()


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
    assert load(None, {}, {"idle_timeout": text}).idle_timeout == milliseconds


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
    assert load(None, {}, {"sync": text}).sync == policy


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
        'idle_timeout = "10"',
        'idle_timeout = "10 m"',
        'idle_timeout = "0s"',
        "idle_timeout = false",
        'dialect = "redis"',
        'loop = ["uvloop"]',
        'log_level = "INFO"',
    ],
)
def test_a_bad_value_is_refused_with_source_value_and_expectation(toml: Write, line: str) -> None:
    config = toml(line)
    key = line.split(" = ")[0]
    with pytest.raises(ConfigError, match=rf"{re.escape(config)}: {key}: expected .+, not .+"):
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
        ("zzz = 1", "zzz: unknown key; known are data, listen, sync,"),
        ("engine = 'memory'", 'engine: belongs in a table such as [queues."*"]'),
        ("queues = 5", 'queues: expected tables such as [queues."*"], not 5'),
        ("[queues]\nengine = 'memory'", 'queues."engine": expected a table [queues."engine"]'),
        ('[queues."*"]\nengin = 1', 'queues."*".engin: unknown key; did you mean engine?'),
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


# --- Settings of one queue


def test_the_most_specific_table_wins_key_by_key(toml: Write) -> None:
    config = toml("""
        [queues.mail-new]
        max_item_bytes = 1
        [queues."mail-*"]
        max_item_bytes = 2
        engine = "memory"
        [queues."*"]
        max_item_bytes = 3
        engine = "leveldb"
        ignore_client_expiry = true
        [queues."m*"]
        max_item_bytes = 4
    """)
    settings = load(config, {}, {})
    found = [settings.queue(name) for name in (b"mail-new", b"mail-old", b"me", b"x")]
    assert [each.max_item_bytes for each in found] == [1, 2, 4, 3]
    assert [each.engine for each in found] == ["memory", "memory", "leveldb", "leveldb"]
    assert all(each.ignore_client_expiry for each in found)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a+b", b"a+b", True),
        ("a+b", b"aab", False),
        ("a.c", b"abc", False),
        ("job-[0-9]", b"job-7", True),
        ("job-[!0-9]", b"job-7", False),
        ("A*", b"a", False),
        ("größe", "größe".encode(), True),
        ("?", b"\xff", True),
    ],
)
def test_what_a_glob_matches(toml: Write, glob: str, name: bytes, matches: bool) -> None:
    settings = load(toml(f'[queues."{glob}"]\nengine = "memory"'), {}, {})
    assert (settings.queue(name).engine == "memory") is matches


def test_a_class_counts_as_a_wildcard(toml: Write) -> None:
    config = toml("""
        [queues."job-[0123456789]*"]
        max_item_bytes = 1
        [queues."job-7-*"]
        max_item_bytes = 2
    """)
    assert load(config, {}, {}).queue(b"job-7-x").max_item_bytes == 2


def test_a_flag_is_for_every_queue_without_a_table_of_its_own(toml: Write) -> None:
    config = toml("""
        [queues."*"]
        max_item_bytes = 1
        ignore_client_expiry = true
        [queues.small]
        max_item_bytes = 2
    """)
    settings = from_flags("--config", config, "--max-item-bytes", "1KiB")
    assert settings.queue(b"x").max_item_bytes == 1024
    assert settings.queue(b"x").ignore_client_expiry
    assert settings.queue(b"small").max_item_bytes == 2


# --- Documentation


def test_the_documentation_holds_the_table() -> None:
    """When this fails, paste what `describe()` returns between the markers."""
    page = (ROOT / "docs/configuration.md").read_text()
    assert f"<!-- options -->\n{describe()}<!-- /options -->" in page


def test_the_example_in_the_documentation_is_valid(toml: Write) -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example
    assert load(toml(example[1]), {}, {}) != Settings()


def test_the_help_names_every_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    assert "--max-open-journals VALUE" in parser.format_help()
