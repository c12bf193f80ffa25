"""`darnerpy export` and `import` of what it wrote: nothing is lost on the way, nothing wrong comes in."""

import json
import os
import re
import subprocess
import tracemalloc
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.inspection.lines import Line
from darnerpy.journals.contract import DiskEngine
from darnerpy.journals.engines import DISK_ENGINES, engine_in
from darnerpy.migration.source import Incoming
from darnerpy.queues.batches import PAUSED_GETS, PAUSED_PUTS, Lease, Returned
from darnerpy.queues.items import DEAD, EXPIRED, Origin
from tests.inspection import queues
from tests.inspection.queues import LARGE, contents, fingerprints, harm, kept, make
from tests.servers import DARNERPY, ServerProcess

FORMATS = ["jsonl", "binary"]
CONSUMERS = [b"audit", b"\xff\xfe+x", b"z"]
NAME = b"work"

numbers = st.integers(0, 2**32 - 1)
times = st.integers(1, 1_700_000_000_000)
names = st.binary(min_size=1, max_size=20)


@st.composite
def incoming(draw: st.DrawFn) -> Incoming:
    data = draw(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)))
    everyone = [b"", *CONSUMERS]
    readers = draw(st.none() | st.frozensets(st.sampled_from(everyone), min_size=1))
    returning = sorted(everyone if readers is None else readers)
    returns = draw(
        st.dictionaries(
            st.sampled_from(returning),
            st.builds(Returned, st.just(0), numbers, st.integers(0, 2**40)),
        )
    )
    leases = draw(
        st.dictionaries(
            st.sampled_from(returning),
            st.builds(Lease, st.just(0), numbers, st.integers(0, 2**64 - 1), times),
        )
    )
    origin = draw(
        st.none()
        | st.builds(Origin, names, names, numbers, st.sampled_from([EXPIRED, DEAD]), times)
    )
    created = draw(times)
    return Incoming(
        len(data),
        data,
        created,
        draw(st.just(0) | times),
        readers,
        flags=draw(numbers),
        origin=origin,
        returns=returns,
        due=draw(st.just(0) | times.map(lambda delay: created + delay)),
        leases=leases,
    )


def export(data: Path, file: Path, form: str, expected: int = 0) -> None:
    flags = ["--data", os.fspath(data), "--output", os.fspath(file), "--format", form]
    before = fingerprints(data)
    assert main(["export", "work", *flags]) == expected
    assert fingerprints(data) == before, "export changed something"


def take_in(file: Path, data: Path, form: str, engine: str = "leveldb") -> int:
    flags = ["--data", os.fspath(data), "--engine", engine]
    code = main(["import", "--from", form, os.fspath(file), *flags])
    if code == 0:
        kept_by = engine_in(data / "queues/work", DISK_ENGINES.values())
        assert kept_by is DISK_ENGINES[engine]
    return code


@settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    items=st.lists(incoming(), min_size=1, max_size=30),
    form=st.sampled_from(FORMATS),
    paused=st.integers(0, PAUSED_PUTS | PAUSED_GETS),
    engines=st.permutations(sorted(DISK_ENGINES)),
)
def test_all_but_ids_comes_back(
    items: list[Incoming], form: str, paused: int, engines: list[str]
) -> None:
    one, other, *_ = engines
    with TemporaryDirectory() as place:
        path = Path(place)
        make(path / "a", NAME, CONSUMERS, items, DISK_ENGINES[one], paused)
        before = contents(path / "a")
        everyone = (b"", *sorted(CONSUMERS))
        assert before == [
            (
                item.data,
                item.flags,
                item.created,
                item.expiry,
                item.origin,
                everyone if item.readers is None else tuple(sorted(item.readers)),
                tuple(sorted((n, r.attempts, r.due) for n, r in item.returns.items())),
                item.due,
                tuple(sorted((n, *lease[1:]) for n, lease in item.leases.items())),
            )
            for item in items
        ]
        export(path / "a", path / "file", form)
        assert take_in(path / "file", path / "b", form, other) == 0
        assert contents(path / "b") == before
        assert queues.paused(path / "b") == paused


@pytest.fixture
def data(tmp_path: Path, engine: DiskEngine) -> Path:
    """Two consumers, a large item, attempts, something confirmed out of order."""
    work = kept(tmp_path / "data", engine)
    work.put("täxt".encode(), b"\xff\x00", b"")
    work.put_large(bytes(range(256)) * 5000)
    work.queue.consumer(b"audit")
    work.commit()
    work.put(*(b"item %d" % n for n in range(20)))
    held = [work.queue.open(work.queue.own) for _ in range(3)]
    work.queue.close(held[1])  # type: ignore[arg-type]
    work.queue.abort(held[2])  # type: ignore[arg-type]
    work.commit()
    work.close()
    return tmp_path / "data"


@pytest.mark.parametrize("form", FORMATS)
def test_a_server_serves_what_was_imported(form: str, data: Path, tmp_path: Path) -> None:
    export(data, tmp_path / "file", form)
    server = ServerProcess(tmp_path / "server")
    assert take_in(tmp_path / "file", server.data, form) == 0
    assert contents(server.data) == contents(data)
    with server, server.connect() as wire:
        expected = ["täxt".encode(), b"", bytes(range(256)) * 5000]
        assert [wire.get("work") for _ in range(3)] == expected
        assert [wire.get("work") for _ in range(21)] == [*(b"item %d" % n for n in range(20)), None]
        assert wire.get("work+audit") == b"item 0"


def test_lines_are_made_to_be_read(data: Path, tmp_path: Path) -> None:
    export(data, tmp_path / "file", "jsonl")
    lines = (tmp_path / "file").read_text().splitlines()
    head, *items, end = map(json.loads, lines)
    assert (head["darnerpy"], head["version"], head["queue"]) == ("queue", 1, "work")
    assert head["consumers"] == ["audit"]
    assert items[0].items() >= {"id": 1, "text": "täxt", "size": 5, "for": [""]}.items()
    assert items[1].items() >= {"id": 3, "text": "", "returns": {"": {"attempts": 1}}}.items()
    assert "for" not in items[-1]
    assert (end["items"], len(items)) == (23, 23)


@pytest.mark.parametrize("form", FORMATS)
def test_an_expiry_at_the_end_of_time_comes_back(form: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, sync="never") as server, server.connect() as wire:
        assert wire.ask(b"set work 0 4611686018427387904 1\r\nx\r\n") == b"STORED\r\n"
    export(tmp_path / "data", tmp_path / "file", form)
    assert take_in(tmp_path / "file", tmp_path / "new", form) == 0
    (item,) = contents(tmp_path / "new")
    assert item.expiry == 2**63 - 1


def test_an_expiry_that_is_later_still_is_cut_to_it() -> None:
    line = Line.of(Incoming(1, b"x", expiry=2**63))
    assert line.expiry == 2**63 - 1


def test_lines_may_be_changed_on_purpose(data: Path, tmp_path: Path) -> None:
    export(data, tmp_path / "file", "jsonl")
    text = (tmp_path / "file").read_text().replace("item 7", "ITEM 7")
    text = re.sub(r',"crc":"\w+"', "", text).replace('":"', '": "')
    (tmp_path / "file").write_text(text)
    assert take_in(tmp_path / "file", tmp_path / "new", "jsonl") == 0
    assert b"ITEM 7" in [each.data for each in contents(tmp_path / "new")]


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_or_changed_anywhere_is_refused_whole(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "a", NAME, [b"audit"], [Incoming(5, b"hello", 1), Incoming(2, b"\xff\xfe", 2)])
    export(tmp_path / "a", tmp_path / "file", form)
    whole = (tmp_path / "file").read_bytes()
    broken = tmp_path / "broken"
    with closing(DataDir(tmp_path / "b")):
        pass
    damaged = [whole[:size] for size in range(0, len(whole) - 1, 3)]
    for at in range(0, len(whole) - 1, 3):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        damaged.append(bytes(flipped))
    for number, content in enumerate(damaged):
        broken.write_bytes(content)
        assert take_in(broken, tmp_path / "b", form) == 1, number
        out = capsys.readouterr()
        assert f"{broken}: {'line' if form == 'jsonl' else 'byte'} " in out.out + out.err, number
        assert not list((tmp_path / "b/queues").iterdir()), number
    assert take_in(tmp_path / "file", tmp_path / "b", form) == 0


LARGE_LINE = json.dumps({"size": 9_000_000, "base64": "A" * 12_000_000})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"darnerpy":"other","version":1,"queue":"q","consumers":[],"exported":0}'], "line 1"),
        (['{"darnerpy":"queue","version":2,"queue":"q","consumers":[],"exported":0}'], "version 1"),
        (['{"darnerpy":"queue","version":1,"queue":"a/b","consumers":[],"exported":0}'], "0x2f"),
        (['{"darnerpy":"queue","version":1,"queue":"a+b","consumers":[],"exported":0}'], "without"),
        (
            ["root:x:0:0"],
            "line 1: a JSON object, as `darnerpy export` writes it, was expected, and this is none "
            r"\(Expecting value, column 1\)",
        ),
        (["5"], "line 1: this is no line of an export: Expected `object`, got `int`"),
        (["HEAD", "{nonsense"], "line 2: a JSON object, as"),
        (["HEAD", '{"text":5}'], r"line 2: this is no line of an export: Expected .*\$.text"),
        (
            ["HEAD", '{"text":"a","flags":4294967296}'],
            r"line 2: this is no line of an export: Expected .*\$.flags",
        ),
        (["HEAD", '{"text":"a"}', '{"text":"a","for":["b"]}'], "line 3: 'b' is none of"),
        (["HEAD", '{"text":"a","for":[]}'], "one consumer at least"),
        (["HEAD", '{"text":"a","size":2}'], "2 bytes of data were expected, there are 1"),
        (["HEAD", '{"base64":"a"}'], "base64 was expected"),
        (["HEAD", '{"size":1}'], "either text or base64"),
        (["HEAD", '{"text":"a"}', '{"items":2,"bytes":1}'], "2 items of 1 bytes were expected"),
        (["HEAD", '{"items":0,"bytes":0}', "more"], "last one"),
        (["HEAD", LARGE_LINE.replace('"}', '"')], "line 2"),
        (["HEAD", LARGE_LINE.replace("9000000", "9000001")], "9000001 bytes of data were expected"),
        (["HEAD", LARGE_LINE.replace("AAAAAAAAAA", "AAAA!AAAAA")], "base64 was expected"),
        (["HEAD", json.dumps({"size": 5_000_000, "text": "a" * 5_000_000})], "end with its data"),
    ],
)
def test_bad_lines_are_named(
    lines: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = '{"darnerpy":"queue","version":1,"queue":"q","consumers":[],"exported":0}'
    file = tmp_path / "file"
    file.write_text("\n".join(head if line == "HEAD" else line for line in lines) + "\n")
    assert take_in(file, tmp_path / "data", "jsonl") == 1
    out = capsys.readouterr()
    assert re.search(re.escape(f"{file}: ") + ".*" + expected, out.out + out.err)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_pipe_carries_a_queue(form: str, data: Path, tmp_path: Path) -> None:
    flags = ("--data", os.fspath(data), "--format", form)
    exported = subprocess.run((*DARNERPY, "export", "work", *flags), stdout=subprocess.PIPE)
    command = (*DARNERPY, "import", "--from", form, "-", "--data", os.fspath(tmp_path / "new"))
    subprocess.run(command, input=exported.stdout, check=True)
    assert contents(tmp_path / "new") == contents(data)
    done = subprocess.run(command, input=exported.stdout[:-3], stdout=subprocess.PIPE)
    assert done.returncode == 1


def test_a_pipe_is_named(tmp_path: Path) -> None:
    command = (*DARNERPY, "import", "--from", "jsonl", "-", "--data", os.fspath(tmp_path / "new"))
    done = subprocess.run(command, input=b"nonsense\n", stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith(b"darnerpy: standard input: line 1: a JSON object, as ")


def test_damage_is_told_and_the_rest_is_there(
    data: Path, engine: DiskEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(data, engine, b"item 7")
    export(data, tmp_path / "file", "jsonl", expected=1)
    assert f"damage: {engine.name}: item 12: " in capsys.readouterr().err
    assert len(contents(data)) == 22
    assert take_in(tmp_path / "file", tmp_path / "new", "jsonl") == 0
    assert contents(tmp_path / "new") == contents(data)


def test_what_cannot_be_exported_leaves_no_file(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ["--data", os.fspath(data), "--output", os.fspath(tmp_path / "file")]
    assert main(["export", "nosuch", *flags]) == 1
    assert "there is no queue nosuch" in capsys.readouterr().err
    with closing(DataDir(data)):
        assert main(["export", "work", *flags]) == 5
    assert "in use" in capsys.readouterr().err
    assert not list(tmp_path.glob("file*"))
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    for output in ("nodir/x", "folder", "."):
        assert main(["export", "work", "--data", os.fspath(data), "--output", output]) == 2
        assert f"darnerpy: {output}: " in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("form", FORMATS)
def test_large_items_take_little_memory(form: str, engine: DiskEngine, tmp_path: Path) -> None:
    work = kept(tmp_path / "data", engine)
    work.put_large(b"x" * (LARGE * 64))
    work.close()
    tracemalloc.start()
    try:
        flags = ["--data", os.fspath(tmp_path / "data"), "--format", form]
        assert main(["export", "work", *flags, "--output", os.fspath(tmp_path / "file")]) == 0
        assert take_in(tmp_path / "file", tmp_path / "new", form) == 0
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
