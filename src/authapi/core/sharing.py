"""Micro-batching: callers who ask the same of Postgres or Redis while others are being served share the next trip.

Nobody waits to be joined: who comes alone goes at once, with whoever is ready in the same turn of the loop, and who
comes meanwhile goes next. A trip that fails fails for all who share it; what then, is their own affair.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeAlias, TypeVar

MOST = 64
"""Calls in one trip."""

Q = TypeVar("Q")
A = TypeVar("A")


class Call(Generic[Q, A]):
    __slots__ = ("answer", "question", "since")

    def __init__(self, question: Q) -> None:
        loop = asyncio.get_running_loop()
        self.question = question
        self.answer: asyncio.Future[A] = loop.create_future()
        self.since = loop.time()


Chosen: TypeAlias = tuple[list[Call[Q, A]], list[Call[Q, A]]]
"""Who goes next, and who later."""


def in_order(calls: Sequence[Call[Q, A]]) -> Chosen[Q, A]:
    return list(calls[:MOST]), list(calls[MOST:])


class Shared(Generic[Q, A]):
    """What is under way, and who comes next. `many` gives an answer to each of its questions, or raises for all."""

    def __init__(
        self,
        one: Callable[[Q], Awaitable[A]],
        many: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        choose: Callable[[Sequence[Call[Q, A]]], Chosen[Q, A]] = in_order,
        patience: float = math.inf,
    ) -> None:
        self._one, self._many, self._choose, self._patience = one, many, choose, patience
        self._next: list[Call[Q, A]] = []
        self._is_busy = False
        self.under_way: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Raises what the trip does; TimeoutError where it did not begin within `patience` seconds."""
        if self._is_busy:
            return await self._join(question, len(self._next))
        self._is_busy = True
        try:
            await asyncio.sleep(0)  # who is ready in this turn of the loop comes along
            if not self._next:
                return await self._one(question)
            answer = self._join(question, 0)
        finally:
            self._go_on()
        return await answer

    def _join(self, question: Q, place: int) -> Awaitable[A]:
        call: Call[Q, A] = Call(question)
        self._next.insert(place, call)
        return call.answer

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        too_late = loop.time() - self._patience
        _refuse([call for call in self._next if call.since < too_late], TimeoutError())
        waiting = [call for call in self._next if not call.answer.done()]
        calls, self._next = self._choose(waiting)
        self._is_busy = bool(calls)
        if calls:  # in no caller's name: it is neither cancelled with one nor a part of one's trace
            self.under_way = loop.create_task(self._together(calls), context=Context())

    async def _together(self, calls: Sequence[Call[Q, A]]) -> None:
        try:
            answers = await self._many([call.question for call in calls])
            for call, answer in zip(calls, answers, strict=True):
                if not call.answer.done():
                    call.answer.set_result(answer)
        except Exception as error:
            _refuse(calls, error)
        finally:
            self._go_on()


def _refuse(calls: Sequence[Call[Q, A]], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)
            call.answer.exception()  # whether or not its caller is still there to hear it
