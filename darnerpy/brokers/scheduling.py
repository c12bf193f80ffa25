"""What brokers and sessions need of an event loop."""

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Scheduler", "Timer"]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Scheduler(Protocol):
    def call_soon(self, callback: Callable[..., Any], *args: Any) -> object: ...

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> object: ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer: ...
