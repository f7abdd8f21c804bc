"""Migrations lock no table that people need for longer than a second, however many rows it has."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from authapi import migrations
from tests.support.proof import Prove
from tests.support.upgrade_locks import Watch, fill

LONGEST = 1.0
"""Seconds."""

FIRST = "2026_11_20_1203"
"""Here all tables are there that people need all the time."""

PEOPLE, EACH = 50_000, 4
FEW = 1_000
"""People, in a run that is no proof."""


@pytest.fixture
async def plain(database: str) -> str:
    """For the driver itself: a database at the first revision."""
    await asyncio.to_thread(migrations.up, database, FIRST)
    return database.replace("+asyncpg", "")


@pytest.mark.timeout(300)
async def test_no_step_of_the_migrations_locks_what_people_need_for_a_second(
    database: str, plain: str, is_proof: bool, prove: Prove
) -> None:
    connection = await asyncpg.connect(plain)
    people = PEOPLE if is_proof else FEW
    await fill(connection, people=people, each=EACH)
    watch = Watch(plain)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(migrations.up, database)
        await watch.until(run.done)
        run.result()
    assert await connection.fetchval("SELECT count(*) FROM audit_events WHERE chain IS NULL") == 0
    await connection.close()
    prove(
        "U-locks",
        f"every migration since {FIRST} on {people:,} people with {people * EACH:,} sessions and as many audit events,"
        " while others write",
        number=f"{watch.held:.3f} s at most, by {watch.looks:,} looks; a statement beside it {watch.longest:.3f} s",
        bar=f"no lock that keeps writers out for {LONGEST:.0f} s",
        passed=0 < watch.held < LONGEST,
    )


async def test_a_step_that_cannot_have_its_lock_gives_way_and_comes_back(
    database: str, plain: str, prove: Prove
) -> None:
    reader = await asyncpg.connect(plain)
    await fill(reader, people=10, each=1)
    long = reader.transaction()
    await long.start()
    await reader.fetch("SELECT FROM users LIMIT 1")
    watch = Watch(plain)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(migrations.up, database)
        await watch.until(lambda: run.done() or watch.waited > 50)
        came_too_soon = run.done()
        await long.rollback()
        again = Watch(plain)
        await again.until(run.done)
        run.result()
    await reader.close()
    prove(
        "U-gives-way",
        "somebody's long transaction holds what a migration wants",
        number=f"a statement beside it took {watch.longest:.3f} s, the migration went on afterwards",
        bar=f"nobody waits for {LONGEST:.0f} s behind it",
        passed=watch.longest < LONGEST and not came_too_soon,
    )
