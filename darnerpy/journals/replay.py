"""Where consumers stand, worked out from the marks that a journal holds.

Pure: what was read goes in, and the recovery is completed. The newest mark comes first, the last one is
full unless it was lost; then what is known is used, and items may come again.
"""

from typing import NamedTuple

from ..queues.batches import Batch
from ..queues.positions import Positions, shared, without
from .contract import Damage, Recovery, Trimmed
from .marks import MarkRecord

__all__ = ["Confirmed", "confirmed_by", "replay"]


def replay(found: Recovery, marks: list[MarkRecord], first_id: int) -> None:
    """Work out where consumers stand from marks, the newest first, the last one full."""
    if (marks or first_id > 1) and not (marks and marks[-1].full):
        found.damage.append(Damage("no whole position mark was found: items may come again"))
        # What is below the first item may be lost, not trimmed: the marks tell which.
        first_id = max((record.trimmed for record in marks), default=first_id)
    for record in reversed(marks):
        found.trimmed = max(found.trimmed, record.trimmed)
        found.paused = record.paused
        if record.full:
            found.kept = record.kept
            found.positions.clear()  # a consumer that it does not name was dropped
            found.returns.clear()
            found.leases.clear()
        for mark in record.marks:
            if mark.whole:
                found.positions[mark.consumer] = Positions(mark.position, mark.offset, mark.spans)
                found.returns[mark.consumer] = list(mark.returns)
                found.leases[mark.consumer] = list(mark.leases)
                continue
            at = found.positions.setdefault(mark.consumer, Positions(first_id))
            for span in mark.spans:
                for piece in list(at.unconfirmed(span)):
                    at.confirm(piece)
            at.advance(mark.position, mark.offset)
            if mark.returns:
                before = found.returns.get(mark.consumer, [])
                found.returns[mark.consumer] = [*before, *mark.returns]
            if mark.leases:
                found.leases.setdefault(mark.consumer, []).extend(mark.leases)
    known = dict(marks[-1].delays) if marks else {}
    found.delays = list((known | dict(found.delays)).items())
    for name, returns in found.returns.items():
        last = {each.id: each for each in returns}
        at = found.positions[name]
        found.returns[name] = [each for each in last.values() if not at.is_confirmed(each.id)]
    for name, leases in found.leases.items():
        latest = {each.id: each for each in leases}
        at = found.positions[name]
        found.leases[name] = [
            each for each in latest.values() if each.deadline and not at.is_confirmed(each.id)
        ]


class Confirmed(NamedTuple):
    """What consumers have confirmed by a full batch.

    gone: by all of them, and not kept: nobody needs it any more. done: nothing of it is deleted yet.
    """

    gone: Positions
    done: Trimmed


def confirmed_by(full: Batch) -> Confirmed:
    places = [Positions(mark.position, mark.offset, mark.spans) for mark in full.marks]
    everyone = shared(places)
    sums = sum(at.count for at in places), sum(at.size for at in places)
    done = Trimmed(everyone.count, everyone.size, *sums)
    return Confirmed(without(everyone, full.kept), done)
