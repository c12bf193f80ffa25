"""Words and line ends that lines of both protocols are made of, right ones and odd ones."""

from darnerpy.protocol.options import MAX_WAIT_MS
from darnerpy.protocol.text import MAX_INLINE, MAX_LINE
from darnerpy.protocol.verbs import VERBS

__all__ = ["BITS", "ENDS", "WORDS"]

WORDS = [
    *VERBS,
    *(verb.upper() for verb in VERBS),
    *(b"q", b"work+audit", b"a+b+c", b"+", b"..", b"q" * 250, b"q" * 251, b"\xff\x80", b"\x00"),
    *(b"q/open", b"q/close/open", b"q/t=5", b"q/t=%d" % (MAX_WAIT_MS + 1), b"q/abort", b"q/peek"),
    *(b"q/close=7", b"q/abort=7", b"q/close=7/open", b"q/close=0", b"q/abort=%d" % 2**63),
    *(b"q/sync", b"q//", b"/", b"q/t=", b"q/x\x1b", b"noreply", b"HTTP/1.1"),
    *(b"0", b"1", b"2", b"10", b"-1", b"4294967295", b"4294967296", b"%d" % MAX_INLINE),
    *(b"%d" % (MAX_INLINE + 1), b"9" * 40, b"9" * 1500, b"5x", b"\xb2", b"1e3", b"0x10", b"+1"),
]
ENDS = [b"\r\n"] * 6 + [b"\n"] * 3 + [b"\r", b"", b"\r\r\n", b"x\r\n", b" \r\n", b"\n\n"]
BITS = [b"\r", b"\n", b"\r\n", b" ", b"\x00", b"/", b"+", b"x" * MAX_LINE, *WORDS]
