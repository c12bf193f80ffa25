"""The leases of one consumer: which are in force, and what of them the journal has not been told.

A lease is an open read that outlives whoever asked for it, and this process. Owns the table only: who
holds the item meanwhile is in `aside`, and what ends a lease is decided in `holding`.
"""

from collections.abc import Container, Iterable, Mapping

from .batches import Lease
from .open_reads import OpenRead

__all__ = ["Leased", "Leases"]


class Leased:
    """How an open read was leased, for taking back what became of it: it was confirmed, or else its lease
    has another deadline. until: see `OpenRead`.
    """

    __slots__ = ("confirmed", "held", "lease", "until")

    def __init__(self, held: OpenRead, lease: Lease, confirmed: bool) -> None:
        self.held = held
        self.lease = lease
        self.until = held.until
        self.confirmed = confirmed


class Leases:
    """in_force: by item."""

    __slots__ = ("_changed", "in_force")

    def __init__(self, in_force: Iterable[Lease] = ()) -> None:
        self.in_force = {each.id: each for each in in_force}
        self._changed: list[Lease] = []

    def begin(self, lease: Lease) -> None:
        """From now on its item is under this one, whatever it was under before."""
        self.in_force[lease.id] = lease
        self._changed.append(lease)

    def end(self, item_id: int) -> bool:
        """An item is under no lease any more; whether it was."""
        lease = self.in_force.pop(item_id, None)
        if lease is not None:
            self._changed.append(Lease(item_id, lease.number, lease.nonce, 0))
        return lease is not None

    def confirm(self, item_id: int) -> None:
        """Its item was confirmed, which the journal is told anyway."""
        del self.in_force[item_id]

    def renew(self, ahead: int, held: Mapping[int, OpenRead]) -> None:
        """Each ends when what is held under it does. ahead: by how much the wall clock is of the other."""
        for lease in list(self.in_force.values()):
            self.begin(lease._replace(deadline=ahead + held[lease.id].until))

    def forget_unwritten(self, held: Container[int]) -> None:
        """Nothing that was not written will be; there are leases only of what is still held."""
        self._changed = []
        self.in_force = {i: lease for i, lease in self.in_force.items() if i in held}

    def told(self, whole: bool) -> list[Lease]:
        """For a mark: all, or what has changed since the last one. One that has ended has no deadline."""
        changed, self._changed = self._changed, []
        return list(self.in_force.values()) if whole else changed
