"""Parts of the site fail between its steps, and while requests are under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.support.model.deeds import DEEDS
from tests.support.model.orders import Request
from tests.support.model.site import Site
from tests.support.model.watch import Violation
from tests.support.people import PREFIX, bearer

RECOVERY = 5.0
"""Seconds in which the service must be well again when its parts are."""

Fault = Callable[[Site], Awaitable[None]]


async def step(site: Site) -> None:
    deeds, weights = zip(*DEEDS, strict=True)
    await site.chance.choices(deeds, weights)[0](site)
    if not any(site.lives(record) for record in site.records):
        await site.begin("/login", site.accounts[0])


async def flush(site: Site) -> None:
    """An empty Redis is not believed: what has ended stays refused, at once."""
    await site.machines.flush()
    site.note("FLUSHALL")
    await _refuse_the_ended(site, within=0)


async def lose_valkey(site: Site) -> None:
    """Everything goes on without it; and it comes back empty."""
    site.machines.kill_valkey()
    site.note("kill -9 Valkey")
    for _ in range(8):
        await step(site)
    site.machines.start_valkey()
    site.note("Valkey is back")
    await _refuse_the_ended(site, within=0)


async def lose_instance(site: Site) -> None:
    """With refreshes under way. What was answered holds; what was not may have been done."""
    instance, record, early = site.any_instance(), site.any_record(), site.machines.now()
    token = record.tokens[-1]
    under_way = [asyncio.create_task(site.send(record, token, instance)) for _ in range(3)]
    await asyncio.sleep(site.chance.random() * 0.008)
    instance.kill()
    requests = await asyncio.gather(*under_way)
    await instance.forget()
    site.note(f"kill -9 {instance.port}; {record.id} {requests}")
    instance.start()
    await site.settle(early, {record.id: requests}, ended={})
    await _refuse_the_ended(site, within=0)


async def lose_postgres(site: Site) -> None:
    """With refreshes under way. Then 503 and nothing else, until it is back with all that was answered."""
    record, early = site.any_record(), site.machines.now()
    site.is_down = True
    token = record.tokens[-1]
    under_way = [asyncio.create_task(site.send(record, token, site.any_instance())) for _ in range(4)]
    await asyncio.sleep(site.chance.random() * 0.008)
    site.machines.kill_postgres()
    requests: Sequence[Request] = await asyncio.gather(*under_way)
    site.note(f"kill -9 Postgres; {record.id} {requests}")
    for instance in site.machines.instances:
        account = record.owner
        site.unavailable(await site.post(instance, "/login", account.credentials))
        site.unavailable(await site.post(instance, "/refresh", {"refresh_token": record.text(token)}))
        site.unavailable(await site.post(instance, "/logout", {"refresh_token": record.text(token)}))
    site.machines.start_postgres()
    await _recover(site)
    site.is_down = False
    await site.settle(early, {record.id: list(requests)}, ended={})
    await _refuse_the_ended(site, within=0)


async def _recover(site: Site) -> None:
    deadline, token = time.monotonic() + RECOVERY, site.records[-1].access[-1]
    for instance in site.machines.instances:
        statuses = {503}
        while 503 in statuses:
            if time.monotonic() > deadline:
                raise Violation(f"I15: not well again {RECOVERY} s after Postgres was")
            paths = (f"{PREFIX}/session", f"{PREFIX}/sessions", "/health/ready") * 3
            statuses = {(await instance.client.get(path, headers=bearer(token))).status_code for path in paths}
            await asyncio.sleep(0.02)


async def _refuse_the_ended(site: Site, *, within: float) -> None:
    for record in site.records:
        if record.is_ended:
            await site.refused(record, within=within)


FAULTS: tuple[Fault, ...] = (flush, lose_instance, lose_valkey, flush, lose_instance, lose_postgres)


async def play(site: Site, steps: int, faults: int) -> int:
    """So many steps, with so many faults among them at equal distances; returns how many were done.

    Raises Violation, with what was done lately.
    """
    number = 0
    try:
        for number in range(1, steps + 1):
            await step(site)
            if number * faults // steps > (number - 1) * faults // steps:
                fault = FAULTS[number * faults // steps % len(FAULTS)]
                await fault(site)
                site.seen[fault.__name__] += 1
    except AssertionError as error:
        trail = "\n".join(site.trail)
        raise Violation(f"{error}\nseed {site.seed}, step {number}; what was done at last:\n{trail}") from error
    return number
