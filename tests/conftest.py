"""The real application on real servers. Every test begins with empty tables and keys of its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, suppress

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from authapi.app import create_app
from authapi.core.context import Context, build
from authapi.core.db import Table
from authapi.core.redis import RedisDown
from authapi.core.settings import Settings
from authapi.sessions import denylist, pulse
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import Person, sign_up
from tests.support.servers import Servers, make_database
from tests.support.smtp import MailServer

pytest_plugins = ["tests.support.proof"]

POSTGRES, VALKEY = "AUTHAPI_TESTS_POSTGRES", "AUTHAPI_TESTS_VALKEY"
SECRET = "a root secret that only the tests use, 0123456789"

TRIES = 20

Instance = tuple[Context, httpx.AsyncClient]
Start = Callable[..., Awaitable[Instance]]


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the run starts the servers; the workers of xdist find them in the environment."""
    config.addinivalue_line("markers", "in_full: takes so long that it runs only with --prove")
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        servers = Servers()
        config.add_cleanup(servers.stop)
        os.environ[POSTGRES], os.environ[VALKEY] = servers.postgres.url(), servers.valkey.url()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before any part is started for them."""
    for item in items:
        if item.get_closest_marker("in_full") and not config.option.prove:
            item.add_marker(pytest.mark.skip(reason="only with --prove"))


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> int:
    """The number of this worker of xdist."""
    return int(getattr(request.config, "workerinput", {"workerid": "gw0"})["workerid"][2:])


@pytest.fixture(scope="session")
def postgres_url(worker: int) -> str:
    server = os.environ[POSTGRES]
    make_database(server, f"tests_{worker}")
    return server.rsplit("/", 1)[0] + f"/tests_{worker}"


@pytest.fixture(scope="session")
def redis_url(worker: int) -> str:
    return os.environ[VALKEY].rsplit("/", 1)[0] + f"/{worker % 16}"


@pytest.fixture(scope="session")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    """Its certificate is trusted by this process and by those it starts."""
    server = MailServer(tmp_path_factory.mktemp("smtp"))
    os.environ["SSL_CERT_FILE"] = str(server.certificate)
    yield server
    server.stop()


@pytest.fixture
def settings(postgres_url: str, redis_url: str, mail_server: MailServer) -> Settings:
    return make_settings(postgres_url, redis_url, mail_server.url)


def make_settings(postgres_url: str, redis_url: str, smtp_url: str | None = None) -> Settings:
    """Hashes are as light as the settings allow; everything else is as in production, but on plain HTTP."""
    return Settings(
        _env_file=None,
        env="development",
        database_url=postgres_url,
        redis_url=redis_url,
        secret=SECRET,
        argon2_memory=8192,
        argon2_time=1,
        hash_threads=2,
        limits_scale=1000,
        database_pool=10,
        allowed_origins=("https://app.example.com",),
        smtp_url=smtp_url,
        mail_from="Example <hello@example.com>",
    )


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def start(settings: Settings, clock: MovedClock) -> AsyncIterator[Start]:
    """Starts further instances of the service on the same database and Redis, with other settings if told."""
    async with AsyncExitStack() as stack:
        await empty(settings)

        async def start(**changes: object) -> Instance:
            ctx = build(settings.model_copy(update=changes), clock=clock)
            stack.push_async_callback(ctx.close)
            stack.push_async_callback(denylist.rest)
            await pulse.beat(ctx)
            await _rebuild(ctx)
            transport = httpx.ASGITransport(create_app(ctx))
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://test"))
            return ctx, client

        yield start


async def _rebuild(ctx: Context) -> None:
    """On a machine that is busy with other tests a first connection may take longer than the service waits for it."""
    for _ in range(TRIES):
        with suppress(RedisDown):
            await denylist.rebuild(ctx)
            return
        await asyncio.sleep(0.1)
    await denylist.rebuild(ctx)


async def empty(settings: Settings, *, keep: Collection[str] = ("shared_state",)) -> None:
    """Empties what the tests before have left; the tables to `keep` stay."""
    ctx = build(settings)
    async with ctx.db.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))  # the triggers of the audit refuse
        for table in reversed(Table.metadata.sorted_tables):
            if table.name not in keep:
                await tx.execute(table.delete())
        await tx.execute(text("DELETE FROM jobs.pgqueuer"))
        if "signing_keys" not in keep:
            await tx.execute(text("UPDATE shared_state SET keys_version = keys_version + 1"))
    await ctx.close()
    async with Redis.from_url(settings.redis_url) as redis:
        await redis.flushdb()


@pytest.fixture
async def instance(start: Start) -> Instance:
    return await start()


@pytest.fixture
def ctx(instance: Instance) -> Context:
    return instance[0]


@pytest.fixture
def api(instance: Instance) -> httpx.AsyncClient:
    return instance[1]


@pytest.fixture
async def ada(api: httpx.AsyncClient) -> Person:
    return await sign_up(api)


@pytest.fixture
def inbox(ctx: Context, mail_server: MailServer) -> Inbox:
    """Everybody's mail: `(await inbox.last(to=...)).token`."""
    mail_server.calm()
    return Inbox(ctx, mail_server)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment says of a service is not for the one under test."""
    for name in os.environ:
        if name.startswith("AUTHAPI_") and name not in (POSTGRES, VALKEY):
            monkeypatch.delenv(name)
