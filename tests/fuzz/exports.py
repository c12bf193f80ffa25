"""Files that `darnerpy export` writes: read as they were written, or refused with the place.

What a file must hold follows from the name of its queue, so that nothing else need be known to judge
it. A file that has no checksum of itself was made by hand: of its items nothing can be told.
"""

import re
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from random import Random

from darnerpy.inspection import framed, jsonl
from darnerpy.inspection.export import FORMATS, ExportedSource
from darnerpy.inspection.lines import head_of
from darnerpy.migration.source import Incoming, SourceError
from darnerpy.queues.batches import Lease, Returned
from darnerpy.queues.items import DEAD, EXPIRED, Origin
from tests.fuzz.directories import laid_out, pack
from tests.fuzz.engine import Target, kind_of
from tests.fuzz.mutations import BITS, mutate
from tests.fuzz.sources import read_all, small_limits

__all__ = ["BINARY", "JSONL"]

CONSUMERS = [b"audit", b"\xff"]
MEMBERS = [b'"crc":""', b'"size":', b'"for":[]', b'"origin":', b'"returns":{"x":{"attempts":1}}']
MEMBERS += [b'"text":"\\ud800"', b'"text":"\\udcff"', b'"base64":""', b'"id":-1', b'"flags":1e3']
MEMBERS += [b'"due":-1', b'"leases":{"":{"number":1,"nonce":"0","deadline":1}}', b'"paused":["x"]']
MEMBERS += [b'"items":', b"\n", b"{" * 3000, b"[" * 3000, b"9" * 5000, b"NaN", b"\xff\xfe", b"null"]
LIMIT = 1000


def items_of(queue: bytes) -> list[Incoming]:
    """What the queue of that name holds."""
    random = Random(queue)
    every = range(1, random.randint(0, 6) + 1)
    return [make_item(random, number, queue.startswith(b"later")) for number in every]


def make_item(random: Random, number: int, later: bool) -> Incoming:
    """later: with what came with format 2."""
    size = random.choice([0, 1, 10, 50, LIMIT, LIMIT + 1, 3 * LIMIT])
    data = random.randbytes(size) if random.random() < 0.5 else b"\xc3\xa9\n" * (size // 3)
    readers = random.choice([None, None, frozenset({b""}), frozenset(CONSUMERS)])
    origin = None
    if random.random() < 0.3:
        why = random.choice([EXPIRED, DEAD])
        origin = Origin(b"old", random.choice([b"", b"\xfe"]), random.getrandbits(63), why, 5)
    names = random.sample([b"", *CONSUMERS], random.randint(0, 2))
    returns = {name: Returned(0, random.getrandbits(8), random.getrandbits(40)) for name in names}
    large = len(data) > LIMIT
    return Incoming(
        len(data),
        None if large else data,
        random.getrandbits(40),
        random.choice([0, random.getrandbits(40)]),
        readers,
        partial(pieces_of, data) if large else None,
        None,
        random.getrandbits(32),
        origin,
        returns,
        number,
        random.choice([0, 0, random.getrandbits(40)]) if later else 0,
        {name: Lease(0, 7, random.getrandbits(64), 9) for name in names[:1]} if later else {},
    )


def pieces_of(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 700] for at in range(0, len(data), 700))


def same(item: Incoming, data: bytes) -> Incoming:
    return item._replace(data=data, pieces=None)


def make_file(random: Random, form: str) -> bytes:
    queue = b"%b%d" % (random.choice([b"q", b"later"]), random.getrandbits(20))
    paused = queue[-1] & 3 if queue.startswith(b"later") else 0
    file = BytesIO()
    FORMATS[form].write(file, head_of(queue, CONSUMERS, 7, paused), items_of(queue))
    data = file.getvalue()
    return mutate(random, data, (*BITS, *MEMBERS)) if random.random() < 0.8 else data


def check_file(random: Random, data: bytes, form: str) -> set[str]:
    found: list[Incoming] = []

    def judge(queue: bytes, item: Incoming, data: bytes) -> None:
        found.append(same(item, data))

    with (
        laid_out(pack({"queue": data})) as directory,
        small_limits(jsonl, _MAX_LINE=LIMIT * 2, _STEP=LIMIT),
        small_limits(framed, LARGE=LIMIT),
    ):
        path = directory / "queue"
        place = re.compile(rf"{re.escape(str(path))}: (line|byte) \d+: .", re.DOTALL)
        refusals = []
        try:
            source = ExportedSource(path, FORMATS[form])
        except SourceError as error:
            refusals.append(str(error))
            outcomes = {kind_of(str(error))}
        else:
            outcomes, refusals = read_all(source, judge)
        if refusals:
            assert place.match(refusals[0]), "the place is not named"
            refusals[0].encode()
        elif b'"crc":"' in data[-100:]:
            (queue,) = source.queues
            assert queue.consumers == CONSUMERS
            assert found == [
                same(item, b"".join(item.pieces()) if item.pieces else item.data or b"")
                for item in items_of(queue.name)
            ]
    return outcomes


def _target(form: str) -> Target:
    return Target(
        form,
        "any file is refused with its place in the file, or gives the items that were written",
        partial(make_file, form=form),
        partial(check_file, form=form),
        lambda random, data: mutate(random, data, (*BITS, *MEMBERS)),
    )


JSONL = _target("jsonl")
BINARY = _target("binary")
