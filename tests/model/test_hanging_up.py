"""Postgres hangs up on idle connections: what is asked just then is told to come back, and nothing else (I15)."""

import asyncio
from collections.abc import Callable

import asyncpg

from authapi.core import db
from authapi.core.driver import Driver
from authapi.core.settings import Settings

CONNECTIONS = 8


async def test_a_connection_that_is_just_being_closed_is_no_fault_of_ours(settings: Settings) -> None:
    driver = Driver(settings, size=CONNECTIONS)
    other = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
    refused: list[BaseException] = []
    for _ in range(20):
        await _asked_at_once(driver, "SELECT pg_backend_pid() AS pid, pg_sleep(0.02)", refused.append)
        closed = asyncio.create_task(
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database() AND application_name = 'authapi'"
            )
        )
        while not closed.done():
            await _asked_at_once(driver, "SELECT 1", refused.append)
        for _ in range(50):
            await _asked_at_once(driver, "SELECT 1", refused.append)
    await other.close()
    await driver.close()
    assert refused, "nobody was cut off, so this test proves nothing"
    assert [error for error in refused if not db.is_unavailable(error)] == []


async def _asked_at_once(driver: Driver, statement: str, refused: Callable[[BaseException], None]) -> None:
    answers = await asyncio.gather(*(driver.row(statement) for _ in range(CONNECTIONS)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            refused(answer)
