"""Threads beside the event loop: each call is answered once, or raises, or is left out."""

import asyncio
import threading
import time
from asyncio import Task
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import partial

import pytest

from authapi.core.threads import TOGETHER, Threads
from tests.support.gates import Gate, until

told: list[int] = []
prepared: list[str] = []
who: ContextVar[str] = ContextVar("who")


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    told.clear()
    prepared.clear()
    made = Threads("test", 2, prepare=lambda: prepared.append(threading.current_thread().name), gauge=told.append)
    yield made
    made.close()


async def test_a_call_returns_and_raises_as_if_it_were_made_here(threads: Threads) -> None:
    who.set("the caller")
    assert await threads.run(lambda: divmod(7, 2)) == (3, 1)
    assert await threads.run(who.get) == "the caller"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: divmod(7, 0))
    assert (threads.pending, told) == (0, [1, -1] * 3)


async def test_threads_are_started_only_when_they_are_needed_and_never_more(threads: Threads) -> None:
    assert prepared == []
    for _ in range(3):
        await threads.run(int)
    assert prepared == ["test_0"]
    gate = Gate()
    callers = [asyncio.create_task(threads.run(gate.work)) for _ in range(9)]
    await until(lambda: len(prepared) == 2)
    gate.opened.set()
    assert sorted(await asyncio.gather(*callers)) == [*range(1, 10)]
    assert sorted(prepared) == ["test_0", "test_1"]
    assert max(told) == 1
    assert threads.pending == 0


async def one_behind_two(threads: Threads, gate: Gate, behind: Gate) -> tuple[list[Task[int]], Task[int]]:
    busy = [asyncio.create_task(threads.run(gate.work)) for _ in range(2)]
    queued = asyncio.create_task(threads.run(behind.work))
    await until(lambda: threads.pending == 3 and len(threads._queued) == 1)
    return busy, queued


async def test_what_nobody_wants_any_more_is_not_begun(threads: Threads) -> None:
    gate, unwanted = Gate(), Gate()
    busy, queued = await one_behind_two(threads, gate, unwanted)
    queued.cancel()
    busy[0].cancel()
    await until(lambda: threads.pending == 2)
    gate.opened.set()
    assert await busy[1] in (1, 2)
    await until(lambda: threads.pending == 0)
    assert (gate.done, unwanted.done) == (2, 0)


async def test_what_was_just_given_up_is_not_begun_even_if_a_thread_is_free_first(threads: Threads) -> None:
    gate, unwanted = Gate(), Gate()
    busy, queued = await one_behind_two(threads, gate, unwanted)
    queued.cancel()
    gate.opened.set()
    deadline = time.monotonic() + 5
    while threads._queued and time.monotonic() < deadline:  # the loop stands still, so it is the thread's turn
        time.sleep(0.001)  # noqa: ASYNC251
    assert not threads._queued
    await asyncio.gather(*busy)
    await until(lambda: threads.pending == 0)
    assert (gate.done, unwanted.done) == (2, 0)


class Line:
    """Calls on one thread, each of which ends when it is told to."""

    def __init__(self, threads: Threads, calls: int) -> None:
        self._threads, self._gates = threads, [Gate() for _ in range(calls)]
        self.callers = [asyncio.create_task(threads.run(gate.work)) for gate in self._gates]

    async def let(self, number: int) -> None:
        """Lets the call end, and everything happen that then happens at once."""
        self._gates[number].opened.set()
        later = len(self._gates) - number - 2
        await until(lambda: len(self._threads._queued) <= max(later, 0) and self._gates[number].done == 1)
        await asyncio.sleep(0.02)

    @property
    def answered(self) -> int:
        return sum(caller.done() for caller in self.callers)


@pytest.fixture
async def single() -> AsyncIterator[Threads]:
    made = Threads("test", 1, prepare=int, gauge=int)
    yield made
    made.close()


async def test_answers_go_together_as_long_as_many_wait_and_one_by_one_then(single: Threads) -> None:
    line = Line(single, 11)
    answered = []
    for number in range(11):
        await line.let(number)
        answered.append(line.answered)
    assert TOGETHER == 4
    assert answered == [0, 0, 0, 4, 4, 4, 4, 8, 9, 10, 11]


async def test_an_answer_that_waits_for_others_goes_when_they_leave_the_queue(single: Threads) -> None:
    line = Line(single, 8)
    await line.let(0)
    assert line.answered == 0
    for caller in line.callers[2:]:
        caller.cancel()
    await line.let(1)
    assert await asyncio.gather(*line.callers[:2]) == [1, 1]


async def test_an_answer_that_waits_for_others_survives_closing(single: Threads) -> None:
    line = Line(single, 8)
    await line.let(0)
    single.close()
    await line.let(1)
    assert await asyncio.gather(*line.callers[:2]) == [1, 1]
    assert single.pending == 0


async def test_what_is_no_call_can_be_answered_with_those_that_are(single: Threads) -> None:
    await asyncio.wait_for(single.handed_over(), 1)
    line = Line(single, 8)
    await line.let(0)
    beside = asyncio.create_task(single.handed_over())
    for number in (1, 2):
        await line.let(number)
        assert not beside.done()
    await line.let(3)
    assert beside.done()
    for number in range(4, 8):
        await line.let(number)


@pytest.mark.parametrize("is_closed", [False, True])
async def test_who_waits_beside_calls_goes_on_when_all_of_them_leave(*, is_closed: bool) -> None:
    gate = Gate()
    threads = Threads("test", 1, prepare=gate.work, gauge=int)
    calls = [asyncio.create_task(threads.run(int)) for _ in range(TOGETHER)]
    await asyncio.sleep(0)
    beside = asyncio.create_task(threads.handed_over())
    await asyncio.sleep(0)
    assert not beside.done()
    if is_closed:
        threads.close()
    else:
        for call in calls:
            call.cancel()
    await asyncio.wait_for(beside, 5)
    gate.opened.set()
    threads.close()


async def test_what_no_future_takes_is_an_error_and_holds_up_nobody(single: Threads) -> None:
    gate = Gate()
    busy = asyncio.create_task(single.run(gate.work))
    calls = [asyncio.create_task(single.run(lambda: next(iter(())))), asyncio.create_task(single.run(int))]
    await until(lambda: single.pending == 3)
    gate.opened.set()
    assert await busy == 1
    with pytest.raises(RuntimeError):
        await calls[0]
    assert await calls[1] == 0


async def test_a_check_comes_first_and_what_it_raises_is_the_answer(single: Threads) -> None:
    who.set("the caller")
    done: list[str] = []
    assert await single.run(lambda: len(done), check=lambda: done.append(who.get())) == 1
    assert done == ["the caller"]
    with pytest.raises(ZeroDivisionError):
        await single.run(lambda: done.append("never"), check=lambda: 1 // 0)
    with pytest.raises(RuntimeError):
        await single.run(lambda: done.append("never"), check=lambda: next(iter(())))
    assert (done, single.pending) == (["the caller"], 0)


async def busy_with(threads: Threads, gate: Gate) -> Task[int]:
    caller = asyncio.create_task(threads.run(gate.work))
    await until(lambda: threads.pending == 1 and not threads._queued)
    return caller


async def test_all_checks_that_are_there_are_made_before_any_call(single: Threads) -> None:
    gate, done = Gate(), list[str]()
    busy = await busy_with(single, gate)
    calls = [asyncio.create_task(single.run(partial(done.append, "plain")))]
    for name in "ab":
        check, call = (partial(done.append, f"{each} {name}") for each in ("check", "call"))
        calls.append(asyncio.create_task(single.run(call, check=check)))
    await until(lambda: single.pending == 4)
    gate.opened.set()
    await asyncio.gather(busy, *calls)
    assert done == ["check a", "check b", "plain", "call a", "call b"]


async def test_what_its_check_refuses_waits_for_nobody(single: Threads) -> None:
    gate, others = Gate(), Gate()
    busy = await busy_with(single, gate)
    queued = [asyncio.create_task(single.run(others.work)) for _ in range(TOGETHER + 1)]
    refused = asyncio.create_task(single.run(int, check=lambda: 1 // 0))
    await until(lambda: single.pending == TOGETHER + 3)
    gate.opened.set()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(refused, 5)
    assert not any(call.done() for call in queued)
    others.opened.set()
    await asyncio.gather(busy, *queued)


async def test_what_is_given_up_before_or_after_its_check_goes_no_further(single: Threads) -> None:
    gate, checks, done = Gate(), [Gate(), Gate()], list[str]()
    busy = await busy_with(single, gate)
    calls = [asyncio.create_task(single.run(lambda: done.append("call"), check=check.work)) for check in checks]
    await until(lambda: single.pending == 3)
    calls[0].cancel()
    await until(lambda: single.pending == 2)
    gate.opened.set()
    await busy
    await until(lambda: len(single._checks) == 0)
    calls[1].cancel()
    await until(lambda: single.pending == 0)
    checks[1].opened.set()
    await single.run(int)
    assert ([check.done for check in checks], done) == ([0, 1], [])


async def test_after_closing_nothing_is_begun_and_nobody_waits() -> None:
    threads, gate, queued = Threads("test", 1, prepare=int, gauge=int), Gate(), Gate()
    under_way = asyncio.create_task(threads.run(gate.work))
    behind = asyncio.create_task(threads.run(queued.work))
    await until(lambda: threads.pending == 2 and len(threads._queued) == 1)
    threads.close()
    gate.opened.set()
    assert await under_way == 1
    with pytest.raises(asyncio.CancelledError):
        await behind
    with pytest.raises(RuntimeError):
        await threads.run(int)
    assert (queued.done, threads.pending) == (0, 0)


def test_work_that_ends_after_its_loop_is_counted_off() -> None:
    threads, gate = Threads("test", 1, prepare=int, gauge=int), Gate()

    async def leave() -> None:
        task = asyncio.create_task(threads.run(gate.work))
        await until(lambda: threads.pending == 1 and not threads._queued)
        task.cancel()

    asyncio.run(leave())
    gate.opened.set()
    asyncio.run(until(lambda: threads.pending == 0))
    assert threads.pending == 0
    threads.close()
