"""Two instances are restarted one after the other by SIGTERM, as every upgrade does, and nobody notices."""

import asyncio
import random
import signal

import httpx
import pytest

from tests.support.faults.balancer import Balanced
from tests.support.faults.load import Load
from tests.support.faults.parts import Parts
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults")

SEED = 20261121
ROUNDS = 10


@pytest.mark.in_full
@pytest.mark.timeout(600)
async def test_no_request_fails_while_the_instances_are_restarted(parts: Parts, prove: Prove) -> None:
    network = Balanced(parts.urls, random.Random(SEED), timeout=10)  # noqa: S311
    load = Load(parts.urls, users=30, seed=SEED, pause=0.3, network=network)
    await load.begin()
    async with network.probing(), load.running():
        for _ in range(ROUNDS):
            for instance in parts.instances:
                await asyncio.sleep(0.5)
                assert await asyncio.to_thread(instance.end, signal.SIGTERM) == 0
                await asyncio.to_thread(instance.start)
                await network.is_back(instance.url)
    await load.settle(parts.rows)
    await load.close()
    assert load.violations == [], "\n".join(load.violations)
    prove(
        "F-rolling-restart",
        f"SIGTERM to each of two instances in turn, {ROUNDS} times, behind a client that asks /health/ready",
        number=f"{len(network.failed)} of {network.seen.total()} requests failed",
        bar="0 failed requests",
        passed=network.failed == [],
    )


async def test_who_is_connected_is_served_and_told_to_leave(parts: Parts) -> None:
    """Also over a connection that was idle when the signal came: its next answer is its last."""
    instance = parts.instances[0]
    async with httpx.AsyncClient(base_url=instance.url) as early, httpx.AsyncClient(base_url=instance.url) as prober:
        assert (await early.get("/health/live")).headers.get("connection") is None
        assert (await prober.get("/health/ready")).status_code == 200
        instance.send(signal.SIGTERM)
        async with asyncio.timeout(10):
            while (await prober.get("/health/ready")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        last = await early.get("/health/live")
        assert (last.status_code, last.headers["connection"]) == (200, "close")
    assert await asyncio.to_thread(instance.end) == 0
    await asyncio.to_thread(instance.start)
