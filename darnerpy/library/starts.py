"""Where a new consumer begins, as it is given: with which item, or as which other consumer."""

from typing import Literal, Protocol

from .arguments import consumer_name
from .desk import Desk

__all__ = ["Reader", "Start", "check_start"]

Start = Literal["head", "tail"]


class Reader(Protocol):
    """A queue or a consumer, of either front."""

    _desk: Desk


def check_start(start: str | None, copy_from: str | Reader | None, desk: Desk) -> bytes | None:
    """The name of the consumer of this queue to copy, b"" for the queue's own; None if there is none."""
    if start not in (None, "head", "tail"):
        raise ValueError(f"start is 'head' or 'tail', not {start!r}")
    if copy_from is None:
        return None
    if start is not None:
        raise ValueError("start and copy_from cannot both be given")
    if isinstance(copy_from, str):
        return consumer_name(copy_from)
    model = getattr(copy_from, "_desk", None)
    if not isinstance(model, Desk):
        raise TypeError(f"copy_from is a consumer or its name, not {type(copy_from).__name__}")
    if model.place is not desk.place:
        raise ValueError(f"{copy_from!r} is of another queue than {desk.queue!r}")
    return model.consumer
