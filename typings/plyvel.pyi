# The part of plyvel 1.5 that darnerpy uses; plyvel itself has no types.

import builtins
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar, overload

_T = TypeVar("_T")
_Buffer = bytes | bytearray | memoryview

__version__: str
__leveldb_version__: str

class Error(Exception): ...
class IOError(Error, builtins.IOError): ...
class CorruptionError(Error): ...

class DB:
    @property
    def closed(self) -> bool: ...
    @property
    def name(self) -> str: ...
    def __init__(
        self,
        name: str,
        *,
        create_if_missing: bool = False,
        error_if_exists: bool = False,
        paranoid_checks: bool | None = None,
        write_buffer_size: int | None = None,
        max_open_files: int | None = None,
        lru_cache_size: int | None = None,
        block_size: int | None = None,
        block_restart_interval: int | None = None,
        max_file_size: int | None = None,
        compression: Literal["snappy"] | None = "snappy",
        bloom_filter_bits: int = 0,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...
    @overload
    def get(
        self,
        key: bytes,
        default: None = None,
        *,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> bytes | None: ...
    @overload
    def get(
        self,
        key: bytes,
        default: bytes,
        *,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> bytes: ...
    def put(self, key: bytes, value: _Buffer, *, sync: bool = False) -> None: ...
    def delete(self, key: bytes, *, sync: bool = False) -> None: ...
    def write_batch(self, *, transaction: bool = False, sync: bool = False) -> WriteBatch: ...
    # What an iterator yields depends on the two include flags.
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[True] = True,
        include_value: Literal[True] = True,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[tuple[bytes, bytes]]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[True] = True,
        include_value: Literal[False],
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[bytes]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[False],
        include_value: Literal[True] = True,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[bytes]: ...
    def get_property(self, name: bytes) -> bytes | None: ...
    # Without both ends plyvel's call compacts nothing, so here they are not optional.
    def compact_range(self, *, start: bytes, stop: bytes) -> None: ...
    def approximate_size(self, start: bytes, stop: bytes) -> int: ...

class WriteBatch:
    def put(self, key: bytes, value: _Buffer) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def clear(self) -> None: ...
    def write(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class _Iterator(Iterator[_T], Generic[_T]):
    def __next__(self) -> _T: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...
    def seek(self, target: bytes) -> None: ...
    def seek_to_start(self) -> None: ...
    def seek_to_stop(self) -> None: ...

def destroy_db(name: str) -> None: ...
def repair_db(
    name: str, *, paranoid_checks: bool | None = None, compression: str | None = "snappy"
) -> None: ...
