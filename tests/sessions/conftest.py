"""Requests, too, are tried on every engine."""

from tests.brokers.conftest import every_engine

__all__ = ["every_engine"]
