"""All routes there are."""

from ..declared import Route
from . import (
    acts,
    consumers,
    dqid,
    items,
    leases,
    monitoring,
    pages,
    queues,
    server,
)

__all__ = ["every_route"]


def every_route() -> list[Route]:
    return [
        *pages.ROUTES,
        *dqid.ROUTES,
        *queues.ROUTES,
        *items.ROUTES,
        *consumers.ROUTES,
        *leases.ROUTES,
        *monitoring.ROUTES,
        *acts.ROUTES,
        *server.ROUTES,
    ]
