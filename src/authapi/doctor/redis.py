"""What Redis tells: whether it can be reached in time, what it does when it is full, whether its copy is complete."""

import asyncio
from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from authapi.core import urls
from authapi.core.context import Context
from authapi.core.redis import EPOCH, OPERATION_TIMEOUT, RedisDown
from authapi.doctor.findings import Finding, error, ok, warning
from authapi.sessions.models import SharedState

OLDEST = 6
TRIES = 3
VANISHES = (
    "when memory is short, counters and the list of ended sessions vanish, so limits begin anew and access tokens of "
    "ended sessions pass again until they expire."
)


async def probe(ctx: Context) -> list[Finding]:
    try:
        info = await _ask(ctx)
        delay = await _delay(ctx)
        epoch = await ctx.redis.ask(lambda redis: redis.get(EPOCH))
    except RedisDown as fault:
        return [_unreachable(ctx, fault)]
    return [*judge_server(info, delay), await _copy(ctx, epoch)]


def judge_server(info: dict[str, Any], delay: float) -> Iterator[Finding]:
    """`info` is what INFO tells, `delay` seconds."""
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version", info.get("redis_version", "?")))
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < OLDEST:
        yield error("redis", f"{name} {version} is too old.", f"Use Redis {OLDEST} or newer, or Valkey.")
    else:
        yield ok("redis", f"{name} {version} answers.")
    if delay > OPERATION_TIMEOUT / 2:
        yield warning(
            "redis",
            f"It takes {delay * 1000:.0f} ms; after {OPERATION_TIMEOUT * 1000:.0f} ms Postgres is asked instead.",
            "Bring it nearer, or give it a machine with time to spare.",
        )
    yield judge_policy(str(info.get("maxmemory_policy", "")), limited=bool(info.get("maxmemory", 0)))


def judge_policy(policy: str, *, limited: bool) -> Finding:
    fix = "Set `maxmemory-policy noeviction`: then it refuses when it is full, and Postgres is asked instead."
    if policy == "noeviction":
        return ok("redis", "It evicts nothing.")
    if not policy:
        return warning("redis", "It does not tell its maxmemory-policy.", f"See that it is noeviction. {fix}")
    now = "" if limited else " There is no maxmemory yet, so it happens only once one is set."
    return error("redis", f"maxmemory-policy is {policy}: {VANISHES}{now}", fix)


async def _copy(ctx: Context, epoch: Any) -> Finding:
    try:
        async with ctx.single.connect() as connection:
            truth = await connection.scalar(select(SharedState.epoch))
    except (DBAPIError, OSError, TimeoutError):
        return warning("redis", "Whether its copy is complete cannot be told without the database.", "See there.")
    if epoch is not None and int(epoch) == truth:
        return ok("redis", "Its copy of the ended sessions is complete.")
    return warning(
        "redis",
        "Its copy of the ended sessions is not complete, so Postgres is asked about every access token.",
        "Nothing, where no instance runs yet: the first one rebuilds it within seconds. Else look at their logs.",
    )


async def _ask(ctx: Context) -> dict[str, Any]:
    """Tries more than once: the first question also opens the connection."""
    for _ in range(TRIES - 1):
        try:
            return await ctx.redis.ask(_info)
        except RedisDown:
            continue
    return await ctx.redis.ask(_info)


async def _info(redis: Redis) -> dict[str, Any]:
    answer: dict[str, Any] = await redis.info()
    return answer


async def _delay(ctx: Context) -> float:
    """The shortest of a few round trips, in seconds."""
    now = asyncio.get_running_loop().time
    times = []
    for _ in range(TRIES):
        began = now()
        await ctx.redis.ask(lambda redis: redis.exists(EPOCH))
        times.append(now() - began)
    return min(times)


def _unreachable(ctx: Context, fault: RedisDown) -> Finding:
    where = ",".join(urls.split(ctx.settings.redis_url).hosts) or "localhost"
    kind = type(fault.__cause__ or fault).__name__
    if kind in ("AuthenticationError", "NoPermissionError", "ResponseError"):
        return error("redis", f"Redis at {where} refuses ({kind}).", "Correct user and password in AUTHAPI_REDIS_URL.")
    return error(
        "redis",
        f"Redis cannot be reached at {where} ({kind}). Everything works without it, but more slowly.",
        "Start it, or correct AUTHAPI_REDIS_URL.",
    )
