"""How the service is: which part of it works, and what that means."""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import text

from authapi.core import db
from authapi.core.context import Context
from authapi.core.redis import EPOCH, RedisDown
from authapi.sessions import denylist

FRESH = 1.5
"""Seconds in which the last beat says enough of Postgres."""

Mode: TypeAlias = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """`degraded`: everything works, some of it more slowly. `down`: only what needs no database works, or it stops."""

    mode: Mode
    parts: dict[str, str]


async def readiness(ctx: Context) -> Readiness:
    ctx.heard.probes += 1
    if ctx.heard.is_stopping:
        return Readiness("down", {"process": "stopping"})
    postgres, redis = await asyncio.gather(_postgres(ctx), _redis(ctx))
    mode: Mode = "down" if postgres != "ok" else "ok" if redis == "ok" else "degraded"
    return Readiness(mode, {"postgres": postgres, "redis": redis})


async def _postgres(ctx: Context) -> str:
    """Asked only when the last beat is old: whoever may probe as often as they like costs the database nothing."""
    if time.monotonic() - ctx.heard.at < FRESH:
        return "ok"
    try:
        async with ctx.single.connect() as connection:
            await connection.execute(text("SELECT epoch FROM shared_state"))
    except Exception as error:
        return "unreachable" if db.is_unavailable(error) else "not migrated"
    return "ok"


async def _redis(ctx: Context) -> str:
    try:
        epoch = await ctx.redis.ask(lambda redis: redis.get(EPOCH))
    except RedisDown:
        return "unreachable"
    if denylist.is_current(ctx, epoch):
        return "ok"
    denylist.rebuild_soon(ctx)
    return "rebuilding"
