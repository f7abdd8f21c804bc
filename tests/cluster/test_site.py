"""Three instances behind HAProxy under load, while one part after the other is lost; only `make prove` runs it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.cluster.programs import missing
from tests.support.cluster.site import ORIGIN, OpenKeepers, Site, is_ready, open_site
from tests.support.cluster.valkey import cluster, sentinels
from tests.support.faults.load import Load
from tests.support.proof import Prove

RECOVERY = 5.0
"""Seconds after the last thing that is not the service's own to do: a promotion, a restart."""

USERS, CALM = 30, 3.0
"""Calm: seconds between two faults."""

Fault = Callable[[Site], Awaitable[None]]


async def kill_instance(site: Site) -> None:
    await asyncio.to_thread(site.instances[0].kill)
    await asyncio.sleep(CALM)
    await asyncio.to_thread(site.instances[0].start)


async def kill_valkey(site: Site) -> None:
    gone = await asyncio.to_thread(site.keepers.master)
    await asyncio.to_thread(gone.kill)
    await asyncio.to_thread(site.keepers.await_successor, gone)
    await asyncio.to_thread(gone.start)


async def promote(site: Site) -> None:
    await asyncio.to_thread(site.primary.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(site.fail_over)


async def restart_bouncer(site: Site) -> None:
    assert site.bouncer is not None
    await asyncio.to_thread(site.bouncer.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(site.bouncer.start)


async def restart_balancer(site: Site) -> None:
    await asyncio.to_thread(site.balancer.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(site.balancer.start)


async def unplug_host(site: Site) -> None:
    """With an instance, a Valkey and a sentinel on it."""
    host = site.instances[1].host
    host.unplug()
    await asyncio.sleep(CALM)
    host.plug_in()
    await asyncio.to_thread(site.instances[1].await_answer)


FAULTS: dict[str, tuple[str, Fault]] = {
    "instance": ("kill -9 of one of three instances", kill_instance),
    "valkey": ("kill -9 of the master of Valkey", kill_valkey),
    "promote": ("kill -9 of the primary of Postgres, and its synchronous standby is promoted", promote),
    "pgbouncer": ("kill -9 of PgBouncer, and a new one", restart_bouncer),
    "haproxy": ("kill -9 of HAProxy, and a new one", restart_balancer),
    "unplug": ("the host of an instance, a Valkey and a sentinel vanishes, and comes back", unplug_host),
}


@asynccontextmanager
async def opened(folder: Path, keepers: OpenKeepers, *, is_bounced: bool) -> AsyncIterator[Site]:
    held = open_site(folder, keepers=keepers, is_bounced=is_bounced)
    site = await asyncio.to_thread(held.__enter__)
    try:
        yield site
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


pytestmark = [pytest.mark.in_full, pytest.mark.timeout(300), pytest.mark.usefixtures("packages")]


@pytest.fixture
def packages() -> None:
    """What no wheel carries."""
    if (what := missing()) is not None:
        pytest.skip(what)


@pytest.mark.parametrize(
    ("name", "keepers", "is_bounced"),
    [("pgbouncer", sentinels, True), ("direct", cluster, False)],
    ids=["pgbouncer", "direct"],
)
async def test_parts_are_lost(folder: Path, prove: Prove, name: str, keepers: OpenKeepers, is_bounced: bool) -> None:
    async with opened(folder, keepers, is_bounced=is_bounced) as site:
        load = Load([site.url], users=USERS, seed=3, pause=0.5, origin=ORIGIN, is_behind=True)
        await load.begin()
        for id, (injected, fault) in FAULTS.items():
            if (fault is restart_bouncer and not is_bounced) or (
                fault is unplug_host and not site.hosts.can_be_unplugged
            ):
                continue
            before = len(load.violations)
            async with load.running():
                await asyncio.sleep(CALM)
                await fault(site)
                took = await load.recover(within=RECOVERY)
            prove(
                f"C-site-{name}-{id}",
                f"three instances behind HAProxy, {USERS} people: {injected}",
                number=f"{len(load.violations) - before} violations; back after {took:.1f} s",
                bar=f"0 violations, and back within {RECOVERY:.0f} s",
                passed=len(load.violations) == before,
            )
        await load.settle()
        await load.close()
        prove(
            f"C-site-{name}",
            "after all of that everybody still has what was acknowledged to them",
            number=load.summary(),
            bar="0 violations",
            passed=not load.violations,
        )


async def test_the_balancer_is_reloaded(folder: Path, prove: Prove) -> None:
    """What an upgrade does to it; each instance is restarted the same way, gently and one by one."""
    async with opened(folder, sentinels, is_bounced=False) as site:
        load = Load([site.url], users=USERS, seed=4, pause=0.3, origin=ORIGIN, is_behind=True)
        await load.begin()
        before = load.network.seen.copy()
        assert failed(before).keys() <= {"POST auth/signup: 503 busy"}  # they all come at once
        async with load.running():
            for instance in site.instances:
                site.balancer.reload()
                await asyncio.to_thread(instance.end)
                await asyncio.to_thread(instance.start)
                await until_ready(site)
        await load.settle()
        await load.close()
        wrong = failed(load.network.seen - before)
        prove(
            "C-rolling",
            "HAProxy is reloaded and each instance restarted by SIGTERM, one by one, under load",
            number=f"{sum(wrong.values())} failed: {wrong}; {load.summary()}",
            bar="0 requests without an answer, or with 5xx",
            passed=not wrong and not load.violations,
        )


def failed(answers: Counter[str]) -> dict[str, int]:
    return {seen: count for seen, count in answers.items() if seen.split(": ")[1][0] not in "24h"}


async def until_ready(site: Site) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(is_ready, site.url):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.05)
