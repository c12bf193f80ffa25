"""What is written is read again as the same; whatever a file holds, the answer is a ConfigError."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.config import (
    Address,
    QueueRule,
    QueueSettings,
    Settings,
    SyncPolicy,
    UnixAddress,
    load,
    options,
    restart_needed,
    written,
    written_queue,
)
from darnerpy.errors import ConfigError
from tests.unit.configured import from_toml

# --- Written and read again

durations = st.integers(1, 10**9 - 1) | st.builds(
    int.__mul__, st.integers(1, 10**9 - 1), st.sampled_from([1000, 60_000, 3_600_000, 86_400_000])
)
sizes = st.integers(1, 10**15 - 1) | st.builds(
    int.__mul__, st.integers(1, 10**15 - 1), st.sampled_from([1 << 10, 1 << 20, 1 << 30])
)
counts = st.integers(1, 10**15 - 1)
name_bytes = st.lists(st.sampled_from([b for b in range(0x21, 0x100) if b not in b"/+,\x7f"]))
queue_names = name_bytes.map(bytes)
consumers = st.lists(queue_names.filter(bool), unique=True).map(tuple)
hosts = st.from_regex(r"[a-z0-9.-]+|[0-9a-f]*(:[0-9a-f]*){1,7}(%eth0)?", fullmatch=True)
paths = st.text(st.characters(exclude_characters="\0\n,", exclude_categories=["Cs", "Z", "C"]))
addresses = st.lists(
    st.builds(Address, hosts, st.integers(0, 65535)) | st.builds(UnixAddress, paths.filter(bool)),
    min_size=1,
).map(tuple)
syncs = st.builds(SyncPolicy, st.just(False), st.none() | durations) | st.just(SyncPolicy(True))
grown = {"max_item_bytes": st.integers(1, 1 << 30), "max_attempts": counts, "consumers": consumers}
grown["sync"] = syncs
grown |= dict.fromkeys(["max_items", "sync_ops", "max_lag_items"], counts | st.none())
grown |= dict.fromkeys(["max_bytes", "max_lag_bytes"], sizes | st.none())
grown |= dict.fromkeys(["expire_to", "dead_letter", "copy_from"], queue_names)
grown |= dict.fromkeys(
    ["max_age", "max_queue_age", "open_timeout", "retry_delay", "max_idle"], durations | st.none()
)
grown["max_retry_delay"] = durations
served = {
    "data": paths.filter(bool).map(Path),
    "listen": addresses,
    "text_listen": addresses | st.just(()),
    "min_free_disk": sizes | st.none(),
    "status_grace_period": durations | st.just(0),
}
seconds = st.integers(1, 32767).map(lambda number: 1000 * number)
served |= {
    "keepalive_idle": seconds | st.none(),
    "keepalive_interval": seconds,
    "keepalive_probes": st.integers(1, 127),
}
served |= dict.fromkeys(["max_open_reads", "max_open_journals", "max_connections"], counts)
served |= dict.fromkeys(["window_memory", "buffer_memory", "history_memory"], sizes)
hosts = st.sampled_from(["localhost", "a.example", "192.0.2.1", "[2001:db8::1]"])
served |= {
    "http_hosts": st.lists(hosts).map(tuple),
    "http_origins": st.lists(hosts.map("https://{}:1".format)).map(tuple),
}
served |= dict.fromkeys(
    ["client_timeout", "receive_timeout", "send_timeout"], durations | st.none()
)


@given(st.builds(QueueSettings, **grown))
def test_settings_of_a_queue_are_read_as_they_were_written(settings: QueueSettings) -> None:
    known = options(QueueSettings)
    text = written_queue(settings)
    assert [name for name, _ in text] == list(known)
    assert QueueSettings(**{name: known[name].parse(each, name) for name, each in text}) == settings


@given(st.builds(Settings, **served))
def test_settings_of_the_server_are_read_as_they_were_written(settings: Settings) -> None:
    text = dict(written(settings))
    assert list(text) == list(options(Settings))
    assert load(None, {}, text) == settings


def test_the_form_a_person_would_write() -> None:
    settings = Settings(
        listen=(Address("::1", 1), UnixAddress("/a")), client_timeout=90_000, send_timeout=1500
    )
    text = dict(written(settings))
    assert text["listen"] == "[::1]:1, unix:/a"
    assert text["text_listen"] == text["receive_timeout"] == "off"
    assert (text["client_timeout"], text["send_timeout"]) == ("90s", "1500ms")
    assert (text["window_memory"], text["admin_commands"]) == ("16MiB", "true")
    assert text["max_connections"] == "0"
    queue = dict(written_queue(QueueSettings(consumers=(b"a", b"b\xff"), max_bytes=1025)))
    assert (queue["consumers"], queue["max_bytes"]) == ("a, b\udcff", "1025")
    assert (queue["sync"], queue["sync_ops"]) == ("always", "off")
    assert dict(written_queue(QueueSettings(sync=SyncPolicy(False, 50))))["sync"] == "50ms"
    assert (queue["max_retry_delay"], queue["max_age"], queue["dead_letter"]) == ("1h", "off", "")


# --- Reload


def test_what_a_running_server_cannot_change() -> None:
    old = Settings()
    everything = load(
        None,
        {},
        {
            "data": "other",
            "listen": "a:1",
            "text_listen": "a:2",
            "listen_mode": "0660",
            "listen_group": "1",
            "dialect": "kestrel",
            "pump": "off",
            "loop": "asyncio",
            "max_open_reads": "2",
            "max_open_journals": "2",
            "window_memory": "1",
            "buffer_memory": "1",
            "min_free_disk": "off",
            "tap_size": "1MiB",
            "max_connections": "1",
            "max_connections_per_address": "1",
            "client_timeout": "1s",
            "receive_timeout": "1s",
            "send_timeout": "1s",
            "keepalive_idle": "off",
            "keepalive_interval": "1s",
            "keepalive_probes": "1",
            "admin_commands": "false",
            "status_grace_period": "1s",
            "http": "off",
            "http_token_file": "tokens",
            "http_hosts": "a",
            "http_origins": "https://a",
            "http_read_only": "true",
            "http_get_consumes": "false",
            "history_memory": "1",
            "log_level": "debug",
            "log_format": "json",
        },
    )
    assert all(getattr(old, name) != getattr(everything, name) for name in options(Settings))
    assert restart_needed(old, everything) == [
        "data",
        "listen",
        "text_listen",
        "listen_mode",
        "listen_group",
        "dialect",
        "pump",
        "loop",
        "max_open_reads",
        "max_open_journals",
        "window_memory",
        "buffer_memory",
        "tap_size",
        "http",
        "history_memory",
    ]
    assert restart_needed(everything, replace(everything)) == []


def test_rules_and_aliases_are_changed_by_a_reload() -> None:
    rules = (QueueRule(b"*", {"max_items": 1}),)
    assert restart_needed(Settings(), Settings(queue_rules=rules, aliases={b"a": ()})) == []


# --- Whatever a file holds

globs = st.text("ab*?[]!+-é./ ", max_size=6)
texts = globs | st.sampled_from(
    ["off", "always", "1h", "1KiB", "99999999999999GiB", "true", "a:1", "unix:/a", "drop", "a, b"]
)
scalars = (
    texts
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([10**15, 10**30])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from([*options(Settings), *options(QueueSettings), "queues", "aliases", "x"])
plausible: dict[str, Any] = {
    **dict.fromkeys(
        ["expire_to", "dead_letter", "copy_from"], st.sampled_from(["a", "b", "ab", ""])
    ),
    "max_attempts": st.integers(0, 2),
    "consumers": st.lists(globs),
}
tables = st.dictionaries(globs, st.fixed_dictionaries({}, optional=plausible), max_size=4)
documents = st.fixed_dictionaries(
    {},
    optional={
        "queues": tables | st.dictionaries(globs, st.dictionaries(keys, values, max_size=2)),
        "aliases": st.dictionaries(globs, st.lists(globs, max_size=3), max_size=3) | values,
        "data": values,
        "listen": values,
        "min_free_disk": values,
        "max_open_reads": values,
    },
)


def toml_of(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {toml_of(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_of, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def taken_or_refused(content: bytes) -> Settings | None:
    """The settings, or None if they were refused by a message that names the file."""
    try:
        return from_toml(content)
    except ConfigError as error:
        if "/darnerpy.toml: " not in str(error):
            raise
        return None


@given(documents | st.dictionaries(keys, values, max_size=3), queue_names, queue_names)
def test_any_document_is_taken_or_refused(
    document: dict[str, Any], name: bytes, consumer: bytes
) -> None:
    text = "\n".join(f"{key} = {toml_of(value)}" for key, value in document.items())
    settings = taken_or_refused(text.encode())
    if settings is None:
        return
    assert load(None, {}, dict(written(settings))) == replace(settings, queue_rules=(), aliases={})
    for found in (
        settings.queue(name),
        settings.queue(b"a", b"b"),
        settings.queue(b"ab", consumer),
    ):
        assert found.expire_to not in settings.aliases
        assert not found.max_attempts or found.dead_letter


@given(st.binary(max_size=30) | st.text("[]{}\"'=.,#\n a1_-:T", max_size=30).map(str.encode))
def test_any_bytes_are_taken_or_refused(content: bytes) -> None:
    taken_or_refused(content)


@pytest.mark.parametrize(
    "text",
    [
        "max_open_reads = " + "9" * 5000,
        "max_open_reads = 0x" + "f" * 5000,
        "data = " + "[" * 5000,
        "data = " + "[" * 300 + "]" * 300,
        "x = 2020-13-45T99:99:99+99:99",
    ],
)
def test_what_python_itself_gives_up_on(text: str) -> None:
    with pytest.raises(ConfigError, match=r"/darnerpy.toml: .") as error:
        from_toml(text)
    assert len(str(error.value)) < 500
