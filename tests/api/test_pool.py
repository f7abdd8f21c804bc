"""Who waits for a connection gets one in their turn, and only as long as there is hope."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from authapi.core import db
from authapi.core.settings import Settings
from tests.support.processes import free_port

SELECT = text("SELECT 1")
CONNECTIONS = 4


@pytest.fixture
async def engine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """Of one connection, for which nobody waits long."""
    monkeypatch.setattr(db, "POOL_TIMEOUT", 0.2)
    engine = db.engine(settings, size=1)
    yield engine
    await engine.dispose()


async def _use(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(SELECT)


async def test_nobody_is_passed_by_those_who_came_later(settings: Settings) -> None:
    engine = db.engine(settings, size=CONNECTIONS)
    numbers = itertools.count()
    served: list[int] = []

    async def go_on() -> None:
        for _ in range(40):
            number = next(numbers)
            async with engine.connect() as connection:
                served.append(number)
                await connection.execute(SELECT)

    await asyncio.gather(*(go_on() for _ in range(5 * CONNECTIONS)))
    await engine.dispose()
    assert max(place - number for place, number in enumerate(served)) <= CONNECTIONS


async def test_who_has_waited_too_long_is_told_to_come_back(engine: AsyncEngine) -> None:
    async with engine.connect():
        with pytest.raises(TimeoutError) as told:
            await _use(engine)
    assert db.is_unavailable(told.value)
    await _use(engine)


async def test_who_stops_waiting_takes_no_turn_along(engine: AsyncEngine) -> None:
    async with engine.connect():
        gone = asyncio.create_task(_use(engine))
        await asyncio.sleep(0.05)
        gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    for _ in range(3):
        await _use(engine)


async def test_a_connection_that_cannot_be_made_costs_no_turn(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"database_url": f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none"})
    engine = db.engine(nowhere, size=1)
    began = monotonic()
    for _ in range(3):
        with pytest.raises(OSError, match="Connect call failed"):
            await _use(engine)
    assert monotonic() - began < db.POOL_TIMEOUT
    await engine.dispose()
