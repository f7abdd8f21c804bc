"""The guard against floods, and why slowapi's own middleware is not used."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from limits import parse
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware

from authapi.core import counting, flood, problems, proxies
from authapi.core.middleware import Rescue
from authapi.core.settings import Settings

router = APIRouter()


@router.get("/thing")
async def thing() -> None: ...


@router.get("/health/live")
async def live() -> None: ...


def app_with(middleware: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.add_middleware(middleware, **options)
    app.add_middleware(Rescue)
    return app


def guarded(rate: str = "2/minute") -> FastAPI:
    return app_with(flood.FloodGuard, limiter=flood.AddressLimiter(parse(rate)))


async def get(app: FastAPI, times: int = 4, path: str = "/thing", peer: str = "192.0.2.1") -> list[httpx.Response]:
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return [await client.get(path) for _ in range(times)]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


async def test_a_limit_bites_on_an_included_route() -> None:
    assert statuses(await get(guarded())) == [200, 200, 429, 429]


async def test_slowapis_own_middleware_would_not_bite_there() -> None:
    app = app_with(SlowAPIASGIMiddleware)
    app.state.limiter = Limiter(key_func=lambda: "all", application_limits=["2/minute"])
    app.add_exception_handler(RateLimitExceeded, problems.render)
    assert statuses(await get(app)) == [200, 200, 200, 200]


async def test_a_refusal_says_how_long_to_wait() -> None:
    refused = (await get(guarded()))[-1]
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"flood.address";q=2;w=60'
    assert refused.headers["ratelimit"].startswith('"flood.address";r=0;t=')


async def test_every_address_has_its_own_count() -> None:
    app = guarded()
    assert statuses(await get(app, 2)) == [200, 200]
    assert statuses(await get(app, 1, peer="192.0.2.2")) == [200]
    assert statuses(await get(app, 1)) == [429]


async def test_the_addresses_of_one_ipv6_prefix_count_together() -> None:
    app = guarded()
    assert statuses(await get(app, 2, peer="2001:db8::1")) == [200, 200]
    assert statuses(await get(app, 1, peer="2001:db8::ffff")) == [429]
    assert statuses(await get(app, 1, peer="2001:db8:0:1::1")) == [200]
    assert proxies.household("::ffff:192.0.2.1") == "192.0.2.1"


async def test_probes_are_not_counted() -> None:
    assert statuses(await get(guarded(), path="/health/live")) == [200] * 4


def test_the_environment_and_dotenv_have_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RATELIMIT_ENABLED=false\nRATELIMIT_APPLICATION=1/day\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "RATELIMIT_STRATEGY", "nonsense")
    monkeypatch.setitem(os.environ, "RATELIMIT_KEY_PREFIX", "other")
    limiter = flood.AddressLimiter(parse("2/minute"))
    assert limiter.enabled
    assert not limiter.app_config.file_values
    assert not limiter._key_prefix


def test_the_rate_is_a_named_limit_and_scaled() -> None:
    build: Any = Settings
    required = {"env": "development", "secret": "x" * 40}
    required |= {"database_url": "postgresql://x@h/x", "redis_url": "redis://h/0"}
    assert str(flood.limiter(build(_env_file=None, **required)).rate) == "3000 per 1 minute"
    scaled = build(_env_file=None, **required, limits_scale=0.5, limits={"flood.address": "10/second"})
    assert str(flood.limiter(scaled).rate) == "5 per 1 second"


def test_memory_is_bounded_and_shrinks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(counting, "REMEMBERED", 100)
    memory = counting.BoundedMemory()
    for n in range(1000):
        memory.incr(str(n), 60)
    assert len(memory._windows) == 100
    assert memory.incr("999", 60) == 2
    now[0] += 61
    assert memory.get("999") == 0
    for n in range(60):
        memory.incr(f"new {n}", 60)
    assert len(memory._windows) == 60
