"""The faults, each as a block: it is broken inside, and as good as before after it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import asyncpg

from tests.support.faults.parts import Parts

Fault = Callable[[Parts], AbstractAsyncContextManager[None]]

SLOW = 0.02
"""Seconds that each chunk takes longer."""


@asynccontextmanager
async def kill_app(parts: Parts) -> AsyncIterator[None]:
    victim = parts.any_instance()
    await asyncio.to_thread(victim.end, signal.SIGKILL)
    yield
    await asyncio.to_thread(victim.start)


@asynccontextmanager
async def kill_worker(parts: Parts) -> AsyncIterator[None]:
    await asyncio.to_thread(parts.worker.end, signal.SIGKILL)
    yield
    await asyncio.to_thread(parts.worker.start)


@asynccontextmanager
async def kill_postgres(parts: Parts) -> AsyncIterator[None]:
    parts.kill_postgres()
    yield
    await parts.start_postgres()


@asynccontextmanager
async def kill_valkey(parts: Parts) -> AsyncIterator[None]:
    """It comes back empty."""
    parts.send_valkey(signal.SIGKILL)
    yield
    await parts.start_valkey()


@asynccontextmanager
async def freeze_app(parts: Parts) -> AsyncIterator[None]:
    victim = parts.any_instance()
    victim.send(signal.SIGSTOP)
    yield
    victim.send(signal.SIGCONT)


@asynccontextmanager
async def freeze_worker(parts: Parts) -> AsyncIterator[None]:
    parts.worker.send(signal.SIGSTOP)
    yield
    parts.worker.send(signal.SIGCONT)


@asynccontextmanager
async def freeze_postgres(parts: Parts) -> AsyncIterator[None]:
    parts.send_postgres(signal.SIGSTOP)
    yield
    parts.send_postgres(signal.SIGCONT)


@asynccontextmanager
async def freeze_valkey(parts: Parts) -> AsyncIterator[None]:
    parts.send_valkey(signal.SIGSTOP)
    yield
    parts.send_valkey(signal.SIGCONT)


@asynccontextmanager
async def flush(parts: Parts) -> AsyncIterator[None]:
    """FLUSHALL, again and again."""

    async def empty() -> None:
        while True:
            async with parts.redis() as redis:
                await redis.flushall()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(empty())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def fill_valkey(parts: Parts) -> AsyncIterator[None]:
    """It has more than it may have, and refuses to write (`noeviction`)."""
    async with parts.redis() as redis:
        await redis.config_set("maxmemory", "1")
        yield
        await redis.config_set("maxmemory", "0")


@asynccontextmanager
async def read_only(parts: Parts) -> AsyncIterator[None]:
    """As a server that was demoted, or that its operator has locked; connections that are open hear of it, too."""
    await parts.rows("ALTER SYSTEM SET default_transaction_read_only = on")
    await parts.rows("SELECT pg_reload_conf()")
    yield
    await parts.rows("ALTER SYSTEM RESET default_transaction_read_only")
    await parts.rows("SELECT pg_reload_conf()")


@asynccontextmanager
async def lock_tables(parts: Parts) -> AsyncIterator[None]:
    """Somebody holds what every refresh and sign-in needs, so that the pools run dry."""
    connection = await asyncpg.connect(parts.dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
    yield
    await transaction.rollback()
    await connection.close()


@asynccontextmanager
async def cut_connections(parts: Parts) -> AsyncIterator[None]:
    """To Postgres and Valkey, again and again."""

    async def cut() -> None:
        while True:
            parts.to_postgres.cut()
            parts.to_valkey.cut()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(cut())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def stall_network(parts: Parts) -> AsyncIterator[None]:
    for proxy in (parts.to_postgres, parts.to_valkey):
        proxy.stall()
    yield
    for proxy in (parts.to_postgres, parts.to_valkey):
        await proxy.heal()


@asynccontextmanager
async def slow_network(parts: Parts) -> AsyncIterator[None]:
    for proxy in (parts.to_postgres, parts.to_valkey):
        proxy.delay = SLOW
    yield
    for proxy in (parts.to_postgres, parts.to_valkey):
        await proxy.heal()


@asynccontextmanager
async def refuse_connections(parts: Parts) -> AsyncIterator[None]:
    for proxy in (parts.to_postgres, parts.to_valkey):
        await proxy.refuse()
    yield
    for proxy in (parts.to_postgres, parts.to_valkey):
        await proxy.heal()
