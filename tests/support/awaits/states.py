"""Everything that the database holds, and what became another between two looks at it."""

import asyncio
import gc
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import asyncpg

from authapi.core.context import Context
from authapi.core.db import Table

State: TypeAlias = dict[str, dict[Any, Mapping[str, Any]]]
"""The rows of each table by their keys."""

Change: TypeAlias = Counter[str]
"""How many rows each table won, lost and has otherwise: `sessions ~ ended_at, end_reason`."""

UNSEEN = {
    "sign_in_failures",  # a try is counted before its password is looked at, and is so whatever becomes of it
    "audit_chains",  # follow the events; at the end their chains are verified
    "shared_state",
}
JOBS = "jobs.pgqueuer"
KINDS = {"audit_events": "name", "messages": "kind", "one_time_secrets": "purpose", JOBS: "entrypoint"}

_SERVED = """
    SELECT count(*) AS all, count(*) FILTER (WHERE state IS DISTINCT FROM 'idle') AS busy FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'authapi'
"""


async def look(connection: "asyncpg.Connection[asyncpg.Record]", ctx: Context) -> State:
    """Once the server has done all that it was sent, also by connections that were closed since."""
    while True:
        served = await connection.fetchrow(_SERVED)
        assert served is not None
        if not served["busy"] and served["all"] <= _open(ctx):
            break
        gc.collect()  # what broke off just when it had connected is closed with the object that nobody has
        await asyncio.sleep(0.002)
    keys = {table.name: [column.name for column in table.primary_key] for table in Table.metadata.sorted_tables} | {
        JOBS: ["id"]
    }
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return {
            name: {
                tuple(row[each] for each in key): dict(row) for row in await connection.fetch(f"SELECT * FROM {name}")
            }
            for name, key in keys.items()
            if name not in UNSEEN
        }


def _open(ctx: Context) -> int:
    """Connections that the service keeps, none of them lent."""
    kept = ctx.db.kw["bind"].pool._pool._queue._queue
    idle = len(ctx.driver._idle) + len(ctx.batcher._impatient._idle)
    return idle + sum(record.dbapi_connection is not None for record in kept)


def lent(ctx: Context) -> int:
    """Connections of the driver."""
    free = ctx.driver._permits._value + ctx.batcher._impatient._permits._value
    return ctx.settings.database_pool // 2 - free


def change(before: State, after: State) -> Change:
    found: Change = Counter()
    for table, rows in after.items():
        was = before[table]
        found.update(_named(table, "+", row) for key, row in rows.items() if key not in was)
        found.update(_named(table, "-", row) for key, row in was.items() if key not in rows)
        for key in rows.keys() & was.keys():
            columns = sorted(name for name, value in rows[key].items() if was[key][name] != value)
            if columns:
                found[f"{table} ~ {', '.join(columns)}"] += 1
    return found


def _named(table: str, sign: str, row: Mapping[str, Any]) -> str:
    return f"{table} {sign} {row[KINDS[table]]}" if table in KINDS else f"{table} {sign}"
