"""Threads beside the event loop, for work that lets go of the GIL.

`ThreadPoolExecutor` with `wrap_future` makes two futures and half a dozen locks for each call; here it is one future of
the loop's, in a third to a half of the time. And while many wait, answers are handed over a few at a time: to wake the
loop for each of them costs it twice as much as what it then does (`docs/PERFORMANCE.md`).
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

Job = Callable[[], object]

TOGETHER = 4
"""Answers that are handed over at once, as long as so many calls are still queued behind them: so the first of them
waits for three calls more, each gets its answer before the queue is through, and without a queue nobody waits."""


class Threads:
    """At most `most`, each started when it is needed and `prepare`d first. They do not keep the process from ending.

    Only the event loop's thread may call it. `gauge` hears of each change of `pending`.
    """

    def __init__(self, name: str, most: int, *, prepare: Job, gauge: Callable[[int], object]) -> None:
        self._name, self._most, self._prepare, self._gauge = name, most, prepare, gauge
        self._turns: SimpleQueue[bool] = SimpleQueue()
        """True for each job of the two queues; False ends a thread."""
        self._checks: deque[Job] = deque()
        self._jobs: deque[Job] = deque()
        self._queued: dict[Future[Any], bool] = {}
        self._done: deque[tuple[Future[Any], Job]] = deque()
        self._handed_over = asyncio.Event()
        self._loop: AbstractEventLoop | None = None
        self._threads: list[Thread] = []
        self._is_closed = False
        self.pending = 0
        """Calls that are queued or being done. One under way counts until it is answered, whoever still wants it; while
        it is only checked it is queued."""

    def begin(self, job: Job) -> None:
        """Nobody waits for it, and it must not raise."""
        self._staff()
        self._put(self._jobs, job)

    async def run(self, func: Callable[[], T], *, check: Job | None = None) -> T:
        """What it returns or raises. Who leaves the queue takes their call along. Raises RuntimeError once closed.

        It is called once `check` has returned; what that raises is raised. A thread makes all checks that are there
        before anything else: one after another they find in its caches what they need (`docs/PERFORMANCE.md`).
        """
        if self._is_closed:
            raise RuntimeError("the threads are closed")
        self._loop = asyncio.get_running_loop()
        answer: Future[T] = self._loop.create_future()
        self._queued[answer] = True
        context = copy_context()
        job = partial(self._do, answer, context, func)
        self._staff()
        if check is None:
            self._put(self._jobs, job)
        else:
            self._put(self._checks, partial(self._check, answer, context, check, job))
        self._count(+1)
        try:
            return await answer
        finally:
            if self._is_mine(answer):  # cancelled before its turn came
                self._left()

    async def handed_over(self) -> None:
        """Returns when a call that ended now would have its answer: at once, or with the next ones while many wait."""
        if len(self._queued) >= TOGETHER:
            await self._handed_over.wait()

    def close(self) -> None:
        """Cancels what is queued. What is under way finishes, but nothing waits for it here."""
        self._is_closed = True
        for answer in tuple(self._queued):
            if self._is_mine(answer):
                self._left()
                answer.cancel()
        for _ in self._threads:
            self._turns.put(False)

    def _is_mine(self, answer: "Future[Any]") -> bool:
        """True to the first who asks: the thread that is to do it, or whoever takes it out of the queue."""
        return self._queued.pop(answer, False)

    def _left(self) -> None:
        """Nothing may be left that would be handed over."""
        self._count(-1)
        if len(self._queued) < TOGETHER:
            self._wake()

    def _wake(self) -> None:
        self._handed_over.set()
        self._handed_over.clear()

    def _staff(self) -> None:
        """Another thread for what comes, if all that there are have something to do."""
        if len(self._threads) < self._most and self.pending >= len(self._threads):
            thread = Thread(target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        self._prepare()
        while self._turns.get():
            try:
                job = self._checks.popleft()
            except IndexError:
                job = self._jobs.popleft()
            job()
            if len(self._done) >= TOGETHER or self._turns.qsize() < TOGETHER:
                self._hand_over()
        self._hand_over()

    def _put(self, queue: deque[Job], job: Job) -> None:
        queue.append(job)
        self._turns.put(True)

    def _check(self, answer: "Future[Any]", context: Context, check: Job, job: Job) -> None:
        try:
            if answer in self._queued:
                context.run(check)
        except BaseException as error:
            if self._is_mine(answer):
                self._done.append((answer, _failure(answer, error)))
                self._hand_over()
        else:
            self._put(self._jobs, job)

    def _do(self, answer: "Future[T]", context: Context, func: Callable[[], T]) -> None:
        if not self._is_mine(answer):
            return
        settle: Job = answer.cancel
        if not answer.done():  # else its caller has left, and has not come to take it out of the queue
            try:
                settle = partial(answer.set_result, context.run(func))
            except BaseException as error:
                settle = _failure(answer, error)
        self._done.append((answer, settle))

    def _hand_over(self) -> None:
        if self._done and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._settle)
            except RuntimeError:  # it is closed: nobody waits any more
                self._count(-len(self._done))
                self._done.clear()

    def _settle(self) -> None:
        while self._done:
            answer, settle = self._done.popleft()
            self._count(-1)
            if not answer.done():
                settle()
        self._wake()

    def _count(self, change: int) -> None:
        self.pending += change
        self._gauge(change)


def _failure(answer: "Future[Any]", error: BaseException) -> Job:
    if isinstance(error, StopIteration):  # a future takes it for the end of a coroutine (PEP 479)
        error = RuntimeError(repr(error))
    return partial(answer.set_exception, error)
