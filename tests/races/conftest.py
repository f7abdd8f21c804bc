"""Two processes of the service side by side, on the tests' Postgres and on a Valkey that may be stopped."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

import httpx
import pytest

from authapi.core.settings import Settings
from authapi.local import valkey
from authapi.local.valkey import Valkey
from tests.conftest import POSTGRES, SECRET, empty, make_settings
from tests.support.processes import serving
from tests.support.servers import make_database, open_folder


@dataclass
class Site:
    """`a` and `b` are clients of the two processes."""

    a: httpx.AsyncClient
    b: httpx.AsyncClient
    valkey: Valkey
    settings: Settings


@pytest.fixture(scope="session")
def site_valkey() -> Iterator[Valkey]:
    folder = open_folder()
    yield valkey.start(folder, durable=False)
    valkey.start(folder, durable=False).stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def site_settings(worker: int, site_valkey: Valkey) -> Settings:
    """With a database of their own, so that no other test takes away the keys of processes that run."""
    server, name = os.environ[POSTGRES], f"site_{worker}"
    make_database(server, name)
    return make_settings(server.rsplit("/", 1)[0] + f"/{name}", site_valkey.url())


@pytest.fixture(scope="session")
def urls(site_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": site_settings.database_url,
        "AUTHAPI_REDIS_URL": site_settings.redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_PUBLIC_URL": "http://auth.example.com",
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
        "AUTHAPI_DATABASE_POOL": "10",
    }
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        yield (
            stack.enter_context(serving(environment, logs / "a.log")),
            stack.enter_context(serving(environment, logs / "b.log")),
        )


@pytest.fixture
async def site(urls: tuple[str, str], site_settings: Settings, site_valkey: Valkey) -> AsyncIterator[Site]:
    running = valkey.start(site_valkey.folder, durable=False)  # a test before may have stopped it
    await empty(site_settings, keep=("shared_state", "signing_keys"))
    limits = httpx.Limits(max_connections=120)
    async with AsyncExitStack() as stack:
        a, b = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, limits=limits, timeout=30)) for url in urls
        ]
        yield Site(a, b, running, site_settings)
