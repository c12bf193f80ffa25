"""What a histogram says of most of what it counts."""

from collections.abc import Sequence

__all__ = ["quantile"]


def quantile(bounds: Sequence[int], counts: Sequence[int], share: float) -> float | None:
    """The seconds (bounds are microseconds) within which so large a share was; None if nothing was counted.

    Within a bucket all is taken to be spread evenly; what is over the last bound counts as that bound.
    """
    wanted = sum(counts) * share
    if not wanted:
        return None
    below = low = 0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= wanted:
            return (low + (bound - low) * (wanted - below) / count) / 1e6
        below += count
        low = bound
    return bounds[-1] / 1e6
