"""The values of a sample. Not compiled, and nothing that the garbage collector looks at: of thousands a
second, each of which lives until the next, it would go through all there is again and again.
"""

import msgspec

__all__ = ["Sample"]


class Sample(msgspec.Struct, gc=False):
    """puts: items ever put to the queue, also if the consumer is a named one. gets: items that were handed
    out, each as often as it was; confirmed: those that were taken or closed; returned: those that came back.
    dead: also those that were dropped. age: of the next item, milliseconds, 0 if there is none or it is not
    in memory. The first eight are gauges.
    """

    age: int
    items: int
    bytes: int
    open_reads: int
    waiters: int
    delayed: int
    lagging: int
    paused: int
    puts: int
    gets: int
    confirmed: int
    returned: int
    expired: int
    discarded: int
    flushed: int
    moved: int
    purged: int
    dead: int
