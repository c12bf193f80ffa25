"""One line to one command: every verb, all that can be wrong with it, and the page about it."""

import re
from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.protocol import commands
from darnerpy.protocol.commands import Refused
from darnerpy.protocol.item_commands import Get, Store
from darnerpy.protocol.verbs import VERBS, describe, parse_line

_NO_BACKUP = b"a backup's name, 1 to 100 of A-Z a-z 0-9 . _ - with no dot first, was expected"
PAGE = Path(__file__).parents[2] / "docs/protocol.md"


def fields(command: Any) -> tuple[object, ...]:
    as_tuple = msgspec.structs.astuple if isinstance(command, msgspec.Struct) else astuple
    return (command.__class__.__name__, *as_tuple(command))


def refusal(line: bytes) -> tuple[bytes, bool]:
    command = parse_line(line)
    assert isinstance(command, Refused), command
    return command.reply, command.fatal


# --- Lines that are right


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"set q 7 60 5", ("Store", b"q", b"", 7, 60, 5, False, False, None)),
        (b"set q/sync 0 -1 0", ("Store", b"q", b"", 0, -1, 0, True, False, None)),
        (b"set q+c 0 0 1 noreply", ("Store", b"q", b"c", 0, 0, 1, False, True, None)),
        (b"set q 4294967295 0 1", ("Store", b"q", b"", 2**32 - 1, 0, 1, False, False, None)),
        (b"set q 0 4611686018427387904 1", ("Store", b"q", b"", 0, 2**62, 1, False, False, None)),
        (b"delete q", ("Delete", b"q", b"", False)),
        (b"delete q 0", ("Delete", b"q", b"", False)),
        (b"delete q 0 noreply", ("Delete", b"q", b"", True)),
        (b"delete q+c noreply", ("Delete", b"q", b"c", True)),
        (b"delete noreply", ("Delete", b"noreply", b"", False)),
        (b"flush q", ("Flush", b"q", b"")),
        (b"flush q+c", ("Flush", b"q", b"c")),
        (b"flush_all", ("FlushAll", False)),
        (b"flush_all 0 noreply", ("FlushAll", True)),
        (b"flush_expired q+c", ("FlushExpired", b"q", b"c")),
        (b"flush_all_expired", ("FlushAllExpired",)),
        (b"monitor q 10", ("Monitor", b"q", b"", b"q", 10_000, None, False)),
        (b"MONITOR q+c 0 5", ("Monitor", b"q", b"c", b"q+c", 0, 5, False)),
        (b"monitor q 2147483 2147483647",
         ("Monitor", b"q", b"", b"q", 2147483000, 2**31 - 1, False)),
        (b"confirm q 1", ("Confirm", b"q", b"", 1)),
        (b"confirm q+c 2147483647", ("Confirm", b"q", b"c", 2**31 - 1)),
        (b"dump_stats", ("DumpStats", ())),
        (b"dump_stats q a+b", ("DumpStats", (b"q", b"a+b"))),
        (b"dump_config", ("DumpConfig", ())),
        (b"dump_config q", ("DumpConfig", (b"q",))),
        (b"backup * one", ("Backup", None, "one")),
        (b"backup a b one.two ", ("Backup", (b"a", b"b"), "one.two")),
        (b"list_backups", ("ListBackups",)),
        (b"delete_backup one", ("DeleteBackup", "one")),
        (b"reload", ("Reload",)),
        (b"shutdown", ("Shutdown",)),
        (b"status", ("Status",)),
        (b"status up", ("SetStatus", "up")),
        (b"status ReadOnly", ("SetStatus", "readonly")),
        (b"STATUS QUIESCENT", ("SetStatus", "quiescent")),
        (b"status writeavoid", ("SetStatus", "writeavoid")),
        (b"stats", ("Stats", None)),
        (b"stats q", ("Stats", b"q")),
        (b"version", ("Version",)),
        (b"verbosity 1", ("Verbosity", False)),
        (b"verbosity", ("Verbosity", False)),
        (b"verbosity 1 noreply", ("Verbosity", True)),
        (b"quit", ("Quit",)),
        (b"version 1 noreply", ("Version",)),
        (b"quit 1 2 noreply", ("Quit",)),
    ],
)  # fmt: skip
def test_what_a_line_means(line: bytes, wanted: tuple[object, ...]) -> None:
    assert fields(parse_line(line)) == wanted


@pytest.mark.parametrize("line", [b"GET q/open", b"  get   q/open  ", b"gEt q/open "])
def test_case_and_blanks_do_not_matter(line: bytes) -> None:
    assert parse_line(line) == parse_line(b"get q/open")


def test_the_case_of_a_name_matters() -> None:
    assert parse_line(b"get Q") != parse_line(b"get q")


def test_get_takes_several_keys() -> None:
    command = parse_line(b"get a/t=5 b/open a")
    assert isinstance(command, Get)
    assert [read.key for read in command.reads] == [b"a/t=5", b"b/open", b"a"]
    assert [read.wait_ms for read in command.reads] == [5, 0, 0]
    assert not command.cas


def test_gets_asks_for_the_id() -> None:
    command = parse_line(b"gets q")
    assert isinstance(command, Get)
    assert command.cas


# --- Lines that are wrong, with the framing still known


@pytest.mark.parametrize("line", [b"", b"   ", b"frobnicate q", b"\tget q", b"mg q v", b"noreply"])
def test_what_is_no_verb_of_ours_is_an_error(line: bytes) -> None:
    assert refusal(line) == (b"ERROR\r\n", False)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"get", b"a key is expected"),
        (b"get a b/t=1", b"only the first key of a get may wait"),
        (b"get a /open", b"queue name is empty"),
        (b"get q/foo",
         b"unknown option /foo, one of /t=ms /open /close[=id] /abort[=id] /peek[/offset=n] expected"),
        (b"delete", b"delete takes a queue and at most a 0"),
        (b"delete q 1", b"delete takes a queue and at most a 0"),
        (b"delete q 0 0", b"delete takes a queue and at most a 0"),
        (b"delete q/open", b"options are not allowed here: q/open"),
        (b"flush", b"flush takes one queue"),
        (b"flush a b", b"flush takes one queue"),
        (b"flush_all 10", b"flush_all cannot be delayed"),
        (b"flush_expired", b"flush_expired takes one queue"),
        (b"flush_expired q/open", b"options are not allowed here: q/open"),
        (b"flush_all_expired 0", b"flush_all_expired takes no arguments"),
        (b"monitor", b"monitor takes a queue, seconds and at most a number of items"),
        (b"monitor q", b"monitor takes a queue, seconds and at most a number of items"),
        (b"monitor q 1 1 1", b"monitor takes a queue, seconds and at most a number of items"),
        (b"monitor q/open 1", b"options are not allowed here: q/open"),
        (b"monitor q -1", b"bad seconds '-1', 0 to 2147483 expected"),
        (b"monitor q 2147484", b"bad seconds '2147484', 0 to 2147483 expected"),
        (b"monitor q 1 0", b"bad number of items '0', 1 to 2147483647 expected"),
        (b"confirm q", b"confirm takes a queue and a number of items"),
        (b"confirm q 1 1", b"confirm takes a queue and a number of items"),
        (b"confirm q 0", b"bad number of items '0', 1 to 2147483647 expected"),
        (b"confirm q -1", b"bad number of items '-1', 1 to 2147483647 expected"),
        (b"confirm q/close 1", b"options are not allowed here: q/close"),
        (b"dump_stats a /", b"options are not allowed here: /"),
        (b"dump_config a\x01", b"queue name may not contain byte 0x01 (at 1)"),
        (b"backup", b"backup takes queues, or *, and a name"),
        (b"backup one", b"backup takes queues, or *, and a name"),
        (b"backup q+c one", b"backup takes queues, not consumers of one"),
        (b"backup q/open one", b"options are not allowed here: q/open"),
        (b"backup * .one", _NO_BACKUP),
        (b"backup * a/b", _NO_BACKUP),
        (b"backup * a\rb", _NO_BACKUP),
        (b"backup * " + b"x" * 101, _NO_BACKUP),
        (b"delete_backup", b"delete_backup takes the name of one backup"),
        (b"delete_backup a b", b"delete_backup takes the name of one backup"),
        (b"delete_backup ..", _NO_BACKUP),
        (b"list_backups x", b"list_backups takes no arguments"),
        (b"reload now", b"reload takes no arguments"),
        (b"shutdown noreply", b"shutdown takes no arguments"),
        (b"status down", b"status takes one of up readonly quiescent writeavoid, or nothing"),
        (b"status up up", b"status takes one of up readonly quiescent writeavoid, or nothing"),
        (b"verbosity up", b"verbosity takes at most a number"),
        (b"verbosity 1 2", b"verbosity takes at most a number"),
        (b"incr", b"a key and a number are expected"),
        (b"incr q", b"a key and a number are expected"),
        (b"incr q 1 1", b"a key and a number are expected"),
        (b"incr q -1", b"bad number '-1', 0 to 18446744073709551615 expected"),
        (b"decr q 18446744073709551616",
         b"bad number '18446744073709551616', 0 to 18446744073709551615 expected"),
        (b"decr a\x01 1", b"queue name may not contain byte 0x01 (at 1)"),
        (b"touch q", b"a key and an exptime are expected"),
        (b"touch q soon", b"bad exptime 'soon', -4611686018427387904 to 4611686018427387904 expected"),
        (b"touch q/open 1", b"options are not allowed here: q/open"),
        (b"gat", b"an exptime and keys are expected"),
        (b"gat 5", b"an exptime and keys are expected"),
        (b"gats q 5", b"bad exptime 'q', -4611686018427387904 to 4611686018427387904 expected"),
        (b"gat 5 a b/open", b"options are not allowed here: b/open"),
        (b"stats a b", b"stats takes at most one queue"),
        (b"stats q/peek", b"options are not allowed here: q/peek"),
        (b"stats a\x01", b"queue name may not contain byte 0x01 (at 1)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_the_clients_error(line: bytes, why: bytes) -> None:
    assert refusal(line) == (b"CLIENT_ERROR " + why + b"\r\n", False)


@pytest.mark.parametrize(
    "line",
    [
        *(b"delete q 1 noreply", b"flush_all 10 noreply", b"touch q noreply", b"touch q x noreply"),
        *(b"incr q noreply", b"incr q -1 noreply", b"decr noreply"),
    ],
)
def test_noreply_silences_errors_too(line: bytes) -> None:
    assert refusal(line) == (b"", False)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        *((b"incr q 1", b"NOT_FOUND\r\n"), (b"DECR q 18446744073709551615", b"NOT_FOUND\r\n")),
        *((b"touch q 60", b"NOT_FOUND\r\n"), (b"touch q -1", b"NOT_FOUND\r\n")),
        *((b"incr q 1 noreply", b""), (b"decr q 1 noreply", b""), (b"touch q 0 noreply", b"")),
        *((b"gat 60 q", b"END\r\n"), (b"gats -1 q r+c", b"END\r\n"), (b"mn", b"MN\r\n")),
        (b"mn now", b"MN\r\n"),
    ],
)
def test_what_only_a_cache_can_do_finds_nothing(line: bytes, reply: bytes) -> None:
    assert refusal(line) == (reply, False)


@pytest.mark.parametrize("line", [b"get q noreply/x", b"flush q noreply", b"stats q noreply"])
def test_noreply_is_a_plain_word_where_memcached_does_not_know_it(line: bytes) -> None:
    reply, _ = refusal(line)
    assert reply.startswith(b"CLIENT_ERROR ")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"set q -1 0 5", b"CLIENT_ERROR bad flags '-1', 0 to 4294967295 expected\r\n"),
        (b"set q 2e9 0 5", b"CLIENT_ERROR bad flags '2e9', 0 to 4294967295 expected\r\n"),
        (b"set q \xb2 0 5", b"CLIENT_ERROR bad flags '\xc2\xb2', 0 to 4294967295 expected\r\n"),
        (b"set q 0 soon 5", b"CLIENT_ERROR bad exptime 'soon', "
         b"-4611686018427387904 to 4611686018427387904 expected\r\n"),
        (b"set q/open 0 0 5", b"CLIENT_ERROR unknown option /open, only /sync goes with set\r\n"),
        (b"set q 0 0 5 now", b"CLIENT_ERROR only noreply may follow the size\r\n"),
        (b"set q 0 0 5 now noreply", b""),
        (b"set q\x01 0 0 5 noreply", b""),
        (b"add q 0 0 5", b"NOT_STORED\r\n"),
        (b"replace q 0 0 5", b"NOT_STORED\r\n"),
        (b"append q 0 0 5 noreply", b""),
        (b"prepend q 0 0 5", b"NOT_STORED\r\n"),
        (b"cas q 0 0 5 99", b"NOT_FOUND\r\n"),
        (b"cas q 0 0 5", b"NOT_FOUND\r\n"),
        (b"cas q 0 0 5 99 noreply", b""),
        (b"ms q 5 T0", b"ERROR\r\n"),
    ],
)  # fmt: skip
def test_a_refused_store_still_tells_its_size(line: bytes, reply: bytes) -> None:
    command = parse_line(line)
    assert isinstance(command, Store)
    assert (command.refusal, command.size) == (reply, 5)


# --- Lines after which nobody knows where the next one begins


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"set", b"key, flags, exptime and size are expected"),
        (b"set q 0 0", b"key, flags, exptime and size are expected"),
        (b"set q 0 0 five", b"bad size 'five', a number of bytes expected"),
        (b"set q 0 0 -1", b"bad size '-1', a number of bytes expected"),
        (b"set q 0 0 noreply", b"bad size 'noreply', a number of bytes expected"),
        (b"add q 0 0 5x", b"bad size '5x', a number of bytes expected"),
        (b"cas q 0 0", b"key, flags, exptime and size are expected"),
        (b"ms q", b"key and size are expected"),
        (b"ms q S5", b"bad size 'S5', a number of bytes expected"),
        (b"GET / HTTP/1.1", b"this is a memcache port, not HTTP"),
        (b"POST /q HTTP/1.0", b"this is a memcache port, not HTTP"),
    ],
)
def test_a_lost_framing_is_fatal(line: bytes, why: bytes) -> None:
    assert refusal(line) == (b"CLIENT_ERROR " + why + b"\r\n", True)


# --- Any line


words = st.sampled_from([*VERBS, b"q", b"0", b"5", b"noreply", b"q/t=1", b"HTTP/1.1", b"\x1b"])
lines = st.lists(words | st.binary(max_size=8), max_size=6).map(b" ".join)


@given(lines)
def test_any_line_becomes_a_command_and_the_same_one_again(line: bytes) -> None:
    command = parse_line(line)
    assert command == parse_line(line)
    assert command.administrative in (False, True)
    reply = command.reply if isinstance(command, Refused) else getattr(command, "refusal", None)
    if reply:
        assert reply.endswith(b"\r\n")
        assert reply[:-2].decode().isprintable()


def test_the_table_names_each_verb_once_and_as_its_usage_does() -> None:
    for word, verb in VERBS.items():
        assert word == verb.name.encode() == verb.usage.split()[0].encode()
        assert verb.name.islower()
        assert f"| `{verb.usage}` | {verb.summary} | {verb.admin} |\n" in describe()


def test_what_concerns_the_whole_server_is_administrative() -> None:
    lines = {
        "flush_all": b"flush_all",
        "flush_all_expired": b"flush_all_expired",
        "dump_config": b"dump_config q",
        "status": b"status up",
        "backup": b"backup q name",
        "list_backups": b"list_backups",
        "delete_backup": b"delete_backup name",
        "reload": b"reload",
        "shutdown": b"shutdown",
    }
    assert {verb.name for verb in VERBS.values() if verb.admin} == set(lines)
    assert all(parse_line(line).administrative for line in lines.values())
    for line in (b"flush q", b"delete q", b"status", b"dump_stats", b"verbosity 1", b"get q"):
        assert not parse_line(line).administrative


def test_the_documentation_holds_the_table() -> None:
    """When this fails, paste what `describe()` returns between the markers."""
    assert f"<!-- verbs -->\n{describe()}<!-- /verbs -->" in PAGE.read_text()


def test_the_examples_in_the_documentation_are_understood() -> None:
    memcache, _, _ = PAGE.read_text().partition("\n## Kestrel's text protocol\n")
    examples = re.findall(r"`(get [a-z/ =0-9]+)`", memcache)
    assert len(examples) > 8
    for line in examples:
        assert isinstance(parse_line(line.encode()), Get), line


def test_all_that_a_codec_can_say_is_public() -> None:
    said = {
        c.__name__
        for c in vars(commands).values()
        if isinstance(c, type) and issubclass(c, msgspec.Struct) and c.__name__ != "_Value"
    }
    assert said <= set(commands.__all__)
