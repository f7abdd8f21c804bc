"""Passwords tried over HTTP, and what the counters say of it."""

from typing import Any

import httpx

from authapi.app import create_app
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.signin import failures, store
from authapi.signin.models import SignInFailures
from tests.support.people import ADA, PREFIX

WRONG = "not this one at all"
HOME = Client("127.0.0.1", "")


async def fail(api: httpx.AsyncClient, times: int = 1, email: str = "ada@example.com", **more: Any) -> httpx.Response:
    for _ in range(times):
        reply = await api.post(f"{PREFIX}/login", json={"email": email, "password": WRONG, **more})
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_credentials")
    return reply


async def passes(api: httpx.AsyncClient, **more: Any) -> bool:
    reply = await api.post(f"{PREFIX}/login", json=ADA | more)
    assert reply.status_code in (200, 401), reply.text
    return reply.status_code == 200


async def counter(ctx: Context, key: bytes) -> SignInFailures:
    async with ctx.db() as tx:
        found = await store.by_key(tx, key)
    assert found is not None
    return found


async def account(ctx: Context, email: str = "ada@example.com") -> SignInFailures:
    return await counter(ctx, failures.account(ctx, email))


def elsewhere(ctx: Context, ip: str = "192.0.2.66") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(ctx), client=(ip, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test")
