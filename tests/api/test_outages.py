"""A part fails: what still works, and what nobody may mistake for bad credentials."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from authapi.app import create_app
from authapi.core.context import Context, build
from authapi.core.redis import GuardedRedis, RedisDown
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.sessions import denylist, pulse
from authapi.sessions.denylist import End
from tests.conftest import Instance
from tests.support.people import ADA, BOB, PREFIX, Person, bearer

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def frozen() -> Iterator[str]:
    """The address of a Redis that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
async def severed(instance: Instance, settings: Settings) -> AsyncIterator[Instance]:
    """An instance that has lost Postgres after it had started."""
    ctx, _ = instance
    cut = build(settings.model_copy(update={"database_url": f"postgresql+asyncpg://authapi@{NOWHERE}/authapi"}))
    cut.keyring.replace(ctx.keyring.keys(), current=ctx.keyring.current)
    cut.heard.epoch = ctx.heard.epoch
    transport = httpx.ASGITransport(create_app(cut))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield cut, client
    await cut.close()


async def test_without_postgres_nothing_looks_like_bad_credentials(ada: Person, severed: Instance) -> None:
    _, api = severed
    token = {"refresh_token": ada.refresh_token}
    replies = [
        await api.post(f"{PREFIX}/signup", json=BOB),
        await api.post(f"{PREFIX}/login", json=ADA),
        await api.post(f"{PREFIX}/refresh", json=token),
        await api.post(f"{PREFIX}/logout", json=token),
        await api.get(f"{PREFIX}/session", headers=bearer(ada.access_token)),
        await api.get(f"{PREFIX}/sessions", headers=bearer(ada.access_token)),
        await api.delete(f"{PREFIX}/sessions/{ada.session_id}", headers=bearer(ada.access_token)),
    ]
    for reply in replies:
        assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (503, "unavailable", "retry")
        assert int(reply.headers["retry-after"]) >= 1
    assert (await ada.refresh()).status_code == 200  # through an instance that still has it


async def test_without_postgres_no_password_is_hashed(severed: Instance) -> None:
    ctx, api = severed
    await ctx.hasher.verify(None, "waits for the dummy's own hash, and measures")
    before = ctx.hasher.estimate  # moves with every hash
    for path, body in (("/login", ADA), ("/signup", BOB)):
        assert (await api.post(f"{PREFIX}{path}", json=body)).status_code == 503
    assert ctx.hasher.estimate == before


async def test_without_postgres_the_keys_and_the_process_are_still_there(severed: Instance) -> None:
    _, api = severed
    assert (await api.get("/health/live")).status_code == 200
    assert len((await api.get("/.well-known/jwks.json")).json()["keys"]) == 2
    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()["mode"], ready.json()["parts"]["postgres"]) == (503, "down", "unreachable")


async def test_without_redis_everything_works_and_says_so(settings: Settings, ada: Person, ctx: Context) -> None:
    limits = {"password.forgot.address": "10/hour"}
    away = {"redis_url": f"redis://{NOWHERE}/0", "limits_scale": 1, "limits": limits}
    alone = build(settings.model_copy(update=away))
    alone.keyring.replace(ctx.keyring.keys(), current=ctx.keyring.current)
    transport = httpx.ASGITransport(create_app(alone))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
        assert (await api.post(f"{PREFIX}/login", json=ADA)).status_code == 200
        assert (await ada.refresh(at=api)).status_code == 200
        assert (await ada.session(at=api)).status_code == 200
        ready = (await api.get("/health/ready")).json()
        assert (ready["mode"], ready["parts"]["redis"]) == ("degraded", "unreachable")
        asked = [api.post(f"{PREFIX}/password/forgot", json={"email": f"{n}@example.com"}) for n in range(6)]
        statuses = [(await each).status_code for each in asked]
    assert statuses == [202] * 5 + [429]  # half as many as with Redis: each instance counts alone
    await alone.close()


async def test_a_frozen_redis_costs_three_short_waits_and_then_none(frozen: str) -> None:
    redis = GuardedRedis(frozen, SystemRandom())
    start = time.monotonic()
    for _ in range(50):
        with pytest.raises(RedisDown):
            await redis.ask(lambda client: client.get("key"))
    assert redis.is_open
    assert time.monotonic() - start < 2
    await redis.close()


async def test_who_shares_trips_to_a_frozen_redis_is_told_soon(frozen: str) -> None:
    redis = GuardedRedis(frozen, SystemRandom())
    start = time.monotonic()
    calls = [call for _ in range(100) for call in (redis.read(["key"]), redis.tell([("SET", "key", "value")]))]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {RedisDown}
    assert time.monotonic() - start < 2
    await redis.close()


async def test_ends_that_redis_is_not_told_of_are_told_by_the_epoch(
    settings: Settings, ada: Person, frozen: str
) -> None:
    ends = [End(UUID(int=number), datetime.now(UTC), "logout") for number in range(24)]
    alone = build(settings.model_copy(update={"redis_url": frozen}))
    await pulse.beat(alone)
    before = alone.heard.epoch
    await asyncio.gather(*(denylist.publish(alone, [end]) for end in ends))
    heard = alone.heard.epoch
    await pulse.beat(alone)
    await alone.close()
    assert before < heard == alone.heard.epoch
    assert heard - before <= 3  # shared, too


async def test_the_event_loop_goes_on_while_redis_is_frozen(frozen: str) -> None:
    redis = GuardedRedis(frozen, SystemRandom())
    question = asyncio.ensure_future(redis.ask(lambda client: client.get("key")))
    turns = 0
    while not question.done():
        await asyncio.sleep(0)
        turns += 1
    with pytest.raises(RedisDown):
        await question
    assert turns > 100
    await redis.close()


async def test_connections_that_were_ended_while_nobody_used_them_fail_nobody(ada: Person, ctx: Context) -> None:
    """As all are when Postgres restarts."""
    headers = bearer(ada.access_token)
    paths = ("/sessions",) * 5 + ("/session",) * 3
    await asyncio.gather(*(ada.api.get(f"{PREFIX}{path}", headers=headers) for path in paths))
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    async with ctx.single.connect() as connection:
        ended = text(f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE {others}")
        assert (await connection.execute(ended)).scalar_one() >= 3
    await asyncio.sleep(0.05)
    replies = await asyncio.gather(*(ada.api.get(f"{PREFIX}{path}", headers=headers) for path in paths))
    assert {reply.status_code for reply in replies} == {200}
