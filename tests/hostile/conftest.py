"""Somebody in a browser, as in `tests/api`, and a real process."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from authapi.core.context import Context, build
from authapi.core.settings import Settings
from tests.api.conftest import browser, page, production
from tests.conftest import empty, make_settings
from tests.support.hostile.wires import Service, real_service

__all__ = ["browser", "page", "production"]


@pytest.fixture(scope="module")
def service(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests of a module: they must not empty its tables, as `ctx` does."""
    settings = make_settings(postgres_url, redis_url)
    asyncio.run(empty(settings))
    with real_service(settings, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
async def database(settings: Settings, service: Service) -> AsyncIterator[Context]:
    """To look into the tables of the process."""
    ctx = build(settings)
    yield ctx
    await ctx.close()
