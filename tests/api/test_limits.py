"""Several limits of one request, counted in Redis in one trip."""

import asyncio
from types import NoneType

import pytest
from redis.asyncio import Redis

from authapi.core import limits
from authapi.core.context import build
from authapi.core.limits import TooManyRequests
from authapi.core.settings import Settings
from authapi.methods.password.registration import SIGNUP_BY_ADDRESS
from authapi.methods.password.reset import FORGOT_BY_ADDRESS, FORGOT_BY_MAILBOX
from authapi.methods.password.service import LOGIN_BY_ADDRESS
from tests.conftest import Start
from tests.support.trips import counted

RATES = {LOGIN_BY_ADDRESS.name: "2/minute", FORGOT_BY_ADDRESS.name: "3/minute", FORGOT_BY_MAILBOX.name: "3/minute"}

LOUD = {SIGNUP_BY_ADDRESS.name: "5/minute", FORGOT_BY_ADDRESS.name: "9/minute"}


async def test_each_of_several_limits_is_counted_by_its_own_key(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits=RATES)
    for mailbox in ("a", "b", "a"):
        await ctx.limiter.hit((FORGOT_BY_ADDRESS, "home"), (FORGOT_BY_MAILBOX, mailbox))
    with pytest.raises(TooManyRequests):
        await ctx.limiter.hit((FORGOT_BY_ADDRESS, "home"))
    await ctx.limiter.hit((FORGOT_BY_ADDRESS, "elsewhere"), (FORGOT_BY_MAILBOX, "a"))
    with pytest.raises(TooManyRequests):
        await ctx.limiter.hit((FORGOT_BY_ADDRESS, "elsewhere"), (FORGOT_BY_MAILBOX, "a"))


async def test_what_one_limit_refuses_uses_up_none_that_stands_after_it(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits=RATES)
    for _ in range(2):
        await ctx.limiter.hit((LOGIN_BY_ADDRESS, "home"))
    for _ in range(9):
        with pytest.raises(TooManyRequests) as refused:
            await ctx.limiter.hit((LOGIN_BY_ADDRESS, "home"), (FORGOT_BY_MAILBOX, "a"))
        assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    for _ in range(3):
        await ctx.limiter.hit((FORGOT_BY_MAILBOX, "a"))


async def test_no_key_can_be_read_in_redis_and_all_expire(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits=RATES)
    await ctx.limiter.hit((LOGIN_BY_ADDRESS, "192.0.2.1"), (FORGOT_BY_MAILBOX, "ada@example.com"))
    async with Redis.from_url(ctx.settings.redis_url, decode_responses=True) as redis:
        keys = [key async for key in redis.scan_iter("*:limit:*")]
        lives = [await redis.ttl(key) for key in keys]
    assert len(keys) == 2
    assert not [key for key in keys if "192.0.2.1" in key or "ada" in key]
    assert all(0 < life <= 120 for life in lives)


async def test_a_redis_that_has_forgotten_the_script_learns_it_again(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits=RATES)
    async with Redis.from_url(ctx.settings.redis_url) as redis:
        for _ in range(2):
            await redis.script_flush()
            await ctx.limiter.hit((LOGIN_BY_ADDRESS, "home"))
    with pytest.raises(TooManyRequests):
        await ctx.limiter.hit((LOGIN_BY_ADDRESS, "home"))


async def test_requests_that_come_together_share_a_trip_and_nothing_else(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, _ = await start(limits_scale=1, limits=RATES)
    trips = counted(ctx, monkeypatch)
    hits = [((LOGIN_BY_ADDRESS, home), (FORGOT_BY_MAILBOX, "a")) for home in ("here", "there", "here", "here", "there")]
    outcomes = await asyncio.gather(*(ctx.limiter.hit(*each) for each in hits), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NoneType, NoneType, NoneType, TooManyRequests, TooManyRequests]
    await ctx.limiter.hit((FORGOT_BY_MAILBOX, "b"))
    assert len(trips) == 2


async def test_each_request_of_a_shared_trip_is_told_what_is_left_to_it(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits=LOUD)

    async def hit(home: str) -> list[tuple[str, int]]:
        standings = list[limits.Standing]()
        limits._standings.set(standings)
        await ctx.limiter.hit((SIGNUP_BY_ADDRESS, home), (FORGOT_BY_ADDRESS, home))
        return [(each.name, each.remaining) for each in standings]

    told = await asyncio.gather(*map(hit, ("here", "there", "here")))
    first, second = SIGNUP_BY_ADDRESS.name, FORGOT_BY_ADDRESS.name
    assert told == [[(first, 4), (second, 8)], [(first, 4), (second, 8)], [(first, 3), (second, 7)]]


async def test_a_trip_that_fails_leaves_each_to_what_is_counted_here(settings: Settings) -> None:
    away = {"limits_scale": 1, "limits": RATES, "redis_url": "redis://127.0.0.1:1/0"}
    ctx = build(settings.model_copy(update=away))
    hits = [ctx.limiter.hit((FORGOT_BY_MAILBOX, mailbox)) for mailbox in ("a", "b", "a")]
    outcomes = await asyncio.gather(*hits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NoneType, NoneType, TooManyRequests]
    await ctx.close()
