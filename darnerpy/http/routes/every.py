"""All routes there are."""

from ..declared import Route
from . import (
    acts,
    consumers,
    dqid,
    items,
    leases,
    monitoring,
    openapi,
    pages,
    queues,
    server,
)

__all__ = ["every_route"]


def every_route() -> list[Route]:
    routes = [
        *pages.ROUTES,
        *dqid.ROUTES,
        *queues.ROUTES,
        *items.ROUTES,
        *consumers.ROUTES,
        *leases.ROUTES,
        *acts.ROUTES,
        *monitoring.ROUTES,
        *server.ROUTES,
    ]
    return [*routes, openapi.about(routes)]
