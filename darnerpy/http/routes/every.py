"""All routes there are."""

from ..declared import Route
from . import pages, queues, server

__all__ = ["every_route"]


def every_route() -> list[Route]:
    return [*pages.ROUTES, *queues.ROUTES, *server.ROUTES]
