"""A configuration file: settings, or a complaint that names the file."""

import json
from datetime import date
from random import Random
from typing import Any

from darnerpy.config import QueueSettings, Settings, load, options, written, written_queue
from darnerpy.errors import ConfigError
from tests.fuzz.directories import laid_out, pack
from tests.fuzz.engine import Target, kind_of
from tests.fuzz.mutations import mutate

__all__ = ["TARGET"]

NAMES = [
    "*",
    "work",
    "work+audit",
    "w*",
    "[w]ork",
    "[!+]*",
    "*+*",
    "a+",
    "+",
    "[",
    "[]",
    "[z-a]",
    "",
]
NAMES += ["é", "a b", "a\nb", "\x00", "x" * 251, "drop", "?" * 40, "a,b", "*a*a*a*a*a*", "[[]"]
VALUES: list[Any] = ["off", "", "0", "1", 0, 1, -1, 10**15, 2**63, 1.5, float("nan"), True, False]
VALUES += ["1s", "10ms", "0s", "999999999d", "64MiB", "1GiB", "2GiB", "always", "never", "drop"]
VALUES += ["127.0.0.1:22133", "[::1]:1", "unix:/x", "unix:", ":1", "a:99999", "h:1,h:2", "٣s", "١"]
VALUES += [[], ["work"], [1], {}, {"a": 1}, [[]], "\x00", "\n", "x" * 300, date(2000, 1, 1)]
VALUES += ["leveldb", "memory", "true", "kestrel", "refuse", "end", "debug", ["a", "b"], ["a", "a"]]
BITS = [b"\n", b"[", b"]", b"=", b'"', b".", b"#", b"'", b'"""', b"\\", b"\\ud800", b"\\u0000"]
BITS += [b"\xff", b"\x00", b"{", b"}", b"[[", b"9" * 5000, b"[" * 3000, b"1979-05-27"]
BITS += [b"0x", b"1e999", b"nan", b"\r", b"\xef\xbb\xbf", b"[queues]\n", b"[aliases]\n", b"\ttrue"]


def make_document(random: Random) -> bytes:
    lines = _lines(random, list(options(Settings)), 3)
    for _ in range(random.randint(0, 3)):
        lines.append(f"[queues.{json.dumps(_name(random), ensure_ascii=random.random() < 0.5)}]")
        lines += _lines(random, list(options(QueueSettings)), 4)
    if random.random() < 0.3:
        lines.append("[aliases]")
        for _ in range(random.randint(1, 3)):
            value: Any = random.choices(NAMES, k=random.randint(0, 3))
            value = random.choice(VALUES) if random.random() < 0.2 else value
            lines.append(f"{json.dumps(_name(random))} = {_toml(value)}")
    document = "\n".join(lines).encode()
    return mutate(random, document, BITS) if random.random() < 0.4 else document


def _name(random: Random) -> str:
    name = random.choice(NAMES)
    return name + random.choice(NAMES) if random.random() < 0.2 else name


def _lines(random: Random, keys: list[str], most: int) -> list[str]:
    lines = []
    for key in random.sample(keys, random.randint(0, most)):
        known = {**options(Settings), **options(QueueSettings)}[key]
        value = known.default if random.random() < 0.4 else random.choice([*VALUES, *NAMES])
        if random.random() < 0.1:
            key += random.choice([".a"] * 20 + ["x"] * 20 + [".a" * 2000])
        lines.append(f"{key} = {_toml(value)}")
    return lines


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case date():
            return value.isoformat()
        case float():
            return str(value)
        case _:
            return json.dumps(value)


def check_document(random: Random, data: bytes) -> set[str]:
    with laid_out(pack({"darnerpy.toml": data})) as directory:
        path = str(directory / "darnerpy.toml")
        try:
            settings = load(path, {}, {})
        except ConfigError as error:
            text = str(error)
            assert text.startswith(f"{path}: "), "the file is not named"
            assert text.removeprefix(f"{path}: ").strip(), "nothing is said of it"
            text.encode()
            return {kind_of(text.removeprefix(f"{path}: "))}
    # What was accepted can be asked for, and told.
    told = dict(written(settings))
    known = options(Settings)
    assert {name: known[name].parse(text, name) for name, text in told.items()} == {
        name: getattr(settings, name) for name in told
    }
    for queue, consumer in ((b"work", b""), (b"work", b"audit"), (b"\xff", b""), (b"drop", b"*")):
        written_queue(settings.queue(queue, consumer))
    return {f"{key} is set" for key, text in told.items() if text != known[key].default}


TARGET = Target(
    "configuration",
    "any file gives settings that can be used, or a ConfigError that names the file",
    make_document,
    check_document,
    lambda random, data: mutate(random, data, BITS),
)
