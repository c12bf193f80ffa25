"""Reading what another server left, or a file of our own, as an import does; items that tell by
themselves whether they are whole."""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from darnerpy.errors import DamageError
from darnerpy.migration.report import QueueReport
from darnerpy.migration.source import Incoming, Source, SourceError
from tests.fuzz.engine import kind_of

__all__ = ["Judge", "is_whole", "read_all", "small_limits", "whole_item"]

Judge = Callable[[bytes, Incoming, bytes], None]
"""Told of each item: its queue, the item, its data."""


def whole_item(body: bytes) -> bytes:
    return b"%b%08x" % (body, zlib.crc32(body))


def is_whole(item: bytes) -> bool:
    return item[-8:] == b"%08x" % zlib.crc32(item[:-8])


def read_all(source: Source, judge: Judge) -> tuple[set[str], list[str]]:
    """Read it to its end, or to the end of what can be read, and judge each queue's items.

    Returns the outcomes, and why queues were refused.
    """
    outcomes = {kind_of(each) for each in source.left_alone}
    refusals = []
    for queue in source.queues:
        report = QueueReport(queue.name, queue.name)
        try:
            with queue.open(report) as content:
                report.begin(content.consumers)
                for item in content.items:
                    try:
                        data = b"".join(item.pieces()) if item.pieces else item.data or b""
                    except DamageError as error:
                        report.damage.append(str(error))
                        continue
                    assert len(data) == item.size, "the size is wrong"
                    assert item.created >= 0 <= item.expiry
                    report.count(item.size, False, item.readers)
                    judge(queue.name, item, data)
        except SourceError as error:
            report.refused = str(error)
            refusals.append(report.refused)
        "\n".join(report.lines()).encode()
        json.dumps(report.as_dict())
        outcomes |= {kind_of(each) for each in (*report.damage, *report.notes, report.refused)}
        outcomes.add(f"items: {report.items.bit_length()}")
    return outcomes, refusals


@contextmanager
def small_limits(module: ModuleType, **limits: int) -> Iterator[None]:
    """Have items go through in pieces that are much smaller than usual: inputs are small, too."""
    before = {name: getattr(module, name) for name in limits}
    for name, limit in limits.items():
        setattr(module, name, limit)
    try:
        yield
    finally:
        for name, limit in before.items():
            setattr(module, name, limit)
