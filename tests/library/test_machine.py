"""The blocking front against a model of a few lines, closed and opened again in between."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import darnerpy

MOST_ITEMS = 12


class Place:
    """What a consumer has yet to confirm, by id, and how often each has come back."""

    def __init__(self, waits: dict[int, bytes]) -> None:
        self.waits = waits
        self.held: dict[int, darnerpy.ReservedItem] = {}
        self.attempts: dict[int, int] = {}

    def take(self) -> int | None:
        free = [number for number in self.waits if number not in self.held]
        return min(free, default=None)

    def free(self) -> list[int]:
        return sorted(self.waits.keys() - self.held.keys())


class QueueMachine(RuleBasedStateMachine):
    engine: str

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="darnerpy-machine-"))
        self.places = {"": Place({})}
        self.next_id = 1
        self._open()

    def _open(self) -> None:
        self.q = darnerpy.Queue(
            self.directory, engine=self.engine, sync="never", max_items=MOST_ITEMS
        )
        self.readers = {"": self.q} | {name: self.q.consumer(name) for name in self.places if name}

    def teardown(self) -> None:
        self.q.close()
        shutil.rmtree(self.directory)

    @initialize()
    def begin(self) -> None:
        assert self.q.consumers() == []

    # -- putting -----------------------------------------------------------------------------------

    def _put(self, datas: list[bytes]) -> None:
        for place in self.places.values():
            for number, data in enumerate(datas, self.next_id):
                place.waits[number] = data
        self.next_id += len(datas)

    @rule(data=st.binary(max_size=9), large=st.booleans())
    def put(self, data: bytes, large: bool) -> None:
        data += bytes(300_000 * large)
        if len(self.places[""].free()) >= MOST_ITEMS:
            with pytest.raises(darnerpy.Full):
                self.q.put(data, block=False)
        else:
            assert self.q.put(data, block=False) == self.next_id
            self._put([data])

    @rule(datas=st.lists(st.binary(max_size=5), max_size=5))
    def put_many(self, datas: list[bytes]) -> None:
        if datas and len(self.places[""].free()) + len(datas) > MOST_ITEMS:
            with pytest.raises(darnerpy.Full):
                self.q.put_many(datas, block=False)
        else:
            first = self.next_id
            assert self.q.put_many(datas, block=False) == range(first, first + len(datas))
            self._put(datas)

    # -- reading -----------------------------------------------------------------------------------

    names = st.sampled_from(["", "one", "two"])

    @rule(name=names, most=st.integers(1, 5))
    def get_many(self, name: str, most: int) -> None:
        if name not in self.places:
            return
        place, reader = self.places[name], self.readers[name]
        numbers = place.free()[:most]
        if not numbers:
            with pytest.raises(darnerpy.Empty):
                reader.get_many(most, block=False)
            return
        assert reader.get_many(most, block=False) == [place.waits.pop(each) for each in numbers]

    @rule(name=names)
    def get(self, name: str) -> None:
        if name not in self.places:
            return
        place, number = self.places[name], self.places[name].take()
        if number is None:
            with pytest.raises(darnerpy.Empty):
                self.readers[name].get(block=False)
        else:
            assert self.readers[name].get(block=False) == place.waits.pop(number)

    @rule(target=held, name=names, zero_copy=st.booleans())
    def reserve(self, name: str, zero_copy: bool) -> tuple[str, darnerpy.ReservedItem] | None:
        number = self.places[name].take() if name in self.places else None
        if number is None:
            return None
        item = self.readers[name].reserve(block=False, zero_copy=zero_copy)
        place = self.places[name]
        assert (item.id, item.data) == (number, place.waits[number])
        assert item.attempts == place.attempts.get(number, 0)
        place.held[number] = item
        return name, item

    @rule(which=consumes(held), confirm=st.booleans())
    def let_go(self, which: tuple[str, darnerpy.ReservedItem] | None, confirm: bool) -> None:
        if which is None:
            return
        name, item = which
        number, place = item.id, self.places.get(name)
        if place is None or place.held.get(number) is not item:
            with pytest.raises(darnerpy.NotHeldError):
                item.confirm()
            item.abort()
            return
        del place.held[number]
        if confirm:
            item.confirm()
            del place.waits[number]
        else:
            item.abort()
            place.attempts[number] = place.attempts.get(number, 0) + 1

    # -- consumers, and the queue as a whole -------------------------------------------------------

    @rule(name=st.sampled_from(["one", "two"]), start=st.sampled_from(["head", "tail", "copy"]))
    def consumer(self, name: str, start: str) -> None:
        if name in self.places:
            return
        if start == "copy":
            self.readers[name] = self.q.consumer(name, copy_from=self.q)
            waits = dict(self.places[""].waits)
        elif start == "head":
            self.readers[name] = self.q.consumer(name, start="head")
            waits = {}
            for place in self.places.values():
                waits |= place.waits
        else:
            self.readers[name] = self.q.consumer(name)
            waits = {}
        self.places[name] = Place(waits)

    @rule(name=st.sampled_from(["one", "two"]))
    def drop(self, name: str) -> None:
        reader = self.readers.pop(name, None)
        if isinstance(reader, darnerpy.Consumer):
            reader.drop()
            del self.places[name]

    @precondition(lambda self: self.next_id > 1)
    @rule()
    def flush(self) -> None:
        self.q.flush()
        for place in self.places.values():
            place.waits = {n: data for n, data in place.waits.items() if n in place.held}

    @rule()
    def reopen(self) -> None:
        self.q.close()
        for place in self.places.values():
            place.held.clear()
        self._open()

    # -- what always holds -------------------------------------------------------------------------

    @invariant()
    def counts(self) -> None:
        for name, place in self.places.items():
            free = place.free()
            reader = self.readers[name]
            assert len(reader) == len(free)
            assert reader.bytes == sum(len(place.waits[number]) for number in free)
        assert self.q.consumers() == sorted(filter(None, self.places))
        assert self.q.full() == (len(self.places[""].free()) >= MOST_ITEMS)

    @invariant()
    def looks(self) -> None:
        for name, place in self.places.items():
            free = place.free()
            for offset in {0, 2}:
                item = self.readers[name].peek(offset)
                expected = free[offset] if offset < len(free) else None
                assert (None if item is None else item.id) == expected


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
def test_it_does_as_the_model_does(engine: str) -> None:
    machine = type("Machine", (QueueMachine,), {"engine": engine})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=40))
