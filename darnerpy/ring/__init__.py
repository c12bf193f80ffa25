"""The ring: one process publishes messages in a file that any number of others map and read.

docs/ring.md is its manual. Knows nothing of queues, journals or servers.
"""

from .reader import RingReader
from .ring import Ring
from .writer import RingWriter

__all__ = ["Ring", "RingReader", "RingWriter"]
