"""A Postgres and a Valkey of the harness's own, durable, on the load's core; and what they count."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
import redis

from authapi.local import postgres, valkey
from authapi.local.postgres import Postgres
from authapi.local.valkey import Valkey
from benchmarks.peers import BENCH

SERVER_CORE = 0
LOAD_CORE = 1
OPTIONS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.save": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
    "shared_buffers": "512MB",
}
"""To make a checkpoint and to vacuum is ours: WAL is counted for the whole server, so what of it fell into somebody's
round, for whatever tables, would be written down as theirs."""

COUNTERS = """
SELECT pg_current_wal_lsn() - '0/0' AS wal, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS writes,
    (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements JOIN pg_database ON dbid = oid WHERE datname = $1) AS calls
"""


@dataclass(frozen=True, slots=True)
class Counted:
    wal: int
    """Bytes."""
    writes: int
    """Transactions that wrote, so were made durable: a transaction that only read has no number."""
    statements: int
    """With BEGIN and COMMIT, so nearly the round trips."""
    commands: int
    """Of Redis, those that scripts call among them."""

    def __sub__(self, other: "Counted") -> "Counted":
        return Counted(
            self.wal - other.wal,
            self.writes - other.writes,
            self.statements - other.statements,
            self.commands - other.commands,
        )


@dataclass(frozen=True, slots=True)
class Backends:
    postgres: Postgres
    valkey: Valkey

    def fresh(self, database: str, number: int) -> dict[str, str]:
        """An empty database and an empty Redis: the environment that leads to them."""
        asyncio.run(self._fresh(database))
        client = redis.Redis(port=self.valkey.port, db=number)
        client.flushdb()
        client.close()
        url = self.postgres.url(database).replace("+asyncpg", "")
        return {"DATABASE_URL": url, "REDIS_URL": self.valkey.url(number)}

    def counted(self, database: str) -> Counted:
        row = asyncio.run(self._row(COUNTERS, database))
        client = redis.Redis(port=self.valkey.port)
        stats: dict[str, dict[str, int]] = client.info("commandstats")
        client.close()
        ours = ("cmdstat_info", "cmdstat_client|setinfo", "cmdstat_ping", "cmdstat_select")
        commands = sum(stat["calls"] for name, stat in stats.items() if name not in ours)
        return Counted(int(row["wal"]), int(row["writes"]), int(row["calls"]), commands)

    def run(self, database: str, *statements: str) -> None:
        asyncio.run(self._execute(*statements, database=database))

    def value(self, database: str, query: str) -> float:
        return float(asyncio.run(self._row(query, database=database))[0])

    def text(self, database: str, query: str) -> str:
        return str(asyncio.run(self._row(query, database=database))[0])

    async def _connect(self, database: str = "postgres") -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self.postgres.url(database).replace("+asyncpg", ""))

    async def _execute(self, *statements: str, database: str = "postgres") -> None:
        connection = await self._connect(database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _row(self, query: str, *arguments: str, database: str = "postgres") -> asyncpg.Record:
        connection = await self._connect(database)
        try:
            row = await connection.fetchrow(query, *arguments)
        finally:
            await connection.close()
        assert row is not None
        return row

    async def _fresh(self, database: str) -> None:
        await self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}"')


def pin() -> bool:
    """This process, and so the databases and the load, to their core. False where there is only one."""
    if len(os.sched_getaffinity(0)) < 2:
        return False
    os.sched_setaffinity(0, {LOAD_CORE})
    return True


@contextmanager
def backends() -> Iterator[Backends]:
    """Both stop with the run, unless they ran before."""
    BENCH.mkdir(exist_ok=True)
    database = postgres.start(BENCH / "postgres", durable=True, options=OPTIONS)
    try:
        memory = valkey.start(BENCH / "valkey", durable=True)
        try:
            both = Backends(database, memory)
            both.run("postgres", "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            yield both
        finally:
            if memory.started:
                memory.stop()
    finally:
        if database.started:
            database.stop()
