"""How long clients of HTTP may take. Owns the numbers; what becomes of who takes longer is in `protocol`."""

from typing import NamedTuple

__all__ = ["Patience"]


class Patience(NamedTuple):
    """Seconds. head: for a whole one. body: without any more of it. idle: between requests. reading: without
    anything of an answer being taken. between: how often it is looked at.
    """

    head: float = 10.0
    body: float = 30.0
    idle: float = 75.0
    reading: float = 30.0
    between: float = 1.0
