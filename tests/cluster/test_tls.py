"""As in production: TLS between browser and proxy, service and Postgres, service and Valkey."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.engine import make_url

from authapi.core import db
from authapi.core.settings import Settings
from tests.conftest import SECRET, empty
from tests.support.browsers import AS_COOKIE, COOKIE, set_cookie
from tests.support.cluster.fronts import PgBouncer
from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import missing, run
from tests.support.cluster.tls import Authority, authority, front
from tests.support.people import ADA, PREFIX, bearer
from tests.support.processes import free_port, serving


@pytest.fixture
def ends(folder: Path) -> Authority:
    if (what := missing()) is not None:
        pytest.skip(what)  # it names the packages, which no wheel carries
    return authority(folder / "authority")


@pytest.fixture
def database(settings: Settings, folder: Path, ends: Authority) -> Iterator[str]:
    """The URL of a PgBouncer that takes nothing but TLS; without `sslmode`."""
    url = make_url(settings.database_url)
    server = (str(url.host), int(url.port or 0))
    with run(PgBouncer(Host("127.0.0.1"), folder / "pgbouncer", server, ends=ends)) as bouncer:
        yield bouncer.url(str(url.database))


@pytest.fixture
def redis(settings: Settings, folder: Path, ends: Authority) -> Iterator[str]:
    url = make_url(settings.redis_url)
    with run(front(folder / "redis", f"{url.host}:{url.port}", ends)) as proxy:
        yield f"rediss://{proxy.address}/{url.database}"


async def test_the_service_keeps_to_tls_everywhere(
    settings: Settings, database: str, redis: str, ends: Authority, folder: Path
) -> None:
    port = free_port()
    public = f"https://127.0.0.1:{port}"
    environment = {
        "AUTHAPI_DATABASE_URL": f"{database}?sslmode=verify-full&sslrootcert={ends.certificate}",
        "AUTHAPI_REDIS_URL": f"{redis}?ssl_ca_certs={ends.certificate}",
        "AUTHAPI_PREPARED_STATEMENTS": "false",
        "AUTHAPI_PUBLIC_URL": public,
        "AUTHAPI_TRUSTED_PROXIES": "127.0.0.1/32",
        "AUTHAPI_SMTP_URL": "smtp://127.0.0.1:1",
        "AUTHAPI_MAIL_FROM": "hello@example.com",
        "AUTHAPI_SECRET": SECRET,
    }
    await empty(settings)
    async with httpx.AsyncClient(
        base_url=public, headers={"Origin": public}, verify=ssl.create_default_context(cafile=str(ends.certificate))
    ) as browser:
        with ExitStack() as stack:
            url = stack.enter_context(serving(environment, folder / "service.log"))
            server = url.removeprefix("http://")
            stack.enter_context(run(front(folder / "web", server, ends, port=port, is_web=True)))
            told = await browser.post(f"{PREFIX}/signup", json=ADA, headers=AS_COOKIE)
            assert (told.status_code, "strict-transport-security" in told.headers) == (201, True), told.text
            assert {"Secure", "HttpOnly"} <= set_cookie(told, COOKIE)
            csrf = {"X-CSRF-Token": told.json()["csrf_token"]}
            assert (await browser.post(f"{PREFIX}/refresh", headers=csrf)).json()["rotation"] == "rotated"
            ready = (await browser.get("/health/ready")).json()
            assert (await browser.post(f"{PREFIX}/logout", headers=csrf)).status_code == 204
            gone = await browser.get("/api/v1/users/me", headers=bearer(told.json()["access_token"]))
            assert (gone.status_code, gone.json()["code"]) == (401, "session_ended")
    assert set(ready["parts"].values()) == {"ok"}


async def test_who_shows_another_certificate_is_not_talked_to(database: str, redis: str, folder: Path) -> None:
    other = authority(folder / "other").certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        await db.connect(f"{database}?sslmode=verify-full&sslrootcert={other}")
    async with Redis.from_url(f"{redis}?ssl_ca_certs={other}") as client:
        with pytest.raises(RedisConnectionError, match="certificate verify failed"):
            await client.ping()


async def test_a_server_that_demands_tls_is_not_served_without(database: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="SSL required"):
        await db.connect(f"{database}?sslmode=disable")
