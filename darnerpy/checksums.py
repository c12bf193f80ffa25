"""CRC-32 as zlib has it, by the fastest library that is installed: all of them find the same.

zlib-ng, the extra `fast`, takes a tenth of the time where data are longer than a few KiB. Its other checksum,
Adler-32, is not zlib's for every start value. Knows nothing of what is checked.
"""

from contextlib import suppress
from zlib import crc32

with suppress(ImportError):
    from zlib_ng.zlib_ng import crc32

__all__ = ["crc32"]
