"""What is done from time to time reads the rows it is for, however many others there are."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import store as audit
from authapi.codes import store as codes
from authapi.core.clock import Clock
from authapi.core.context import Context
from authapi.outbox import store as outbox

ROWS = 60_000
"""Of everything, in no order; they grow old in twenty days."""

BATCH = 100
FEW = 4 * BATCH
"""More than a batch, because a row is looked for, locked and then changed."""

TABLES = "messages, one_time_secrets, audit_events"
AGES = f"(SELECT n, now() - n * interval '20 days' / {ROWS} AS at FROM generate_series(1, {ROWS}) n ORDER BY random())"
FILL = (
    f"""
    INSERT INTO messages (id, kind, recipient, locale, state, tries, deaths, created_at, due_at, expires_at,
                          finished_at)
    SELECT gen_random_uuid(), 'verify_address', '', 'en', 'sent', 1, 0, at, at, at, at FROM {AGES} AS sent
    """,
    f"""
    INSERT INTO messages (id, kind, recipient, locale, sealed, state, tries, deaths, created_at, due_at, expires_at)
    SELECT gen_random_uuid(), 'verify_address', '', 'en', '', 'queued', 1, 0, at, at + interval '30 days', at
      FROM {AGES} AS queued
    """,
    f"""
    INSERT INTO one_time_secrets (id, purpose, digest, binding, tries, created_at, expires_at)
    SELECT gen_random_uuid(), 'verify_address', uuid_send(gen_random_uuid()), '', 0, at, at + interval '30 days'
      FROM {AGES} AS pending
    """,
    f"""
    INSERT INTO audit_events (id, name, at, ip, user_agent, request_id, data, chain, seq, salt, client_hash, hash)
    SELECT gen_random_uuid(), 'sign_in.passed', at, '203.0.113.9', '', '', '{{}}', 1, n, gen_random_uuid(), '', ''
      FROM {AGES} AS passed
    """,
)
"""Nothing of it is to be done anything about."""

READ = text("""
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables
     WHERE relname = ANY(string_to_array(:tables, ', '))
""")

Deed = Callable[[AsyncSession, Clock], Awaitable[Any]]

DEEDS: dict[str, Deed] = {
    "lost messages": lambda tx, clock: outbox.lost(tx, clock, batch=BATCH),
    "texts to wipe": lambda tx, clock: outbox.wipe(tx, clock, kept=timedelta(days=7), batch=BATCH),
    "messages to delete": lambda tx, clock: outbox.purge(tx, clock, kept=timedelta(days=30), batch=BATCH),
    "outcomes of some minutes": lambda tx, clock: outbox.outcomes(tx, clock, within=timedelta(minutes=20)),
    "secrets to delete": lambda tx, clock: codes.purge(tx, clock, kept=0, batch=BATCH),
    "clients to take off": lambda tx, _: audit.blank(tx, age=timedelta(days=30), batch=BATCH),
}
BACKLOG = (
    "UPDATE messages SET due_at = due_at - interval '60 days' WHERE state = 'queued'",
    "UPDATE messages SET finished_at = finished_at - interval '40 days', state = 'failed', sealed = '' "
    "WHERE state = 'sent'",
    "UPDATE one_time_secrets SET spent_at = now() WHERE created_at > now() - interval '10 days'",
    "UPDATE one_time_secrets SET expires_at = created_at WHERE created_at < now() - interval '10 days'",
    "UPDATE audit_events SET at = at - interval '40 days'",
)
"""All of it is, and much more than a batch."""


@pytest.fixture
async def full(ctx: Context) -> AsyncIterator[Context]:
    await do(ctx, *FILL, "ANALYZE " + TABLES)
    yield ctx
    await do(ctx, "TRUNCATE " + TABLES)


async def do(ctx: Context, *statements: str) -> None:
    """As the owner of the database, past every trigger, and however long it takes."""
    connection = await asyncpg.connect(ctx.settings.database_url.replace("+asyncpg", ""))
    try:
        for statement in ("SET session_replication_role = replica", *statements):
            await connection.execute(statement)
    finally:
        await connection.close()


async def read_for(ctx: Context, deed: Deed) -> int:
    """How many rows. It is rolled back."""
    async with ctx.db() as tx:
        await tx.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))  # they count for themselves
        before = (await tx.scalars(READ, {"tables": TABLES})).one()
        await deed(tx, ctx.clock)
        return int((await tx.scalars(READ, {"tables": TABLES})).one() - before)


async def test_what_is_not_due_is_not_read(full: Context) -> None:
    read = {name: await read_for(full, deed) for name, deed in DEEDS.items()}
    assert {name: rows for name, rows in read.items() if rows > FEW} == {}


async def test_of_what_is_due_a_batch_is_read(full: Context) -> None:
    await do(full, *BACKLOG, "ANALYZE " + TABLES)
    read = {name: await read_for(full, deed) for name, deed in DEEDS.items()}
    assert {name: rows for name, rows in read.items() if not BATCH <= rows <= FEW and "outcomes" not in name} == {}
