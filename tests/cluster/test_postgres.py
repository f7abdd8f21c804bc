"""The primary of Postgres is lost, and its standby takes over; the service has both in its URL."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.cluster.hosts import Hosts
from tests.support.cluster.postgres import Node
from tests.support.cluster.programs import run
from tests.support.cluster.site import DATABASE, ORIGIN, Instance, environment, open_pair
from tests.support.faults.load import Load
from tests.support.people import log_in, sign_up
from tests.support.proof import Prove

RECOVERY, PATIENCE = 5.0, 20.0
"""Seconds after the promotion; and in the short form, which runs beside other tests."""

NOWHERE = "redis://127.0.0.1:1/0"
"""What is proved here needs no Redis, so everything goes to Postgres."""


@dataclass
class Pair:
    primary: Node
    standby: Node
    instance: Instance

    def fail_over(self) -> None:
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()

    def restore(self, *, is_synchronous: bool) -> None:
        self.standby.kill()
        self.standby.follow(self.primary)
        self.standby.start()
        self.primary.wait_for_standby(is_synchronous=is_synchronous)


@pytest.fixture
def pair(hosts: Hosts, folder: Path) -> Iterator[Pair]:
    """An instance, a primary, and a standby that hears of every commit before it is acknowledged."""
    first, second, third = hosts.each
    with ExitStack() as stack:
        primary, standby = stack.enter_context(open_pair((first, second), folder, hosts.network))
        primary.wait_for_standby(is_synchronous=True)
        url = f"postgresql://authapi@{primary.address},{standby.address}/{DATABASE}"
        instance = stack.enter_context(run(Instance(third, folder / "instance.log", environment(url, NOWHERE))))
        yield Pair(primary, standby, instance)


@pytest.mark.in_full
async def test_the_primary_dies(pair: Pair, prove: Prove, is_proof: bool) -> None:
    rounds, slowest = 3 if is_proof else 1, 0.0
    load = Load([pair.instance.url], users=40 if is_proof else 8, seed=1, pause=0.3, origin=ORIGIN)
    await load.begin()
    for number in range(rounds):
        async with load.running():
            await asyncio.sleep(4 if is_proof else 1.5)
            await asyncio.to_thread(pair.primary.kill)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(pair.fail_over)
            slowest = max(slowest, await load.recover(within=RECOVERY if is_proof else PATIENCE))
        if number < rounds - 1:
            await asyncio.to_thread(pair.restore, is_synchronous=True)
    await load.settle()
    await load.close()
    prove(
        "C-promote",
        f"kill -9 of the primary under load, and its synchronous standby is promoted, {rounds} times",
        number=f"{load.summary()}; back after {slowest:.1f} s",
        bar=f"0 violations (nothing acknowledged is lost), and back within {RECOVERY:.0f} s without a restart",
        passed=not load.violations,
    )


@pytest.mark.in_full
async def test_the_primary_loses_its_power(pair: Pair, hosts: Hosts, prove: Prove, is_proof: bool) -> None:
    if not hosts.can_be_unplugged:
        pytest.skip("needs root and network namespaces: an address of the loopback cannot be unplugged")
    load = Load([pair.instance.url], users=40 if is_proof else 8, seed=2, pause=0.3, timeout=10, origin=ORIGIN)
    await load.begin()
    async with load.running():
        await asyncio.sleep(4 if is_proof else 1.5)
        pair.primary.host.unplug()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(pair.fail_over)
        took = await load.recover(within=RECOVERY if is_proof else PATIENCE)
    await load.settle()
    await load.close()
    prove(
        "C-unplug-primary",
        "the primary's host vanishes under load (its packets are lost), and the synchronous standby is promoted",
        number=f"{load.summary()}; back after {took:.1f} s",
        bar=f"0 violations, and back within {RECOVERY:.0f} s without a restart",
        passed=not load.violations,
    )


@pytest.mark.in_full
async def test_a_standby_that_lags_is_promoted(pair: Pair, prove: Prove) -> None:
    """What it never heard of is told apart from theft: nobody else is signed out, and the log says why."""
    await asyncio.to_thread(pair.primary.wait_for_standby, is_synchronous=False)
    async with httpx.AsyncClient(base_url=pair.instance.url, timeout=30) as api:
        ada = await sign_up(api)
        other = await log_in(api)
        await caught_up(pair)
        await asyncio.to_thread(pair.primary.stop_sending)
        assert (await ada.refresh()).status_code == 200
        await asyncio.to_thread(pair.primary.kill)
        await asyncio.to_thread(pair.fail_over)
        lost = await told(api, ada.refresh_token)
        kept = await told(api, other.refresh_token)
        again = await log_in(api)
        assert (await again.refresh()).status_code == 200
    prove(
        "C-lag",
        "the asynchronous standby that is promoted has not heard of a refresh that was acknowledged",
        number=f"{lost}; the other device: {kept}",
        bar="session_state_lost (not token_reused), the other device goes on, and signing in works",
        passed=(lost, kept) == ("session_state_lost", "200"),
    )


async def caught_up(pair: Pair) -> None:
    behind = "SELECT coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) FROM pg_stat_replication"
    async with asyncio.timeout(30):
        while not await pair.primary.fetch(behind):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.02)


async def told(api: httpx.AsyncClient, token: str) -> str:
    """Until it is more than to try later."""
    async with asyncio.timeout(30):
        while True:
            reply = await api.post("/api/v1/auth/refresh", json={"refresh_token": token})
            if reply.status_code != 503:
                return "200" if reply.status_code == 200 else str(reply.json()["code"])
            await asyncio.sleep(0.1)
