"""Sessions that ended before their access tokens did: in Redis for speed, in Postgres for truth.

Redis is believed only while its copy of the epoch is the one that Postgres holds. An empty, restarted or replaced
Redis has none; an end that could not be written to Redis raises the epoch in Postgres, which every instance reads
twice a second. Until some instance has rebuilt the copy, everybody asks Postgres.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import metrics, queue
from authapi.core.batches import Batched
from authapi.core.context import Context
from authapi.core.redis import EPOCH, LIFE, NAMESPACE, RedisDown, run_id
from authapi.core.settings import LONGEST_ACCESS_TOKEN
from authapi.sessions import store
from authapi.sessions.models import SharedState

REMEMBERED = LONGEST_ACCESS_TOKEN + 60
"""Seconds an end is told for: as long as any access token may live, by whatever settings, and some leeway."""

TOLD_AGAIN = 500
"""Ends of one person that are published at most; nobody may have more live sessions than that."""

STALE = 1.0
"""Seconds after which an epoch that was heard is no longer believed: the beat brings news twice as often."""

PAUSE = 0.25
"""Seconds between two tries to rebuild the copy, at least; up to twice that, by chance."""

MOST_FOR_A_REBUILD = 10
"""Seconds after which another may try, if the one that began was killed."""

REBUILDING = f"{NAMESPACE}:rebuilding"

FINISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
"""
"""Makes the copy count, unless Redis was emptied since it was begun: then the mark is gone with the rest."""

_RAISE = Batched(
    "nothing boolean",
    """
    WITH raised AS (UPDATE shared_state SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch)
    SELECT p.n, raised.epoch FROM {calls}, raised
    """,
)
"""Those who ask at the same time share one raise, which begins after each of them has asked."""

BATCH = 500
PUBLISH = "sessions.publish"

log = logging.getLogger(__name__)
_rebuilds: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class End:
    session_id: UUID
    at: datetime
    reason: str

    def text(self) -> str:
        return f"{self.reason} {self.at.isoformat()}"


async def ended(ctx: Context, session_id: UUID) -> tuple[str, datetime | None] | None:
    """(reason, when) if the session is over, else None. One round trip."""
    try:
        epoch, entry = await ctx.redis.read((EPOCH, _key(session_id)))
    except RedisDown:
        return await truth(ctx, session_id)
    if not is_current(ctx, epoch):
        rebuild_soon(ctx)
        return await truth(ctx, session_id)
    if time.monotonic() - ctx.heard.at > STALE:
        return await truth(ctx, session_id)
    metrics.REVOCATION_CHECKS.labels("redis").inc()
    if entry is None:
        return None
    reason, _, at = entry.decode().partition(" ")
    return reason, datetime.fromisoformat(at)


def is_current(ctx: Context, copied: bytes | str | None) -> bool:
    """Whether an epoch read from Redis is the one that Postgres holds, as far as this process has heard."""
    return copied is not None and copied.isdigit() and int(copied) == ctx.heard.epoch


async def truth(ctx: Context, session_id: UUID) -> tuple[str, datetime | None] | None:
    """The same, from Postgres."""
    metrics.REVOCATION_CHECKS.labels("postgres").inc()
    row = await store.end_of(ctx.single, session_id)
    if row is None:
        return "unknown", None
    return (row.end_reason, row.ended_at) if row.ended_at else None


async def lately(ctx: Context, tx: AsyncSession, which: Any) -> list[End]:
    """What has ended and whose access tokens may still be about, also what was to be published before and was not: of
    many the latest."""
    rows = await store.ended_within(tx, ctx.clock, REMEMBERED, which, limit=TOLD_AGAIN)
    return [End(row.id, row.ended_at, row.end_reason) for row in rows]


async def promise(tx: AsyncSession, user_id: UUID) -> None:
    """A step: the worker publishes what this transaction ends, too, should this process be gone before it could."""
    await queue.enqueue(tx, PUBLISH, user_id.bytes)


async def publish(ctx: Context, ends: Iterable[End]) -> None:
    """After the commit and before the answer: from here on no instance accepts these sessions' access tokens.

    Where Redis cannot be told, the epoch is raised instead, and the others notice with their next beat. Raises what the
    database raises if that fails too.
    """
    ends = list(ends)
    if not ends:
        return
    try:
        await _tell(ctx, ends)
    except RedisDown as error:
        log.warning("redis could not be told of ended sessions, so the epoch is raised", extra={"error": str(error)})
        raised = await ctx.batcher.row(_RAISE, None)
        _hear(ctx, raised.epoch)


async def _raise_epoch(ctx: Context) -> int:
    """No copy in any Redis is believed any more, until one is made under the new number."""
    async with ctx.db.begin() as tx:
        raised = update(SharedState).values(epoch=SharedState.epoch + 1).returning(SharedState.epoch)
        epoch = (await tx.scalars(raised)).one()
    _hear(ctx, epoch)
    return epoch


def _hear(ctx: Context, epoch: int) -> None:
    ctx.heard.epoch = epoch
    ctx.heard.raised += 1


async def _tell(ctx: Context, ends: Sequence[End]) -> None:
    for start in range(0, len(ends), BATCH):
        batch = ends[start : start + BATCH]
        await ctx.redis.tell([("SET", _key(end.session_id), end.text(), "EX", REMEMBERED) for end in batch])


def rebuild_soon(ctx: Context) -> None:
    """Starts a rebuild beside the request, unless one runs in this process."""
    if not ctx.heard.rebuilding and time.monotonic() >= ctx.heard.rebuild_after:
        ctx.heard.rebuilding = True
        task = asyncio.create_task(_rebuild_once(ctx))
        _rebuilds.add(task)
        task.add_done_callback(_rebuilds.discard)


async def _rebuild_once(ctx: Context) -> None:
    try:
        if await rebuild(ctx):
            log.info("redis has a complete copy of the ended sessions again")
    except Exception as error:  # the next request that finds the epoch wrong tries again
        log.warning("redis could not be rebuilt yet", extra={"error": type(error).__name__})
    finally:
        ctx.heard.rebuilding = False
        ctx.heard.rebuild_after = time.monotonic() + PAUSE * (1 + ctx.random.fraction())


async def rest() -> None:
    """Waits for the rebuilds that are under way, before what they use is closed."""
    await asyncio.gather(*_rebuilds)


async def rebuild(ctx: Context) -> bool:
    """Copies every end that is remembered to Redis, then an epoch of its own, which makes the copy count.

    The epoch is raised for each copy, so that of two servers (one promoted, one cut off) only one is believed.
    Returns False where another instance is at it, or Redis lost the copy meanwhile. Raises RedisDown.
    """
    async with ctx.db() as tx:
        _hear(ctx, (await tx.scalars(select(SharedState.epoch))).one())
    copied = await ctx.redis.ask(lambda redis: redis.get(EPOCH))
    if is_current(ctx, copied):  # it was this process that was behind
        return True
    life, mark = await ctx.redis.ask(run_id), ctx.random.token()
    if not await ctx.redis.ask(lambda redis: redis.set(REBUILDING, mark, ex=MOST_FOR_A_REBUILD, nx=True)):
        return False
    epoch = await _raise_epoch(ctx)
    async with ctx.db() as tx:
        rows = await store.ended_within(tx, ctx.clock, REMEMBERED)
    ends = [End(row.id, row.ended_at, row.end_reason) for row in rows]
    await _tell(ctx, ends)
    return await ctx.redis.ask(lambda redis: _finish(redis, epoch, life, mark))


async def _finish(redis: Redis, epoch: int, life: bytes, mark: str) -> bool:
    """`life` and `mark` are from before the ends were read: without either, Redis has not heard of them all."""
    if await run_id(redis) != life:
        return False
    return bool(await redis.eval(FINISH, 3, REBUILDING, LIFE, EPOCH, mark, life, epoch))


def _key(session_id: UUID) -> str:
    return f"{NAMESPACE}:ended:{session_id.hex}"
