"""Reading files in threads, a piece at a time, for a task that waits."""

import asyncio
import os

from ..journals.workers import Workers

__all__ = ["read_piece"]


async def read_piece(files: Workers, handle: int, offset: int, size: int) -> bytes:
    """Fewer bytes, or none, if the file ends before, or cannot be read."""
    came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def read(data: bytes | None, error: BaseException | None) -> None:
        if not came.done():
            came.set_result(data or b"")

    files.submit(lambda: os.pread(handle, size, offset), read)
    return await came
