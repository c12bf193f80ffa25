"""Real clients beside the browser, who put and take steadily."""

import threading
from types import TracebackType
from typing import Self

from tests.servers import ServerProcess

__all__ = ["Load"]

_EVERY_S = 0.05


class Load:
    """Each queue is given some items and fewer are taken, over and over, until it is left."""

    def __init__(self, server: ServerProcess, *queues: str, puts: int = 5, gets: int = 3) -> None:
        self._server = server
        self._queues = queues
        self._puts = puts
        self._gets = gets
        self._over = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if kind is None and self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            with self._server.connect() as wire:
                number = 0
                while not self._over.wait(_EVERY_S):
                    for queue in self._queues:
                        items = [b'{"number": %d}' % (number + each) for each in range(self._puts)]
                        wire.put(queue, *items)
                        number += self._puts
                        for _ in range(self._gets):
                            wire.get(queue)
        except BaseException as error:
            self._failed = error
