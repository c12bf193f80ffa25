"""What was probably meant by a name that nobody knows."""

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known name that is most like it; None if none is. least: how like, from 0 to 1."""
    # It is rarely needed, and whoever starts should start fast.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=least)), None)
