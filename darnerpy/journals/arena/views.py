"""Items to look at where they lie: read-only views of maps of their segments, and of the files of large ones.

May be called from several threads. Owns which segments are mapped for that: a few, the least recently used
goes for another. A map that somebody still has a view of stays until the last of its views is gone, whatever
becomes of the file. What is viewed is checked against its checksum the first time. A page that cannot be
read ends the process with SIGBUS, which is why nothing else is read through maps.
"""

from collections.abc import Iterable
from typing import Any, Final

from ...checksums import crc32
from ...errors import DamagedJournalError
from ...locks import Lock
from ...queues.items import Item
from ..copied import view_of_file
from ..large import LargeFiles
from ..living import MAPS, Living
from .format import FOOT_BYTES, ITEM, RECORD_BYTES, is_sound
from .reading import Reader
from .segments import Segment
from .state import State

__all__ = ["Views"]

_MOST: Final = 1000
"""So many views of a queue at once; beyond that, copies are made."""

_CHECKED: Final = 4096


class Views:
    """most: segments that are mapped for views alone, but for those of which there are views."""

    def __init__(self, state: State, reader: Reader, large: LargeFiles, most: int) -> None:
        self._state = state
        self._reader = reader
        self._large = large
        self._most = most
        self._mapping = Lock()
        self._maps: dict[int, tuple[Segment, Any]] = {}
        self._live = Living(_MOST)
        self._checked: dict[tuple[bytes, int], None] = {}

    def view(self, item: Item) -> memoryview | None:
        """The data of an item where it lies; None if it has to be copied.

        Raises `OSError`, or `DamagedJournalError` if it is not as it was written.
        """
        if item.size == 0 or self._live.full or MAPS.full:
            return None
        view = self._of_file(item) if item.large else self._of_segment(item)
        if view is not None:
            self._live.add(view)
        return view

    def verified(self, items: Iterable[Item]) -> None:
        """These were read just now: the files of large ones are as they were written."""
        for item in items:
            if item.large:
                self._check((b"", item.id))

    def rest(self) -> None:
        """Map nothing any more but what there are views of."""
        with self._mapping:
            self._maps.clear()

    def _of_segment(self, item: Item) -> memoryview | None:
        """None if it does not lie there by itself."""
        known = None
        while known is None:  # it may be moved between its being found and its being mapped
            found = self._reader.find(item.id)
            if found is None or found[1].kind != ITEM:
                return None
            segment, record = found
            known = self._map(segment)
            if known is None and self._state.index_of(segment) >= 0:
                raise DamagedJournalError(f"{segment.name} is not there")
        mapped = memoryview(known)
        begin = record.start + RECORD_BYTES
        view = mapped[begin : begin + record.length]
        place = segment.identity, record.start
        if place not in self._checked:
            if not is_sound(record, view, mapped[record.stop - FOOT_BYTES : record.stop]):
                raise DamagedJournalError(f"item {item.id} has a wrong checksum")
            self._check(place)
        return view

    def _map(self, segment: Segment) -> Any:
        """None if the segment is not there."""
        with self._mapping:
            known = self._maps.pop(segment.number, None)
            if known is None or known[0] is not segment:
                with self._state.reading(segment) as file:
                    if file is None:
                        return None
                    known = segment, file.map(writable=False)
                    MAPS.add(known[1])
                while len(self._maps) >= self._most:
                    del self._maps[next(iter(self._maps))]
            self._maps[segment.number] = known  # the last one to go
        return known[1]

    def _of_file(self, item: Item) -> memoryview:
        view = view_of_file(self._large, item)
        place = b"", item.id
        if place not in self._checked:
            if crc32(view) != item.crc:
                raise DamagedJournalError(f"the file of item {item.id} has a wrong checksum")
            self._check(place)
        return view

    def _check(self, place: tuple[bytes, int]) -> None:
        if len(self._checked) >= _CHECKED:
            self._checked.clear()
        self._checked[place] = None
