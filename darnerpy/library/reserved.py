"""An item that is held, for a program that may block."""

from types import TracebackType
from typing import Self

from ..brokers.turn import Unready
from ..errors import ClosedError, DarnerError
from .arguments import milliseconds
from .driving import drive, finish
from .items import HeldItem, abort, confirm, keep, not_held

__all__ = ["ReservedItem"]


class ReservedItem(HeldItem):
    """An item that you hold: nobody else gets it until you confirm it, return it or let it fall.

    As a context manager it is confirmed when the block ends, and goes back to its place if the block
    raises. What happened to it before, by `confirm` or `abort`, stays so.
    """

    __slots__ = ()

    def confirm(self) -> None:
        """Have it handed out never again. That is written when this returns.

        Raises `NotHeldError` if it is not held any more: its time was up, it was confirmed or returned
        already, or the queue was closed or deleted.
        """
        desk, held = self._desk, self._held
        if held is None:
            raise not_held(self)
        try:
            directory = desk.directory
            with directory.lock:
                turn = directory.turn
                try:
                    done = turn.close(desk.name, held)
                    commit = turn.unfinished
                    rest = turn.after and directory.scheduler.settle()
                except BaseException:
                    directory.scheduler.cut_off()
                    raise
        except Unready:
            drive(desk, confirm(self))
            return
        except ClosedError:
            done = False
        except DarnerError as error:
            raise desk.told(error) from error.__cause__
        self._let_go()
        if not done:
            raise not_held(self)
        if rest or commit is not None:
            finish(desk, commit)

    def abort(self) -> None:
        """Return it to its place at once: it is the next to be handed out, and `attempts` is one more.

        After the last of `max_attempts` it goes to `dead_letter`; with `retry_delay` it waits first.
        Nothing happens if it is not held any more.
        """
        drive(self._desk, abort(self))

    def keep(self, seconds: float | str) -> None:
        """Hold it for so long from now, whatever `open_timeout` says; it may be shorter than before.

        seconds: a number, or a duration such as "30s". Raises `NotHeldError`.
        """
        time = milliseconds(seconds, "the time to keep it")
        drive(self._desk, keep(self, time))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held is None:
            return
        if kind is None:
            self.confirm()
        else:
            self.abort()
