"""Callers who ask the same thing at the same time share a trip. With Postgres: tests/api/test_batches.py."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from authapi.core.sharing import Shared

who: ContextVar[str] = ContextVar("who", default="nobody")


class Party:
    """Doubles what it is asked, when it is let."""

    def __init__(self) -> None:
        self.trips: list[tuple[str, list[int]]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.error: Exception | None = None
        self.missing = 0

    async def one(self, number: int) -> int:
        (answer,) = await self.many([number])
        return answer

    async def many(self, numbers: Sequence[int]) -> Sequence[int]:
        self.trips.append((who.get(), list(numbers)))
        await self.may_go.wait()
        if self.error is not None:
            raise self.error
        return [2 * number for number in numbers][self.missing :]


async def test_who_comes_at_the_same_time_and_who_comes_meanwhile_share_trips() -> None:
    party = Party()
    shared = Shared(party.one, party.many)
    assert await shared.ask(1) == 2
    party.may_go.clear()
    first = [asyncio.create_task(shared.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared.ask(number)) for number in (4, 5, 6)]
    await asyncio.sleep(0.01)
    party.may_go.set()
    assert await asyncio.gather(*first, *later) == [4, 6, 8, 10, 12]
    assert [numbers for _, numbers in party.trips] == [[1], [2, 3], [4, 5, 6]]


async def test_a_shared_trip_is_nobodys_and_a_lone_one_its_callers() -> None:
    who.set("the caller")
    party = Party()
    shared = Shared(party.one, party.many)
    await shared.ask(1)
    await asyncio.gather(shared.ask(2), shared.ask(3))
    assert [name for name, _ in party.trips] == ["the caller", "nobody"]


async def test_an_error_is_everybodys_and_too_few_answers_are_one() -> None:
    party = Party()
    shared = Shared(party.one, party.many)
    party.error = OSError("gone")
    outcomes = await asyncio.gather(*map(shared.ask, (1, 2, 3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    party.error, party.missing = None, 1
    calls = asyncio.gather(*map(shared.ask, (1, 2, 3)), return_exceptions=True)
    *_, last = await asyncio.wait_for(calls, 5)
    assert isinstance(last, ValueError)
    party.missing = 0
    assert await shared.ask(4) == 8


async def test_who_has_lost_patience_is_refused_and_nobody_else() -> None:
    party = Party()
    shared = Shared(party.one, party.many, patience=0.1)
    party.may_go.clear()
    slow = asyncio.create_task(shared.ask(1))
    await asyncio.sleep(0.01)
    late = asyncio.create_task(shared.ask(2))
    await asyncio.sleep(0.2)
    soon = asyncio.create_task(shared.ask(3))
    await asyncio.sleep(0)
    party.may_go.set()
    with pytest.raises(TimeoutError):
        await late
    assert (await slow, await soon) == (2, 6)
    assert [numbers for _, numbers in party.trips] == [[1], [3]]
