"""A time limit around a few lines, for what every request goes through."""

import asyncio
from types import TracebackType


class Within:
    """As `asyncio.timeout`: raises TimeoutError where the block takes longer than so many seconds.

    Half its cost: no coroutines of its own, one look at the loop instead of four (docs/PERFORMANCE.md).
    """

    __slots__ = ("_before", "_seconds", "_task", "_timer", "is_over")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_over = False
        """Whether this limit was the one that was exceeded, and not one further inside."""

    def __enter__(self) -> "Within":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("there is no task to interrupt")
        self._task, self._before = task, task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._interrupt)
        return self

    def _interrupt(self) -> None:
        self.is_over = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self.is_over and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
