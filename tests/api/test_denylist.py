"""When the copy in Redis is believed, and when Postgres is asked."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from redis.asyncio import Redis

from authapi.core.context import Context
from authapi.core.redis import EPOCH, run_id
from authapi.core.settings import Settings
from authapi.sessions import denylist, pulse
from authapi.sessions.denylist import End
from tests.support.people import Person
from tests.support.trips import counted


async def forget(settings: Settings, person: Person) -> None:
    """Takes the entry of an ended session out of Redis, and leaves the epoch."""
    async with Redis.from_url(settings.redis_url) as redis:
        assert await redis.delete(f"{{authapi}}:ended:{UUID(person.session_id).hex}") == 1


async def test_an_epoch_that_was_heard_long_ago_is_not_believed(ada: Person, ctx: Context, settings: Settings) -> None:
    session_id = UUID(ada.session_id)
    await ada.log_out()
    await pulse.beat(ctx)
    assert await denylist.ended(ctx, session_id) is not None
    await forget(settings, ada)
    ctx.heard.at -= denylist.STALE + 0.1
    told = await denylist.ended(ctx, session_id)
    assert told is not None
    assert told[0] == "logout"


async def test_a_copy_that_redis_lost_while_it_was_made_does_not_count(ctx: Context) -> None:
    await ctx.redis.client.flushdb()
    life = await run_id(ctx.redis.client)
    assert not await denylist._finish(ctx.redis.client, 99, life, "a mark that is gone")
    assert await ctx.redis.client.get(EPOCH) is None


async def test_of_many_ends_all_are_told(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denylist, "BATCH", 2)
    ends = [End(UUID(int=number), datetime.now(UTC), "logout") for number in range(5)]
    await pulse.beat(ctx)
    await asyncio.gather(*(denylist.publish(ctx, ends[part]) for part in (slice(0, 3), slice(3, 5))))
    trips = counted(ctx, monkeypatch)
    found = await asyncio.gather(*(denylist.ended(ctx, UUID(int=number)) for number in range(6)))
    assert found == [*[("logout", end.at) for end in ends], None]
    assert len(trips) == 1


async def test_each_copy_has_an_epoch_of_its_own(ctx: Context) -> None:
    before = ctx.heard.epoch
    await ctx.redis.client.flushdb()
    assert await denylist.rebuild(ctx)
    assert ctx.heard.epoch > before
    assert await denylist.rebuild(ctx)  # it is complete, so nothing is to be done
    assert int(await ctx.redis.client.get(EPOCH) or 0) == ctx.heard.epoch == before + 1


async def test_while_one_makes_the_copy_another_does_not(ctx: Context) -> None:
    await ctx.redis.client.flushdb()
    await ctx.redis.client.set(denylist.REBUILDING, "somebody else's")
    assert not await denylist.rebuild(ctx)


async def test_a_broken_entry_in_redis_is_no_error(ada: Person, ctx: Context) -> None:
    await ctx.redis.client.set(EPOCH, "garbage")
    assert await denylist.ended(ctx, UUID(ada.session_id)) is None
    await denylist.rest()
