"""What an attacker would try against sessions and sign-in: each test here is a finding until it passes."""

import asyncio
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text, update

from authapi.app import create_app
from authapi.core.context import Context, build
from authapi.core.settings import Settings
from authapi.methods.password import store
from authapi.methods.password.models import Password
from authapi.sessions import denylist, pulse, rotation
from authapi.sessions.service import PURPOSE
from authapi.users.models import User
from tests.conftest import Start
from tests.support.armour import connect
from tests.support.people import ADA, PREFIX, Person, bearer, log_in, sign_up

NOWHERE = "redis://127.0.0.1:1/0"


async def until_somebody_waits_for_a_lock(ctx: Context) -> None:
    async with ctx.single.connect() as connection:
        while not await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass


@pytest.mark.parametrize("touched", [True, False], ids=["row updated", "row only locked"])
async def test_a_login_in_flight_does_not_outlive_a_change_of_the_password(
    ada: Person, ctx: Context, touched: bool
) -> None:
    """The change locks the person first, as `still` does, so the login comes second and must see the new hash."""
    found = await store.by_email(ctx.batcher, "ada@example.com")

    async def late() -> User | None:
        async with ctx.db.begin() as tx:
            return await store.still(tx, found.user_id, found.hash)

    async with ctx.db() as change:
        if touched:
            await change.execute(update(User).values(first_name="Ada"))
        else:
            await change.execute(select(User.id).with_for_update())
        await change.execute(update(Password).values(hash="another"))
        login = asyncio.create_task(late())
        await until_somebody_waits_for_a_lock(ctx)
        await change.commit()
    assert await login is None


async def test_a_login_in_flight_does_not_outlive_the_disabling_of_the_person(ada: Person, ctx: Context) -> None:
    found = await store.by_email(ctx.batcher, "ada@example.com")

    async def late() -> User | None:
        async with ctx.db.begin() as tx:
            return await store.still(tx, found.user_id, found.hash)

    async with ctx.db() as change:
        await change.execute(text("UPDATE users SET disabled_at = now()"))
        login = asyncio.create_task(late())
        await until_somebody_waits_for_a_lock(ctx)
        await change.commit()
    assert await login is None


@pytest.mark.parametrize("way", ["DELETE", "others by access token", "others by refresh token"])
async def test_an_acknowledged_end_holds_although_the_first_try_could_tell_nobody(
    start: Start, settings: Settings, way: str
) -> None:
    """Redis away for one instance and the epoch locked: the end is committed, and answered with 503, and retried."""
    elsewhere, other = await start()
    ctx = build(settings.model_copy(update={"redis_url": NOWHERE}))
    await pulse.beat(ctx)
    broken = connect(create_app(ctx))
    ada = await sign_up(broken)
    phone = await log_in(broken)

    async def end() -> httpx.Response:
        if way == "DELETE":
            return await broken.delete(f"{PREFIX}/sessions/{phone.session_id}", headers=bearer(ada.access_token))
        if way == "others by access token":
            return await ada.log_out(scope="others")
        return await broken.post(f"{PREFIX}/logout", json={"refresh_token": ada.refresh_token, "scope": "others"})

    async with ctx.db.begin() as tx:
        await tx.execute(text("SELECT 1 FROM shared_state FOR UPDATE"))
        assert (await end()).status_code == 503
    assert (await end()).status_code == 204
    await ctx.close()
    await pulse.beat(elsewhere)
    reply = await other.get(f"{PREFIX}/sessions", headers=bearer(phone.access_token))
    await asyncio.gather(*denylist._rebuilds)  # which that request began; nobody waits for them when a context closes
    assert reply.status_code == 401


async def test_an_end_outlives_the_tokens_of_an_instance_with_longer_ones(start: Start, settings: Settings) -> None:
    _, short = await start(access_token_lifetime=60)
    _, long = await start(access_token_lifetime=3600)
    ada = await sign_up(long)
    await ada.refresh(at=short)
    await short.post(f"{PREFIX}/logout", json={"refresh_token": ada.refresh_token})
    async with Redis.from_url(settings.redis_url) as redis:
        assert await redis.ttl(f"{{authapi}}:ended:{UUID(ada.session_id).hex}") >= 3600


async def test_the_addresses_of_one_household_count_as_one(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits={"password.login.address": "5/15 minutes"})
    app, statuses = create_app(ctx), []
    for host in range(8):
        transport = httpx.ASGITransport(app, client=(f"2001:db8:1:2::{host:x}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            body = {"email": f"p{host}@example.com", "password": "wrong wrong"}
            statuses.append((await api.post(f"{PREFIX}/login", json=body)).status_code)
    assert statuses == [401] * 5 + [429] * 3


async def test_who_is_refused_by_address_uses_up_nobody_elses_account(start: Start) -> None:
    ctx, _ = await start(limits_scale=1, limits={"password.login.address": "1/15 minutes"})
    app = create_app(ctx)
    for host in ("192.0.2.1", "192.0.2.2"):
        transport = httpx.ASGITransport(app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            replies = [await api.post(f"{PREFIX}/login", json=ADA) for _ in range(12 if host.endswith("1") else 1)]
    assert replies[-1].status_code == 401  # from another address, and the account had one try only


async def test_a_logout_with_a_good_access_token_ends_the_session_whatever_else_is_sent(ada: Person) -> None:
    reply = await ada.log_out(refresh_token="rt_garbage")
    assert reply.status_code >= 400 or (await ada.session()).status_code == 401


@pytest.mark.parametrize("scope", ["others", "all"])
async def test_a_token_of_a_session_that_is_not_there_cannot_log_out_others(
    api: httpx.AsyncClient, ctx: Context, scope: str
) -> None:
    token = rotation.mint(ctx.vault.keys(PURPOSE), ctx.random.id(), 0, b"r" * 32).text()
    reply = await api.post(f"{PREFIX}/logout", json={"refresh_token": token, "scope": scope})
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")


async def test_two_devices_that_log_out_everywhere_at_once_do_not_wait_for_each_other(start: Start) -> None:
    _, api = await start()
    await sign_up(api)
    for _ in range(5):
        people = [await log_in(api) for _ in range(6)]
        body = [{"refresh_token": person.refresh_token, "scope": "all"} for person in people]
        replies = await asyncio.gather(*(api.post(f"{PREFIX}/logout", json=each) for each in body))
        assert {reply.status_code for reply in replies} <= {204, 401}


async def test_an_access_token_of_a_disabled_person_is_refused(ada: Person, ctx: Context) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now()"))
    assert (await ada.session()).status_code == 401


async def test_an_evicted_entry_revives_no_access_token(ada: Person, settings: Settings) -> None:
    await ada.log_out()
    async with Redis.from_url(settings.redis_url) as redis:
        await redis.delete(f"{{authapi}}:ended:{UUID(ada.session_id).hex}")  # as maxmemory-policy volatile-lru does
    assert [(await ada.get(path)).status_code for path in ("/session", "/sessions")] == [401, 401]
