"""A Valkey dies and another one takes over that has not heard of everything: nobody who was signed out gets in."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from authapi.sessions import pulse
from tests.conftest import Start
from tests.support.cluster.hosts import Hosts
from tests.support.cluster.site import OpenKeepers
from tests.support.cluster.valkey import Keepers, cluster, freeze, sentinels, thaw
from tests.support.people import BOB, PREFIX, Person, bearer, sign_up
from tests.support.proof import Prove

NOBODY = "00000000-0000-4000-8000-000000000000"
RECOVERY, PATIENCE = 5.0, 20.0
"""Seconds after the successor was chosen; and in the short form, which runs beside other tests."""


@asynccontextmanager
async def opened(open_keepers: OpenKeepers, hosts: Hosts, folder: Path) -> AsyncIterator[Keepers]:
    held = open_keepers(hosts.each, folder)
    keepers = await asyncio.to_thread(held.__enter__)
    try:
        yield keepers
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


@pytest.mark.in_full
@pytest.mark.parametrize("kind", [sentinels, cluster])
async def test_what_was_lost_with_a_master_is_not_believed(
    start: Start, hosts: Hosts, folder: Path, prove: Prove, kind: OpenKeepers, is_proof: bool
) -> None:
    accepted, slowest = 0, 0.0
    rounds, bar = (3, RECOVERY) if is_proof else (1, PATIENCE)
    async with opened(kind, hosts, folder) as keepers, AsyncExitStack() as beats:
        ctx, api = await start(redis_url=keepers.url)
        await beats.enter_async_context(pulse.beating(ctx))
        ada = await sign_up(api)
        for number in range(rounds):
            bob = await sign_up(api, BOB | {"email": f"bob-{number}@example.com"})
            await becomes(api, "ok")
            gone = await asyncio.to_thread(keepers.master)
            others = [node for node in keepers.nodes if node is not gone]
            for node in others:
                freeze(node)
            gone.tells("CLIENT", "KILL", "TYPE", "replica")  # what follows is not sent to them any more
            assert (await bob.log_out()).status_code == 204
            gone.kill()
            for node in others:
                thaw(node)
            watching = asyncio.create_task(count_accepted(ada, bob, is_over := asyncio.Event()))
            await asyncio.to_thread(keepers.await_successor, gone)
            began = time.monotonic()
            await becomes(api, "ok")
            slowest = max(slowest, time.monotonic() - began)
            is_over.set()
            accepted += await watching + await wrong_answers(ada, bob)
            if number < rounds - 1:
                await asyncio.to_thread(gone.start)
                await asyncio.to_thread(keepers.await_replica, gone)
    where = f"C-valkey-{kind.__name__}"
    prove(
        f"{where}-lost",
        f"the master of Valkey dies before its replicas hear of a logout, {rounds} times",
        number=accepted,
        bar="0 times is the token accepted that was logged out, or one refused that was not",
        passed=accepted == 0,
    )
    prove(
        f"{where}-recovery",
        "after that its successor is used",
        number=f"{slowest:.1f} s",
        bar=f"within {RECOVERY:.0f} s of its choice, without a restart",
        passed=slowest <= bar,
    )


async def count_accepted(ada: Person, bob: Person, is_over: asyncio.Event) -> int:
    wrong = 0
    while not is_over.is_set():
        wrong += await wrong_answers(ada, bob)
        await asyncio.sleep(0.02)
    return wrong


async def wrong_answers(ada: Person, bob: Person) -> int:
    """How often Bob is let in, who has logged out, or Ada is not."""
    return ((await by_denylist(bob)).status_code != 401) + ((await by_denylist(ada)).status_code != 404)


async def by_denylist(person: Person) -> httpx.Response:
    """There is no such session, for whoever may ask."""
    return await person.api.delete(f"{PREFIX}/sessions/{NOBODY}", headers=bearer(person.access_token))


async def becomes(api: httpx.AsyncClient, mode: str) -> None:
    async with asyncio.timeout(30):
        while (await api.get("/health/ready")).json()["mode"] != mode:  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.02)
