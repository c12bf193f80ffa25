"""What becomes of items that somebody holds: confirmed, returned, kept for longer, leased.

Owns the two ways to hold one. An open read belongs to whoever opened it and goes back with it. A lease is
an open read that is written down, with a deadline: it belongs to whoever knows its number and nonce, and
outlives clients, this process and a power cut. Its time runs by the monotonic clock while this process
lives, and by the wall clock in between; when it is up, `upkeep` returns the item. Does not know how a
lease is called outside, nor how long one may be.
"""

from collections.abc import Mapping
from heapq import heapify
from typing import Final

from .batches import Batch, Lease
from .consumer import Consumer
from .delivery import Delivery
from .departures import returned_again
from .events import ABORT, CLOSE, OPEN, RETURN
from .items import Item
from .leases import Leased
from .open_reads import OpenRead

__all__ = ["MAX_LEASE_MS", "Holding"]

MAX_LEASE_MS: Final = 12 * 60 * 60 * 1000
"""Nobody asks for longer: what seems to last longer was given when the wall clock was wrong."""


class Holding(Delivery):
    __slots__ = ()

    def close(self, held: OpenRead) -> Batch | None:
        """Confirm an open read. Returns the batch to wait for, None if it was gone."""
        if held.gone:
            return None
        consumer = self.consumers[held.consumer]
        consumer.release(held)
        return self._confirm(consumer, held.item, CLOSE)

    def abort(self, held: OpenRead, counted: bool = True, why: int = ABORT) -> Batch | None:
        """Return an open read to its place; the first waiter gets it at once.

        counted: it was delivered and came back, which is one attempt; it may have been the last, or
        the next one may have to wait. why: `ABORT`, `DISCONNECT` or `TIMEOUT`. Returns the batch that
        makes the attempt last, None if there is nothing to wait for.
        """
        if held.gone:
            return None
        consumer, item = self.consumers[held.consumer], held.item
        consumer.release(held)
        batch = self._count_attempt(consumer, item) if counted else None
        consumer.counters.let_go += not counted
        self.tell(why if counted else RETURN, consumer, item.id, item.size)
        if item.id < consumer.loaded_to:
            has_data = item.data is not None or item.large
            if not (counted and has_data and self._divert(consumer, item)):
                consumer.put_back(item)
        self.serve(consumer)
        return batch

    def _count_attempt(self, consumer: Consumer, item: Item) -> Batch:
        consumer.counters.aborts += 1
        known = consumer.returns.get(item.id)
        back = returned_again(item.id, known, consumer.settings, self._clock)
        batch = self._touch()
        consumer.returns[item.id] = back
        consumer.newly_returned.append(back)
        consumer.moved = True
        return batch

    def keep(self, held: OpenRead, until: int) -> None:
        """Have an open read come back at a time (monotonic milliseconds), whatever the settings say."""
        held.until = until
        self.consumers[held.consumer].note_kept(held)
        self.on_alarm(until)

    def hold_again(self, held: OpenRead) -> bool:
        """As before the queue was read anew, if the item still waits; else False."""
        consumer = self.consumers.get(held.consumer)
        item_id = held.item.id
        if consumer is not None and consumer.open.get(item_id) is held:
            return True
        if (
            consumer is None
            or item_id in consumer.open
            or item_id >= self.next_id
            or consumer.positions.is_confirmed(item_id)
        ):
            return False
        consumer.forget(item_id, item_id + 1)
        consumer.hold(held)
        consumer.counters.let_go -= 1
        if held.until:
            self.keep(held, held.until)
        elif consumer.open_timeout is not None:
            self.on_alarm(held.since + consumer.open_timeout)
        return True

    # -- under a lease -----------------------------------------------------------------------------

    def lease(self, held: OpenRead, ttl: int, nonce: int) -> Lease:
        """Put an open read under a lease of so many milliseconds; it is in force when the read's commit has
        ended. nonce: 64 random bits.
        """
        batch = self._touch()
        number = batch.number
        lease = Lease(held.item.id, number, nonce, self._clock.now_ms() + ttl)
        self._begin_lease(held, lease, ttl)
        held.commit = batch  # later than any that it had
        return lease

    def leased(self, consumer: bytes, lease: Lease) -> OpenRead | None:
        """What is held under a lease, whatever its deadline is by now; None if it has ended."""
        its = self.consumers.get(consumer)
        known = None if its is None or its.leases is None else its.leases.in_force.get(lease.id)
        if its is None or known is None:
            return None
        is_it = known.number == lease.number and known.nonce == lease.nonce
        return its.open.get(lease.id) if is_it else None

    def extend(self, held: OpenRead, ttl: int) -> Lease:
        """Have a lease last until so many milliseconds from now, which may be less than it had. The batch
        of the turn makes that so.
        """
        before = self._lease_of(held)
        self.consumers[held.consumer].undo.append(Leased(held, before, confirmed=False))
        lease = before._replace(deadline=self._clock.now_ms() + ttl)
        self._begin_lease(held, lease, ttl)
        return lease

    def confirm_leased(self, held: OpenRead) -> Batch | None:
        """As `close`, of what is held under a lease; if that is not written, it is held again."""
        consumer = self.consumers[held.consumer]
        consumer.undo.append(Leased(held, self._lease_of(held), confirmed=True))
        if consumer.leases is not None:
            consumer.leases.confirm(held.item.id)
        return self.close(held)

    def end_kept(self, held: OpenRead, counted: bool, why: int) -> Batch | None:
        """As `abort`, of what may be held under a lease, which ends."""
        if held.gone:
            return None
        consumer = self.consumers[held.consumer]
        if consumer.leases is None or not consumer.leases.end(held.item.id):
            return self.abort(held, counted, why)
        batch = self._touch()
        consumer.moved = True
        return self.abort(held, counted, why) or batch

    def resume_leases(self, items: Mapping[int, Item]) -> None:
        """The queue was just recovered: what is leased is held again, but for items that cannot be read.

        items: by id, without their data.
        """
        now, here = self._clock.now_ms(), self._clock.monotonic_ms()
        for consumer in self._all:
            leases = consumer.leases
            if leases is None:
                continue
            for lease in list(leases.in_force.values()):
                item = items.get(lease.id)
                if item is None:
                    leases.end(lease.id)
                elif lease.id not in consumer.open:
                    held = OpenRead(consumer.name, item, here, None)
                    left = min(max(0, lease.deadline - now), MAX_LEASE_MS)
                    held.until = max(1, here + left)
                    consumer.hold(held)
                    consumer.counters.let_go -= 1  # it was given by another process
                    consumer.kept.append((held.until, lease.id))
                    self.tell(OPEN, consumer, item.id, item.size)
            heapify(consumer.kept)
            self.on_alarm(0)
            consumer.settle(self._windows)

    def renew_deadlines(self, consumer: Consumer) -> None:
        """The wall clock was set: leases last as long as before, also if the process does not."""
        leases = consumer.leases
        if leases is None or not leases.in_force:
            return
        leases.renew(self._clock.now_ms() - self._clock.monotonic_ms(), consumer.open)
        self._touch()
        consumer.moved = True

    def _begin_lease(self, held: OpenRead, lease: Lease, ttl: int) -> None:
        consumer = self.consumers[held.consumer]
        consumer.begin_lease(lease)
        self._touch().lasting = True
        consumer.moved = True
        self.keep(held, self._clock.monotonic_ms() + ttl)

    def _lease_of(self, held: OpenRead) -> Lease:
        leases = self.consumers[held.consumer].leases
        assert leases is not None
        return leases.in_force[held.item.id]
