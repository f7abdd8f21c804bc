"""What AUTHAPI_DATABASE_URL and AUTHAPI_REDIS_URL may say."""

import asyncpg
import pytest
from redis.asyncio import Redis

from authapi.core import db, redis_servers
from authapi.core.redis import LIFE, NAMESPACE
from authapi.core.settings import Misconfigured
from tests.conftest import Start
from tests.support.people import sign_up
from tests.support.processes import free_port


def test_a_url_with_several_hosts_is_one_url_each() -> None:
    url = "postgresql+asyncpg://ada:p%40ss@h1:5432,[::1]:5433/name?sslmode=require"
    assert db.addresses(url) == [
        "postgresql://ada:p%40ss@h1:5432/name?sslmode=require",
        "postgresql://ada:p%40ss@[::1]:5433/name?sslmode=require",
    ]


@pytest.mark.parametrize("query", ["", "?sslmode=disable", "?target_session_attrs=read-write&sslmode=prefer"])
async def test_all_ways_to_postgres_read_the_url_alike(start: Start, postgres_url: str, query: str) -> None:
    ctx, _ = await start(database_url=f"{postgres_url}{query}")
    assert (await ctx.driver.row("SELECT 1 AS it")).it == 1
    async with ctx.single.connect() as connection:
        assert await connection.exec_driver_sql("SELECT 1")


async def test_tls_that_is_demanded_is_not_gone_without(start: Start, postgres_url: str) -> None:
    """The server has none."""
    ctx, _ = await start()
    await ctx.close()
    for url in (f"{postgres_url}?sslmode=require", f"{postgres_url}?sslmode=verify-full"):
        with pytest.raises((ConnectionError, asyncpg.ClientConfigurationError)):
            await db.connect(url)


async def test_a_host_where_nobody_listens_is_passed_over(postgres_url: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    connection = await db.connect(postgres_url.replace("@", f"@{nowhere},"))
    assert await connection.fetchval("SELECT true")
    connection.terminate()


@pytest.mark.parametrize(
    ("url", "servers", "command"),
    [
        ("redis+sentinel://a,b:1/name", [("a", 26379), ("b", 1)], ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "name")),
        ("rediss+sentinel://ada:x@a/name/3", [("a", 26379)], ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "name")),
        ("valkey+cluster://a:7,[::1]:8", [("a", 7), ("::1", 8)], ("GET", LIFE)),
    ],
)
def test_several_hosts_say_where_redis_is(url: str, servers: list[tuple[str, int]], command: tuple[str, ...]) -> None:
    pool = redis_servers.pool(url, key=LIFE)
    witnesses = pool.connection_kwargs["witnesses"]
    assert (witnesses.servers, witnesses.command) == (servers, command)
    assert issubclass(pool.connection_class, redis_servers.FindingSSLConnection) is url.startswith("rediss")


def test_the_password_of_sentinels_is_another_one() -> None:
    pool = redis_servers.pool("redis+sentinel://ada:x@a/name/3?sentinel_password=y", key=LIFE)
    options = pool.connection_kwargs
    assert (options["username"], options["password"], options["db"]) == ("ada", "x", 3)
    asked = options["witnesses"].options
    assert (asked["username"], asked["password"], asked["db"]) == (None, "y", 0)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://a,b", "redis+cluster://a/name", "redis+ring://a", "redis+cluster://a:x"]
)
def test_a_url_that_cannot_be_read_stops_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="AUTHAPI_REDIS_URL must read like"):
        redis_servers.pool(url, key=LIFE)


async def test_all_keys_are_in_one_slot(start: Start) -> None:
    """Or a cluster would refuse what is asked together."""
    ctx, api = await start()
    ada = await sign_up(api)
    assert (await ada.log_out()).status_code == 204
    async with Redis.from_url(ctx.settings.redis_url, decode_responses=True) as redis:
        keys = [str(key) for key in await redis.keys()]
    assert any(":ended:" in key for key in keys)
    assert any(":limit:" in key for key in keys)
    assert [key for key in keys if not key.startswith(NAMESPACE)] == []
