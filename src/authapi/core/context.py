"""The outside world, in one frozen object that every use case takes first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from authapi.core import db, mail
from authapi.core.batches import Batcher
from authapi.core.clock import Clock, SystemClock
from authapi.core.driver import Driver
from authapi.core.hashing import Hasher
from authapi.core.limits import RateLimiter
from authapi.core.mail import Mail
from authapi.core.redis import GuardedRedis
from authapi.core.secrets import Random, SystemRandom, Vault
from authapi.core.settings import Settings
from authapi.core.signing import KeyRing

SHARED = 7
"""Connections for statements that callers share: one for each that is run often, or in a small pool half of what there
are."""


@dataclass(slots=True)
class Heard:
    """What this process last heard from Postgres about what all instances share (see `sessions.pulse`), and from its
    server."""

    epoch: int = -1
    at: float = float("-inf")
    """When the epoch was asked for, on the monotonic clock: what is old is not believed."""
    raised: int = 0
    """How often this process has learnt of an epoch by other ways than the beat, which may then be the older news."""
    keys_version: int = -1
    rebuilding: bool = False
    rebuild_after: float = 0.0
    catching_up: "asyncio.Task[None] | None" = None
    is_stopping: bool = False
    probes: int = 0
    """How often it was asked whether it is ready."""


@dataclass(frozen=True, slots=True)
class Context:
    """`db` opens transactions. `single` is for a statement that is a transaction of its own: one round trip. `driver`
    is for the few of those that are run all the time, `batcher` for those that many callers share."""

    settings: Settings
    clock: Clock
    random: Random
    vault: Vault
    db: async_sessionmaker[AsyncSession]
    single: AsyncEngine
    driver: Driver
    batcher: Batcher
    redis: GuardedRedis
    limiter: RateLimiter
    hasher: Hasher
    keyring: KeyRing
    mail: Mail
    heard: Heard = field(default_factory=Heard)

    async def close(self) -> None:
        self.hasher.close()
        await self.mail.close()
        await self.batcher.close()
        await self.redis.close()
        await self.driver.close()
        await self.single.dispose()


def build(settings: Settings, *, clock: Clock | None = None, random: Random | None = None) -> Context:
    """Nothing connects before it is needed. Raises Misconfigured."""
    random = random or SystemRandom()
    hot = settings.database_pool // 2
    shared = min(SHARED, hot // 2) if settings.prepared_statements and hot > 4 else 0
    engine = db.engine(settings, size=settings.database_pool - hot)
    driver = Driver(settings, size=hot - shared)
    redis = GuardedRedis(settings.redis_url, random)
    return Context(
        settings,
        clock or SystemClock(),
        random,
        Vault(settings),
        async_sessionmaker(engine, expire_on_commit=False),
        engine.execution_options(isolation_level="AUTOCOMMIT"),
        driver,
        Batcher(settings, driver, connections=shared),
        redis,
        RateLimiter(settings, redis),
        Hasher(settings),
        KeyRing(),
        mail.build(settings, redis),
    )


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """For what runs once and ends: a command, a job."""
    ctx = build(settings)
    try:
        yield ctx
    finally:
        await ctx.close()
