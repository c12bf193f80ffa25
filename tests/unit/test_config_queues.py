"""Which table a queue or a consumer follows, and which tables do not fit together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.config import SYNC, QueueRule, Settings, load
from darnerpy.errors import ConfigError
from tests.unit.configured import from_flags, from_toml, refusal

# --- Queues


def test_the_most_specific_table_wins_key_by_key() -> None:
    settings = from_toml("""
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
    found = [settings.queue(name) for name in (b"mail-new", b"mail-old", b"me", b"x")]
    assert [each.max_item_bytes for each in found] == [1, 2, 4, 3]
    assert [each.engine for each in found] == ["memory", "memory", "leveldb", "leveldb"]
    assert all(each.ignore_client_expiry for each in found)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a.c", b"a.c", True),
        ("a.c", b"abc", False),
        ("job-[0-9]", b"job-7", True),
        ("job-[!0-9]", b"job-7", False),
        ("job-[]0]", b"job-]", True),
        ("job-[!]0]", b"job-]", False),
        ("job-[!]", b"job-[!]", True),
        ("job-[]", b"job-[]", True),
        ("job-[9-0]", b"job-9", False),
        ("A*", b"a", False),
        ("größe", "größe".encode(), True),
        ("gr?ße", "größe".encode(), True),
        ("h[äö]", "hö".encode(), True),
        ("h[ä-ö]", "hä".encode(), True),
        ("h[!ä]", "hö".encode(), True),
        ("h[!ä]", "hä".encode(), False),
        ("h[äö]", b"h\xc3", False),
        ("h??", "hö".encode(), False),
        ("?", b"\xff", True),
        ("?", b"\xff\xfe", False),
        ("café?", b"caf\xc3\xa9\xc3", True),
    ],
)
def test_what_a_glob_matches(glob: str, name: bytes, matches: bool) -> None:
    settings = from_toml(f'[queues."{glob}"]\nengine = "memory"')
    assert (settings.queue(name).engine == "memory") is matches


def test_a_class_counts_as_a_wildcard() -> None:
    settings = from_toml("""
        [queues."job-[0123456789]*"]
        max_item_bytes = 1
        [queues."job-7-*"]
        max_item_bytes = 2
    """)
    assert settings.queue(b"job-7-x").max_item_bytes == 2


def test_plain_characters_count_however_many_bytes_they_are() -> None:
    settings = from_toml("""
        [queues."ab*"]
        max_item_bytes = 1
        [queues."*ä"]
        max_item_bytes = 2
    """)
    assert settings.queue("abä".encode()).max_item_bytes == 1


def test_a_class_of_characters_that_are_no_ascii_has_its_own_example() -> None:
    """What a glob makes of a consumer is judged by a name that it matches."""
    complaint = refusal('[queues."work+[äö]"]\nmax_attempts = 3')
    assert "max_attempts = 3 needs dead_letter" in complaint
    rule = QueueRule("work+[äö]".encode(), {})
    assert rule.matches(rule.example)


def test_a_flag_is_for_every_queue_without_a_table_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "darnerpy.toml"
    config.write_text("""
        [queues."*"]
        max_item_bytes = 1
        ignore_client_expiry = true
        [queues.small]
        max_item_bytes = 2
    """)
    settings = from_flags("--config", str(config), "--max-item-bytes", "1KiB")
    assert settings.queue(b"x").max_item_bytes == 1024
    assert settings.queue(b"x").ignore_client_expiry
    assert settings.queue(b"small").max_item_bytes == 2


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a/*", "x" * 251, "+a", "a+", "*+"])
def test_a_table_that_no_name_can_match_is_refused(name: str) -> None:
    assert refusal(f'[queues."{name}"]').startswith(f'queues."{name}": expected what a name can')


def test_a_class_without_a_member_is_plain_text() -> None:
    complaint = "expected another queue than '[!]' itself"
    assert refusal('[queues."[!]"]\nexpire_to = "[!]"') == f'queues."[!]".expire_to: {complaint}'


# --- Consumers


# --- Syncing


def policy(settings: Settings, name: bytes) -> tuple[str, int | None]:
    found = settings.queue(name)
    return SYNC.write(found.sync), found.sync_ops


def test_above_the_first_table_it_is_for_every_queue() -> None:
    settings = from_toml("""
        sync = "1s"
        sync_ops = 1000
        [queues.pay]
        sync = "always"
        [queues.log]
        sync_ops = 10
        [queues.scratch]
        sync = "never"
        sync_ops = "off"
    """)
    assert policy(settings, b"q") == ("1s", 1000)
    assert policy(settings, b"pay") == ("always", None)
    assert policy(settings, b"log") == ("1s", 10)
    assert policy(settings, b"scratch") == ("never", None)


def test_operations_alone_mean_that_nothing_else_is_synced() -> None:
    settings = from_toml("""
        sync_ops = 1000
        [queues.plain]
        sync_ops = "off"
        [queues."slow-*"]
        sync = "5s"
    """)
    assert policy(settings, b"q") == ("never", 1000)
    assert policy(settings, b"plain") == ("always", None)
    assert policy(settings, b"slow-q") == ("5s", 1000)


def test_the_word_that_goes_before_decides_between_always_and_operations() -> None:
    settings = from_toml("""
        sync = "always"
        [queues."*"]
        sync_ops = 5
        [queues."a*"]
        sync = "always"
        [queues."ab*"]
        sync_ops = 7
    """)
    assert policy(settings, b"q") == ("never", 5)
    assert policy(settings, b"a") == ("always", None)
    assert policy(settings, b"ab") == ("never", 7)


def test_the_order_of_sources_is_that_of_every_option(tmp_path: Path) -> None:
    file = tmp_path / "darnerpy.toml"
    file.write_text('sync_ops = 5\n[queues.x]\nsync = "2s"\n')
    environ = {"DARNERPY_SYNC": "always"}
    assert policy(load(str(file), {}, {}), b"q") == ("never", 5)
    assert policy(load(str(file), environ, {}), b"q") == ("always", None)
    assert policy(load(str(file), environ, {"sync_ops": "7"}), b"q") == ("never", 7)
    assert policy(load(str(file), environ, {"sync_ops": "7"}), b"x") == ("2s", 7)
    file.write_text('sync = "1s"\n[queues."*"]\nsync = "2s"\n')
    assert policy(load(str(file), {}, {}), b"q") == ("2s", None)


def test_both_in_one_place_are_refused(tmp_path: Path) -> None:
    expected = 'sync_ops: expected sync = "never" or a duration beside it, not "always"'
    assert refusal('sync = "always"\nsync_ops = 1') == expected
    table = '[queues."a*"]\nsync = "always"\nsync_ops = 1'
    assert refusal(table) == f'queues."a*".{expected}'
    given: list[tuple[dict[str, str], dict[str, str], str]] = [
        ({"DARNERPY_SYNC": "always", "DARNERPY_SYNC_OPS": "1"}, {}, "DARNERPY_SYNC_OPS"),
        ({}, {"sync": "always", "sync_ops": "1"}, "--sync-ops"),
    ]
    for environ, flags, where in given:
        with pytest.raises(ConfigError, match=f"^{where}: expected sync = "):
            load(None, environ, flags)


def test_a_consumer_has_no_policy_of_its_own() -> None:
    assert "sync: is for a whole queue" in refusal('[queues."a+b"]\nsync = "never"')
    assert refusal('sync_ops = "0"').startswith('sync_ops: expected "off" or a whole number')


def test_a_consumer_follows_its_queue_and_then_the_tables_of_consumers() -> None:
    settings = from_toml("""
        [queues."*"]
        max_age = "1h"
        open_timeout = "1m"
        max_idle = "1d"
        [queues."work"]
        max_age = "2h"
        open_timeout = "2m"
        [queues."*+audit"]
        max_age = "3h"
        start = "head"
        [queues."work+audit"]
        start = "tail"
        [queues."work+b*"]
        max_age = "off"
    """)
    hour = 3_600_000
    seen = [
        settings.queue(name, consumer)
        for name in (b"work", b"play")
        for consumer in (b"", b"audit", b"bill")
    ]
    assert [each.max_age for each in seen] == [2 * hour, 3 * hour, None, hour, 3 * hour, hour]
    assert [each.open_timeout for each in seen] == [120_000] * 3 + [60_000] * 3
    assert [each.start for each in seen] == ["tail", "tail", "tail", "tail", "head", "tail"]
    assert {each.max_idle for each in seen} == {86_400_000}


def test_a_glob_without_plus_does_not_match_into_the_consumer() -> None:
    settings = from_toml('[queues."work*audit"]\nmax_age = "1h"')
    assert settings.queue(b"work", b"audit").max_age is None
    assert settings.queue(b"work-audit", b"x").max_age == 3_600_000


@pytest.mark.parametrize(
    "line",
    [
        "max_items = 1",
        "max_bytes = 1",
        "discard_old_when_full = true",
        'max_queue_age = "1h"',
        "fanout_only = true",
        'consumers = ["a"]',
        'engine = "memory"',
    ],
)
def test_what_means_nothing_to_a_consumer_is_refused_there(line: str) -> None:
    key = line.split(" = ")[0]
    assert getattr(from_toml(f"[queues.work]\n{line}").queue(b"work"), key)
    complaint = refusal(f'[queues."work+audit"]\n{line}')
    assert complaint.startswith(f'queues."work+audit".{key}: is for a whole queue; a table of')
    assert complaint.endswith("max_lag_items, max_lag_bytes, lag_action, max_idle")


def test_the_plus_of_a_consumer_stands_for_itself() -> None:
    expected = "expected the + of a consumer outside of [ ]"
    assert refusal('[queues."a[b+]c"]\nmax_age = "1h"') == f'queues."a[b+]c": {expected}'


def test_copy_from_itself() -> None:
    for name in ("work+audit", "*+audit"):
        complaint = refusal(f'[queues."{name}"]\ncopy_from = "audit"')
        assert (
            complaint
            == f"queues.\"{name}\".copy_from: expected another consumer than 'audit' itself"
        )
    settings = from_toml('[queues."work+*"]\ncopy_from = "audit"')
    assert settings.queue(b"work", b"audit").copy_from == b""
    assert settings.queue(b"work", b"other").copy_from == b"audit"


# --- Expiry and dead letters


def test_a_queue_that_a_glob_makes_its_own_target_has_none() -> None:
    settings = from_toml("""
        [queues."mail-*"]
        max_attempts = 5
        dead_letter = "mail-failed"
        expire_to = "mail-old"
        [queues.mail-old]
        max_attempts = 0
        [queues.mail-failed]
        expire_to = ""
    """)
    new, failed, old = map(settings.queue, (b"mail-new", b"mail-failed", b"mail-old"))
    assert (new.max_attempts, new.dead_letter, new.expire_to) == (5, b"mail-failed", b"mail-old")
    assert (failed.max_attempts, failed.dead_letter, failed.expire_to) == (0, b"", b"")
    assert old.expire_to == b""
    consumer = settings.queue(b"mail-failed", b"audit")
    assert (consumer.max_attempts, consumer.dead_letter) == (0, b"")


def test_drop_is_a_word_and_no_queue() -> None:
    settings = from_toml('[queues."*"]\nmax_attempts = 2\ndead_letter = "drop"')
    assert settings.queue(b"drop").dead_letter == b"drop"
    assert settings.queue(b"drop").max_attempts == 2


def test_attempts_need_a_dead_letter() -> None:
    words = 'needs dead_letter, expected the name of a queue or "drop"'
    text = '[queues."{}"]\nmax_attempts = 5\n'
    for name in ("work", "w*", "w[ab]", "*", "work+audit", "*+audit"):
        assert refusal(text.format(name)) == f'queues."{name}": max_attempts = 5 {words}'
        inherits = text.format(name) + '[queues."?*"]\ndead_letter = "failed"\n'
        assert from_toml(inherits).queue(b"wa").dead_letter == b"failed"
    with pytest.raises(ConfigError, match=r'^queues."\*": max_attempts = 1 needs dead_letter'):
        from_flags("--max-attempts", "1")
    settings = from_flags("--max-attempts", "1", "--dead-letter", "drop")
    assert settings.queue(b"x").max_attempts == 1


def test_without_a_dead_letter_attempts_have_no_limit() -> None:
    """Two globs may cross in a queue that neither names; there an item is better kept."""
    settings = from_toml("""
        [queues."a*"]
        max_attempts = 5
        dead_letter = "failed"
        [queues."*b"]
        dead_letter = ""
    """)
    assert settings.queue(b"ab").max_attempts == 0


@pytest.mark.parametrize("name", ["work", "work+audit", "work+*"])
@pytest.mark.parametrize("option", ["expire_to", "dead_letter"])
def test_a_table_of_one_queue_may_not_name_that_queue(name: str, option: str) -> None:
    expected = "expected another queue than 'work' itself"
    text = f'[queues."{name}"]\n{option} = "work"'
    assert refusal(text) == f'queues."{name}".{option}: {expected}'


@pytest.mark.parametrize(
    ("tables", "loop"),
    [
        ({"a": "expire_to = 'b'", "b": "expire_to = 'a'"}, "a -> b -> a"),
        ({"a": "expire_to = 'b'", "b": "max_attempts = 1\ndead_letter = 'a'"}, "a -> b -> a"),
        (
            {"a": "expire_to = 'b'", "b": "expire_to = 'c'", "c": "expire_to = 'b'"},
            "b -> c -> b",
        ),
        ({"a*": "expire_to = 'b1'", "b*": "expire_to = 'a1'"}, "a1 -> b1 -> a1"),
        ({"a+x": "expire_to = 'b'", "*+y": "expire_to = 'a'"}, "a -> b -> a"),
        ({"*": "expire_to = 'a'", "a": "expire_to = 'b'", "b": "max_age = '1h'"}, "a -> b -> a"),
    ],
)
def test_a_loop_is_refused_by_its_names(tables: dict[str, str], loop: str) -> None:
    text = "\n".join(f'[queues."{name}"]\n{lines}' for name, lines in tables.items())
    words = "expected expire_to and dead_letter not to lead back"
    assert refusal(text) == f"queues: {words}: {loop}"


def test_a_dead_letter_that_is_out_of_use_makes_no_loop() -> None:
    from_toml("[queues.a]\nexpire_to = 'b'\n[queues.b]\ndead_letter = 'a'")


def test_a_long_chain_is_no_loop() -> None:
    tables = [f"[queues.q{n}]\nexpire_to = 'q{n + 1}'" for n in range(1100)]
    assert from_toml("\n".join(tables)).queue(b"q7").expire_to == b"q8"


def moves(settings: Settings, name: bytes) -> Iterator[bytes]:
    """Where items of a queue and its consumers x and y may go."""
    for each in (settings.queue(name, consumer) for consumer in (b"", b"x", b"y")):
        yield from {each.expire_to, each.dead_letter if each.max_attempts else b""} - {b""}


def comes_back(settings: Settings, name: bytes) -> bool:
    reached: set[bytes] = set()
    ahead = [name]
    while ahead:
        for target in moves(settings, ahead.pop()):
            if target not in reached:
                reached.add(target)
                ahead.append(target)
    return name in reached


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "*", "?", "[ab]", "[!a]", "a+x", "b+*", "*+x", "[bc]+?"]),
        st.dictionaries(
            st.sampled_from(["expire_to", "dead_letter"]), st.sampled_from(["a", "b", "c", ""])
        ),
    )
)
def test_nothing_travels_in_a_circle(tables: dict[str, dict[str, str]]) -> None:
    """What is accepted has no loop, and what is refused has one or names itself."""
    text, rules = "", []
    for glob, table in tables.items():
        attempts = 1 if table.get("dead_letter") else 0
        text += f'[queues."{glob}"]\nmax_attempts = {attempts}\n'
        text += "".join(f"{key} = '{target}'\n" for key, target in table.items())
        values = {key: target.encode() for key, target in table.items()}
        rules.append(QueueRule(glob.encode(), values | {"max_attempts": attempts}))
    rules.sort(key=lambda rule: rule.specificity)
    unchecked = Settings(queue_rules=tuple(rules))
    names_itself = any(glob.partition("+")[0] in table.values() for glob, table in tables.items())
    loops = any(comes_back(unchecked, name) for name in (b"a", b"b", b"c"))
    try:
        accepted = from_toml(text)
    except ConfigError:
        assert loops or names_itself
    else:
        assert not loops
        assert not names_itself
        assert accepted == unchecked


# --- Aliases


def test_aliases() -> None:
    settings = from_toml('[aliases]\nwx = ["weather", "weather+log"]\n"ü" = ["x"]')
    assert settings.aliases == {
        b"wx": ((b"weather", b""), (b"weather", b"log")),
        "ü".encode(): ((b"x", b""),),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("aliases = 5", "aliases: expected a table [aliases], not 5"),
        ("[aliases]\nwx = []", 'aliases."wx": expected a list of queues or consumers, such as'),
        ("[aliases]\nwx = 'a'", 'aliases."wx": expected a list of queues or consumers, such as'),
        ("[aliases]\nwx = [5]", 'aliases."wx": expected a name, not 5'),
        ("[aliases]\nwx = ['a b']", "aliases.\"wx\": expected a name, not 'a b': queue name may"),
        ("[aliases]\nwx = ['a+']", "aliases.\"wx\": expected a name, not 'a+': queue+consumer"),
        ("[aliases]\n'' = ['a']", "aliases.\"\": expected a name, not '': queue name is empty"),
        ("[aliases]\n'w+x' = ['a']", 'aliases."w+x": expected the name of an alias without a +'),
        ("[aliases]\nwx = ['a', 'a']", "aliases.\"wx\": expected each destination once, not 'a'"),
        ("[aliases]\na = ['b']\nb = ['c']", 'aliases."a": expected queues or consumers, not the'),
        ("[aliases]\na = ['b+x']\nb = ['c']", 'aliases."a": expected queues or consumers, not the'),
        ("[aliases]\na = ['a']", "aliases.\"a\": expected queues or consumers, not the alias 'a'"),
        (
            "[aliases]\na = ['b']\n[queues.c]\nexpire_to = 'a'",
            "queues.\"c\".expire_to: expected a queue, not the alias 'a'",
        ),
        (
            "[aliases]\na = ['b']\n[queues.'*+x']\ndead_letter = 'a'",
            "queues.\"*+x\".dead_letter: expected a queue, not the alias 'a'",
        ),
    ],
)
def test_a_bad_alias_is_refused(text: str, complaint: str) -> None:
    assert refusal(text).startswith(complaint)
