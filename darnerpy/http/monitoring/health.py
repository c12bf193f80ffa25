"""Whether the server can be used: what `/readyz` says, and what it says is the matter.

Owns which conditions those are. That the process answers at all is what `/healthz` says.
"""

from ...sessions.contract import Host
from ...sessions.guard import Status
from .watch import Watch

__all__ = ["Health"]


class Health:
    """stopping: the server drains its clients."""

    def __init__(self, host: Host, watch: Watch) -> None:
        self.stopping = False
        self._host = host
        self._watch = watch

    def is_ready(self) -> bool:
        return not self.reasons()

    def reasons(self) -> list[dict[str, object]]:
        """Why not, each with what there is to say about it; none if it is ready."""
        host, sums = self._host, self._watch.sums
        found: list[dict[str, object]] = []
        if self.stopping:
            found.append({"reason": "draining"})
        if host.broker.loading:
            found.append({"reason": "loading", "queues": sums.loading})
        if host.broker.space.error is not None:
            found.append({"reason": "out of disk", "detail": str(host.broker.space.error)})
        if sums.failed:
            named = self._watch.failed[:10]
            found.append({"reason": "journal failed", "queues": sums.failed, "names": named})
        if host.guard.status is Status.QUIESCENT:
            found.append({"reason": "quiescent"})
        return found
