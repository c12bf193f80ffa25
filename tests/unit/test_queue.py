"""A queue, one situation at a time; `test_queue_machine.py` looks for those nobody thought of."""

from collections.abc import Iterator

import pytest

from darnerpy.errors import ServerError
from darnerpy.queues import fullmarks
from darnerpy.queues import queue as queue_module
from darnerpy.queues.batches import Completion, Dependent
from darnerpy.queues.items import ITEM_OVERHEAD
from darnerpy.queues.positions import Span
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from tests.unit.clients import AMPLE, Client, hold, join, put, take, take_all
from tests.unit.keeper import Disk, Keeper, ManualClock

DISASTER = ServerError("the disk is on fire")


@pytest.fixture
def keeper() -> Keeper:
    return Keeper(Disk(), ManualClock(), Windows(AMPLE))


@pytest.fixture
def queue(keeper: Keeper) -> Queue:
    return keeper.queue


# --- Order


def test_what_was_put_first_comes_first(queue: Queue) -> None:
    put(queue, b"a", b"b", b"c")
    assert take_all(queue) == [b"a", b"b", b"c"]
    assert queue.is_empty(queue.own)
    assert queue.next_id == 4


def test_ids_have_no_gaps(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", b"b")
    keeper.settle()
    put(queue, b"c")
    batch = queue.batch
    assert batch is not None
    assert [item.id for item in batch.items] == [3]
    assert batch.items[0].offset == 2


def test_returned_items_come_back_to_their_places(queue: Queue) -> None:
    put(queue, b"a", b"b", b"c", b"d")
    held = [hold(queue) for _ in range(3)]
    for read in (held[1], held[2], held[0]):
        queue.abort(read)
    assert take_all(queue) == [b"a", b"b", b"c", b"d"]


def test_peek_leaves_it_where_it_is(queue: Queue) -> None:
    put(queue, b"a", b"b")
    for _ in range(2):
        item = queue.peek(queue.own)
        assert item is not None
        assert item.data == b"a"
    assert take_all(queue) == [b"a", b"b"]


def test_open_reads_do_not_count_and_return_where_they_were(queue: Queue) -> None:
    put(queue, b"a", b"bb")
    held = hold(queue)
    assert (queue.count(queue.own), queue.backlog_bytes(queue.own)) == (1, 2)
    queue.abort(held)
    assert (queue.count(queue.own), queue.backlog_bytes(queue.own)) == (2, 3)
    assert queue.own.counters.aborts == 1
    assert held.gone
    assert queue.close(held) is None, "it is no longer theirs to close"


def test_what_a_failure_gives_back_comes_before_what_was_held_behind_it(
    queue: Queue, keeper: Keeper
) -> None:
    put(queue, b"a", b"b", b"c")
    keeper.settle()
    assert take(queue) == b"a"
    held = hold(queue)
    keeper.fail(landed=False)
    keeper.rejoin()
    keeper.start_read(4)
    keeper.finish_read()
    queue.abort(held)
    assert take_all(queue) == [b"a", b"b", b"c"]


# --- Waiting


def test_one_item_goes_to_the_one_who_waited_longest(queue: Queue) -> None:
    clients = [Client(), Client()]
    join(queue, *clients)
    put(queue, b"a")
    assert [client.got for client in clients] == [[b"a"], []]
    assert queue.take(queue.own) is None, "no newcomer overtakes a waiter"
    put(queue, b"b")
    assert [client.got for client in clients] == [[b"a"], [b"b"]]


def test_a_returned_item_wakes_a_waiter(queue: Queue) -> None:
    put(queue, b"a")
    held, client = hold(queue), Client(open=True)
    join(queue, client)
    queue.abort(held)
    assert client.got == [b"a"]
    assert client.held is not None
    queue.close(client.held)
    assert queue.is_empty(queue.own)


def test_who_peeks_passes_the_item_on(queue: Queue) -> None:
    peeking, taking = Client(peek=True), Client()
    join(queue, peeking, taking)
    put(queue, b"a")
    assert (peeking.got, taking.got) == ([b"a"], [b"a"])


def test_who_is_gone_gets_nothing_and_loses_nothing(queue: Queue) -> None:
    gone, here = Client(present=False), Client()
    join(queue, gone, here)
    put(queue, b"a")
    assert (gone.got, here.got) == ([], [b"a"])


def test_a_flush_ends_only_the_wait_of_those_who_did_not_want_to_wait() -> None:
    keeper = Keeper(Disk(), ManualClock(), Windows(ITEM_OVERHEAD))
    put(keeper.queue, b"a", b"b")
    keeper.settle()
    assert take(keeper.queue) == b"a"
    assert take(keeper.queue) is None, "b is on its way from disk"
    blocking, impatient = Client(), Client(blocking=False)
    join(keeper.queue, blocking, impatient)
    keeper.queue.flush()
    assert (blocking.errors, impatient.errors) == ([], [None])


# --- Time


def test_an_expired_item_is_never_delivered(queue: Queue, keeper: Keeper) -> None:
    clock = keeper.clock
    put(queue, b"short", expiry=clock.now + 10)
    put(queue, b"long")
    put(queue, b"shorter", expiry=clock.now + 5)
    clock.now += 10
    assert queue.count(queue.own) == 3, "it counts until it comes to the head"
    assert take_all(queue) == [b"long"]
    assert queue.own.counters.expired == 2
    assert queue.is_empty(queue.own)


def test_an_item_lives_until_its_time(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", expiry=keeper.clock.now + 10)
    keeper.clock.now += 9
    assert take(queue) == b"a"


def test_a_held_item_that_expires_does_not_come_back(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", expiry=keeper.clock.now + 10)
    held = hold(queue)
    keeper.clock.now += 10
    queue.abort(held)
    assert take(queue) is None
    assert queue.own.counters.expired == 1


# --- Flush, delete, damage


def test_flush_discards_what_waits_and_spares_what_is_held(queue: Queue) -> None:
    put(queue, b"a", b"b", b"c", b"d")
    first, second, third = hold(queue), hold(queue), hold(queue)
    queue.abort(second)
    queue.flush()
    assert queue.is_empty(queue.own)
    put(queue, b"e")
    queue.abort(third)
    queue.abort(first)
    assert take_all(queue) == [b"a", b"c", b"e"]
    assert queue.own.counters.flushes == 1


def test_a_deleted_queue_lets_everyone_go(queue: Queue) -> None:
    put(queue, b"a")
    held, client = hold(queue), Client()
    join(queue, client)
    queue.dissolve(None)
    assert held.gone
    assert queue.close(held) is None
    queue.abort(held)
    assert client.errors == [None]
    assert queue.own.loaded == queue.own.settled == 0


def test_what_is_lost_is_passed_over(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", b"b", b"c")
    keeper.settle()
    keeper = Keeper(keeper.disk, keeper.clock, Windows(AMPLE))
    keeper.disk.rotten.add(2)
    keeper.start_read(3)
    keeper.finish_read()
    assert take_all(keeper.queue) == [b"a", b"c"]
    assert keeper.queue.is_empty(keeper.queue.own)
    assert keeper.queue.kept == [Span(2, 3, 1, 2)]
    keeper.settle()
    again = Keeper(keeper.disk, keeper.clock, Windows(AMPLE)).queue
    assert again.kept == [Span(2, 3, 1, 2)]
    assert again.is_empty(again.own)


def test_what_is_lost_is_lost_even_if_it_is_in_memory(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", b"b", b"c", b"d", b"e")
    keeper.settle()
    returned, held = hold(queue), hold(queue)
    queue.abort(returned)
    queue.lose(Span(1, 5, 0, 4), keep=True)
    assert held.gone
    assert take_all(queue) == [b"e"]
    assert (queue.count(queue.own), queue.backlog_bytes(queue.own)) == (0, 0)
    assert queue.own.loaded == 0


def test_what_everyone_had_confirmed_is_not_kept_with_what_is_lost(
    queue: Queue, keeper: Keeper
) -> None:
    """It may be deleted already, and would look missing for ever."""
    put(queue, b"a", b"b", b"c", b"d", b"e")
    keeper.settle()
    held = hold(queue)
    assert [take(queue), take(queue)] == [b"b", b"c"]
    queue.lose(Span(1, 5, 0, 4), keep=True)
    assert held.gone
    assert queue.kept == [Span(1, 2, 0, 1), Span(4, 5, 3, 4)]


def test_bytes_stay_plausible_when_what_was_lost_had_no_known_size(
    queue: Queue, keeper: Keeper
) -> None:
    put(queue, *[b"x" * 10] * 5)
    keeper.settle()
    assert take(queue) is not None
    queue.lose(Span(2, 3, -1, -1), keep=True)
    assert queue.count(queue.own) == 3
    assert 30 <= queue.backlog_bytes(queue.own) <= 40
    queue.lose(Span(4, 6, -1, -1), keep=True)
    assert queue.count(queue.own) == 1
    assert 10 <= queue.backlog_bytes(queue.own) <= 40


def test_a_returned_item_that_cannot_be_read_again_is_lost(keeper: Keeper) -> None:
    windows = Windows(2 * ITEM_OVERHEAD)
    keeper = Keeper(Disk(), ManualClock(), windows)
    queue = keeper.queue
    put(queue, b"a" * 500, b"b")
    held = hold(queue)
    keeper.settle()
    assert held.item.data is None, "there is no room for it"
    queue.abort(held)
    keeper.disk.rotten.add(1)
    client = Client(blocking=False)
    assert take(queue) is None
    join(queue, client)
    keeper.settle()
    assert client.got == [b"b"]


# --- Commits


def test_a_batch_begins_once_a_turn(queue: Queue, keeper: Keeper) -> None:
    assert not keeper.dirty
    put(queue, b"a")
    assert keeper.dirty
    first = queue.batch
    put(queue, b"b")
    assert take(queue) == b"a"
    assert queue.batch is first
    keeper.seal()
    assert keeper.sealed is first
    assert not keeper.dirty
    put(queue, b"c")
    assert queue.batch is not first
    assert keeper.queue.unwritten == [first, queue.batch]


def test_nothing_to_do_is_no_batch(queue: Queue) -> None:
    assert take(queue) is None
    assert queue.peek(queue.own) is None
    assert queue.seal() is None


def test_sync_is_asked_for_by_one_item_and_holds_for_its_batch(queue: Queue) -> None:
    put(queue, b"a")
    batch = queue.put(b"b", 1, 0, 0, sync=True)
    put(queue, b"c")
    assert batch.sync


def test_an_answer_waits_for_the_batch_its_item_is_written_with(
    queue: Queue, keeper: Keeper
) -> None:
    put(queue, b"a", b"b")
    assert hold(queue).commit is queue.batch
    keeper.settle()
    assert hold(queue).commit is None


def test_a_failed_batch_takes_back_all_it_confirmed_and_all_it_put(
    queue: Queue, keeper: Keeper
) -> None:
    put(queue, b"a", b"b", b"c")
    keeper.settle()
    kept = hold(queue)
    closed = hold(queue)
    queue.close(closed)
    assert take(queue) == b"c"
    put(queue, b"refused")
    lost = hold(queue)
    keeper.fail(landed=False)
    keeper.rejoin()
    assert (kept.gone, lost.gone) == (False, True)
    assert queue.count(queue.own) == 2
    queue.abort(kept)
    put(queue, b"d")
    keeper.settle()
    assert take_all(queue) == [b"a", b"b", b"c", b"d"]


def test_a_refused_item_may_reappear_but_what_it_confirmed_may_not_vanish(
    queue: Queue, keeper: Keeper
) -> None:
    put(queue, b"a")
    keeper.settle()
    assert take(queue) == b"a"
    put(queue, b"refused")
    keeper.seal()
    keeper.fail(landed=True)
    keeper.rejoin()
    keeper.start_read(9)
    keeper.finish_read()
    assert take_all(queue) == [b"a", b"refused"]


def test_a_flush_that_fails_did_not_happen(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", b"b")
    keeper.settle()
    assert take(queue) == b"a"
    queue.flush()
    put(queue, b"c")
    keeper.fail(landed=False)
    keeper.rejoin()
    keeper.start_read(9)
    keeper.finish_read()
    assert take_all(queue) == [b"a", b"b"]


def test_who_depends_is_told_in_order_and_with_the_error() -> None:
    told: list[tuple[str, ServerError | None]] = []
    batch = Completion()

    class Reply(Dependent):
        def __init__(self, name: str) -> None:
            self.name = name

        def release(self) -> None:
            assert batch.ended
            told.append((self.name, batch.error))

    batch.dependents += [Reply("first"), Reply("second")]
    batch.end(DISASTER)
    assert told == [("first", DISASTER), ("second", DISASTER)]
    assert batch.dependents == Completion().dependents == []


def test_a_full_mark_comes_before_there_is_much_to_replay(
    queue: Queue, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fullmarks, "_IDS", 4)
    monkeypatch.setattr(fullmarks, "_BATCHES", 3)
    monkeypatch.setattr(fullmarks, "_BYTES", 100)

    def fullness(*turns: list[bytes]) -> Iterator[bool]:
        for items in turns:
            put(queue, *items)
            queue.take(queue.own)
            batch = queue.batch
            assert batch is not None
            keeper.settle()
            yield batch.full

    turns = [[b""], [b""], [b""], [b""], [b""] * 4, [b"x" * 100], [b""]]
    assert list(fullness(*turns)) == [True, False, False, True, True, True, False]


def test_a_mark_tells_what_was_confirmed_and_nothing_else(queue: Queue, keeper: Keeper) -> None:
    put(queue, b"a", b"bb", b"ccc", b"dddd")
    keeper.settle()
    held = [hold(queue) for _ in range(3)]
    for read, wanted in (
        (held[1], (1, 0, [Span(2, 3, 1, 3)])),
        (held[2], (1, 0, [Span(3, 4, 3, 6)])),
        (held[0], (4, 6, [])),
    ):
        queue.close(read)
        keeper.seal()
        assert keeper.sealed is not None
        (mark,) = keeper.sealed.marks
        assert (mark.position, mark.offset, list(mark.spans)) == wanted
        assert not mark.whole
        keeper.write()


def test_too_many_open_reads_are_refused(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_UNAVAILABLE", 2)
    put(queue, *[b"x"] * 6)
    first = hold(queue)
    hold(queue)
    with pytest.raises(ServerError, match="too many open reads, 2 are possible"):
        queue.open(queue.own)
    queue.close(first)
    hold(queue)


# --- Memory


def test_a_backlog_larger_than_memory_comes_in_order() -> None:
    keeper = Keeper(Disk(), ManualClock(), Windows(10 * ITEM_OVERHEAD))
    queue = keeper.queue
    wanted = [b"%d" % n for n in range(100)]
    for at in range(0, 100, 5):
        put(queue, *wanted[at : at + 5])
        keeper.settle()
        assert queue.own.loaded <= 10 * ITEM_OVERHEAD
    got: list[bytes | None] = []
    while not queue.is_empty(queue.own):
        data = take(queue)
        if data is None:
            client = Client(blocking=False)
            join(queue, client)
            keeper.settle()
            (data,) = client.got
        got.append(data)
    assert got == wanted


def test_what_is_not_written_yet_is_not_read_from_disk() -> None:
    keeper = Keeper(Disk(), ManualClock(), Windows(ITEM_OVERHEAD))
    queue = keeper.queue
    put(queue, b"a", b"b", b"c")
    assert keeper.missing(queue.own) is None
    assert take_all(queue) == [b"a", b"b", b"c"]


def test_the_head_is_known_if_it_is_in_memory(queue: Queue, keeper: Keeper) -> None:
    assert queue.own.head is None
    put(queue, b"a")
    born = keeper.clock.now
    keeper.clock.now += 50
    assert queue.own.head is not None
    assert queue.own.head.created == born
    queue.abort(hold(queue))
    assert queue.own.head is not None
    assert queue.own.head.created == born


def test_what_is_confirmed_while_it_is_read_again_does_not_come_twice(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    items = list(queue.own.window)
    keeper.settle()
    held = hold(queue)
    queue.fail(DISASTER)
    queue.rejoin(4, 3, 1, {})
    queue.close(held)
    queue.loaded(queue.own, items, 1, 4)  # read before the close, handed over after it
    assert take_all(queue) == [b"2", b"3"]
    assert queue.is_empty(queue.own)


def test_an_open_read_falls_with_the_commit_its_answer_waits_for(keeper: Keeper) -> None:
    """As `/close/open` does it: the item was written long ago, the close before it was not."""
    queue = keeper.queue
    put(queue, b"1", b"2")
    keeper.settle()
    first = hold(queue)
    commit = queue.close(first)
    second = hold(queue)
    second.commit = commit
    queue.fail(DISASTER)
    assert second.gone
    assert not queue.own.open
    assert queue.count(queue.own) == 2
