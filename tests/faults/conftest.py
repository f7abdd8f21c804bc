"""The parts that the faults happen to: the same for all tests, since every fault leaves them well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.faults.parts import Parts

WINDOW = "2"
"""Seconds in which a lost answer is given again; short, so that faults last longer."""

SETTINGS = {"AUTHAPI_REFRESH_REUSE_WINDOW": WINDOW}


@asynccontextmanager
async def started(made: Parts) -> AsyncIterator[Parts]:
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.fixture(scope="session")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """Behind proxies."""
    async with started(Parts(tmp_path_factory.mktemp("proxied"), is_proxied=True, settings=SETTINGS)) as made:
        yield made


@pytest.fixture(scope="session")
async def direct(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """Without proxies, and Postgres writes through to the disk."""
    async with started(Parts(tmp_path_factory.mktemp("direct"), is_durable=True, settings=SETTINGS)) as made:
        yield made


@pytest.fixture
def parts(request: pytest.FixtureRequest, is_proof: bool) -> Parts:
    """In the short form one set for all tests."""
    made: Parts = request.getfixturevalue("direct" if is_proof else "proxied")
    return made
