"""A new version comes while people go on: migrations, then instances beside the ones from before, then without them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from authapi import migrations
from tests.conftest import SECRET
from tests.support.contract.schemas import execute
from tests.support.processes import serving
from tests.support.proof import Prove
from tests.support.upgrade import Crowd, code_of, command, earlier

PEOPLE = 3
PATIENCE = 60.0
"""Seconds."""


@pytest.fixture
def environment(database: str, redis_url: str) -> dict[str, str]:
    return {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": database,
        "AUTHAPI_REDIS_URL": redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
    }


class Site:
    """Instances that come and go under a crowd."""

    def __init__(self, environment: dict[str, str], folder: Path, client: httpx.AsyncClient) -> None:
        self.environment, self.folder = environment, folder
        self.crowd = Crowd(client)
        self._stacks: dict[str, ExitStack] = {}

    async def start(self, code: Path | None = None) -> str:
        stack, more = ExitStack(), {"PYTHONPATH": str(code)} if code else {}
        log = self.folder / f"{len(self._stacks)}.log"
        url = await asyncio.to_thread(stack.enter_context, serving(self.environment | more, log))
        self._stacks[url] = stack
        self.crowd.up.append(url)
        return url

    async def stop(self, url: str) -> None:
        """As a balancer does: it gets no new requests first."""
        if url in self.crowd.up:
            self.crowd.up.remove(url)
        await asyncio.to_thread(self._stacks.pop(url).close)

    async def migrate(self, code: Path | None = None) -> bool:
        process = command(code, self.environment, "migrate", "up")
        said, _ = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        (self.folder / "migrate.log").write_bytes(said)
        return process.returncode == 0

    async def starts(self, code: Path) -> bool:
        """Whether that code serves everything that the crowd asks for; else it is not there."""
        try:
            await self.start(code)
            await self.crowd.once("first@example.com")
        except (AssertionError, httpx.HTTPError):
            self.crowd.faults.clear()
            await self.close()
            return False
        return True

    def said(self) -> list[str]:
        """Warnings and worse."""
        lines = [line for log in self.folder.glob("*.log") for line in log.read_text().splitlines()]
        return [line for line in lines if '"level": "info"' not in line and '"info"' not in line]

    async def close(self) -> None:
        for url in list(self._stacks):
            await self.stop(url)


@pytest.fixture
async def site(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Site]:
    async with httpx.AsyncClient(timeout=30) as client:
        site = Site(environment, tmp_path, client)
        yield site
        await site.close()


async def start_earlier(site: Site, database: str) -> bool:
    """The newest code with fewer migrations that serves, on a database that it has migrated itself. Not every
    revision of a history is whole."""
    server, _, name = database.rpartition("/")
    emptied = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"'
    for revision in await asyncio.to_thread(earlier):
        code = await asyncio.to_thread(code_of, revision, site.folder / revision)
        if code is None:
            break
        await asyncio.to_thread(execute, f"{server}/postgres", *emptied)
        if await site.migrate(code) and await site.starts(code):
            return True
    return False


@pytest.mark.in_full
@pytest.mark.timeout(600)
async def test_two_versions_serve_side_by_side_while_one_follows_the_other(
    site: Site, database: str, is_proof: bool, prove: Prove
) -> None:
    if not await start_earlier(site, database):
        pytest.skip("There is no git history here in which an earlier version with fewer migrations serves.")
    earlier_schema = (await asyncio.to_thread(migrations.status, database)).current
    crowd, (old,), calls = site.crowd, list(site.crowd.up), 1000 if is_proof else 60
    with crowd.busy(PEOPLE):
        await crowd.more(calls)
        is_migrated = await site.migrate()
        await crowd.more(calls)
        await site.start()
        await crowd.more(2 * calls)
        await site.stop(old)
        await crowd.more(calls)
    await crowd.gone()
    status = await asyncio.to_thread(migrations.status, database)
    print(crowd.answers, *crowd.faults, *site.said(), sep="\n")
    assert is_migrated
    assert not status.pending
    prove(
        "U-together",
        f"under load the schema goes from {earlier_schema} to {status.head}, then instances of both versions serve it",
        number=f"{len(crowd.faults)} of {crowd.calls} requests failed",
        bar="0 failed requests",
        passed=not crowd.faults and crowd.calls > 5 * calls,
    )
