"""Drives the coroutine of a request by hand and lets something fail at the n-th place where it waits."""

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, ...]
"""Where a request waits: the functions of the service on the way there, and the last one, whosever it is."""


class How(Enum):
    """At a place where a request waits."""

    INSTEAD = "an exception instead of the wait"
    AFTER = "an exception in place of the answer that came"
    CANCELLED = "the request cancelled"
    TOO_LATE = "the request cancelled just when the answer has come"


class Planted(Exception):
    """Nothing in the service expects it."""


LATE = {How.AFTER: Planted, How.TOO_LATE: asyncio.CancelledError}


@dataclass
class Interrupted:
    """Awaits `request` and lets it fail at step `at`, once; step 0 is none. It is to run in a task of its own."""

    request: Coroutine[Any, Any, None]
    at: int
    how: How
    places: list[Place] = field(default_factory=list)

    @property
    def was_hit(self) -> bool:
        return 0 < self.at <= len(self.places)

    def __await__(self) -> Generator[Any, Any, None]:
        answer: object = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self.request.throw(error) if error is not None else self.request.send(answer)
            except StopIteration:
                return
            answer = error = None
            self.places.append(_place(self.request))
            is_now = len(self.places) == self.at
            if is_now and self.how is How.INSTEAD:
                if waits_for is not None:
                    waits_for._asyncio_future_blocking = False  # nobody waits for it now
                error = Planted()
                continue
            if is_now and self.how is How.CANCELLED:
                _this_task().cancel()
            try:
                answer = yield waits_for
            except BaseException as raised:
                error = raised
            if is_now and error is None and self.how in LATE:
                error = LATE[self.how]()


def _place(request: Coroutine[Any, Any, None]) -> Place:
    ours: list[str] = []
    last = ""
    awaited: Any = request
    while awaited is not None:
        code = getattr(awaited, "cr_code", None) or getattr(awaited, "ag_code", None)
        if code is not None:
            last = code.co_qualname
            if "/authapi/" in code.co_filename:
                ours.append(f"{last}:{awaited.cr_frame.f_lineno}" if awaited.cr_frame else last)
        awaited = getattr(awaited, "cr_await", None)
    return (*ours, last)


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
