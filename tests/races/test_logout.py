"""A logout on one instance is honoured by the other: with Redis up, stopped, emptied and restarted."""

import asyncio
import time

import httpx
import pytest
from redis.asyncio import Redis

from authapi.local import valkey
from tests.races.conftest import Site
from tests.support.people import PREFIX, Person, sign_up

WITHIN = 1.0
"""Seconds in which every instance must have noticed (I12)."""


async def refused_at(client: httpx.AsyncClient, person: Person) -> float:
    """Seconds until the access token is refused. Fails when it takes too long."""
    start = time.monotonic()
    while True:
        reply = await person.session(at=client)
        if reply.status_code == 401:
            assert reply.json()["code"] == "session_ended"
            return time.monotonic() - start
        assert reply.status_code == 200, reply.text
        assert time.monotonic() - start <= WITHIN, "the token was still accepted after a second"
        await asyncio.sleep(0.02)


async def log_out(site: Site, person: Person) -> None:
    reply = await site.a.post(f"{PREFIX}/logout", json={"refresh_token": person.refresh_token})
    assert reply.status_code == 204


async def test_the_other_instance_refuses_at_once(site: Site) -> None:
    ada = await sign_up(site.a)
    assert (await ada.session(at=site.b)).status_code == 200
    await log_out(site, ada)
    await refused_at(site.b, ada)


async def test_the_other_instance_refuses_with_redis_stopped(site: Site) -> None:
    ada = await sign_up(site.a)
    site.valkey.stop()
    assert (await ada.session(at=site.b)).status_code == 200
    await log_out(site, ada)
    await refused_at(site.b, ada)
    await refused_at(site.a, ada)


async def test_nobody_comes_back_when_redis_comes_back_empty(site: Site) -> None:
    ada = await sign_up(site.a)
    await log_out(site, ada)
    site.valkey.stop()
    valkey.start(site.valkey.folder, durable=False)
    for side in (site.a, site.b):
        await refused_at(side, ada)


async def test_a_logout_during_an_outage_holds_after_it(site: Site) -> None:
    ada = await sign_up(site.a)
    bob = await sign_up(site.b, {"email": "bob@example.com", "password": "correct horse battery staple"})
    site.valkey.stop()
    await log_out(site, ada)
    valkey.start(site.valkey.folder, durable=False)
    for side in (site.a, site.b):
        await refused_at(side, ada)
        assert (await bob.session(at=side)).status_code == 200


@pytest.mark.parametrize("times", [1, 3])
async def test_nobody_comes_back_after_flushall(site: Site, times: int) -> None:
    ada = await sign_up(site.a)
    await log_out(site, ada)
    async with Redis.from_url(site.valkey.url()) as redis:
        for _ in range(times):
            await redis.flushall()
            for side in (site.a, site.b):
                await refused_at(side, ada)


async def test_the_copy_is_rebuilt_and_believed_again(site: Site) -> None:
    ada = await sign_up(site.a)
    await log_out(site, ada)
    async with Redis.from_url(site.valkey.url()) as redis:
        await redis.flushall()
        deadline = time.monotonic() + 5
        while (await site.a.get("/health/ready")).json()["mode"] != "ok":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert await redis.exists(f"{{authapi}}:ended:{ada.session_id.replace('-', '')}")
    await refused_at(site.b, ada)
