"""Those who watch the faults notice what they are there for: a service with a flaw does not pass."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.conftest import started
from tests.support.faults.flawed import FLAWS
from tests.support.faults.load import Load
from tests.support.faults.parts import Instance, Parts, instance
from tests.support.proof import Prove

pytestmark = [pytest.mark.xdist_group("faults-flaws"), pytest.mark.in_full, pytest.mark.timeout(120)]

NOTICED = 30.0
"""Seconds."""


@pytest.fixture(scope="session")
async def apart(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """Of their own: the others must find no session that a flaw has ended."""
    async with started(Parts(tmp_path_factory.mktemp("apart"), instances=1)) as made:
        yield made


@pytest.fixture(params=FLAWS)
async def flawed(request: pytest.FixtureRequest, apart: Parts, tmp_path: Path) -> AsyncIterator[tuple[str, Instance]]:
    flaw: str = request.param
    prefix = ["-m", "tests.support.faults.flawed", flaw]
    made = instance(apart.instances[0].environment, tmp_path / "log", prefix)
    await asyncio.to_thread(made.start)
    yield flaw, made
    await asyncio.to_thread(made.end)


async def test_a_flaw_is_noticed(flawed: tuple[str, Instance], prove: Prove) -> None:
    flaw, made = flawed
    load = Load([made.url], users=12, seed=1, pause=0.1)
    await load.begin()
    async with load.running(), asyncio.timeout(NOTICED):
        while not load.violations:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await load.close()
    invariant = FLAWS[flaw][1]
    said = [violation.partition(": ")[2] for violation in load.violations]
    prove(
        f"F-flaw-{flaw}",
        f"the service with a flaw planted, 12 people: {flaw.replace('-', ' ')}",
        number=said[0][:100],
        bar=f"a violation of {invariant} is noticed",
        passed=any(invariant in each.partition(": ")[0] for each in said),
    )
