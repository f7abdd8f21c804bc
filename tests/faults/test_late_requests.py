"""A request arrives long after its client has given it up: an instance was frozen, or the network held it back.

The client has asked again elsewhere and gone on with what it got. Who is late must not take that away from it: not by
another successor of the same parent, and not by being taken for a thief (I5, I6).
"""

import asyncio
import signal

import httpx
import pytest

from tests.faults.conftest import WINDOW
from tests.support.faults.parts import Instance, Parts
from tests.support.people import PREFIX, Person, sign_up
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults")

LATE = float(WINDOW) + 0.5
"""Seconds, longer than a lost answer is given again."""

GIVEN_UP = 0.3


async def test_a_request_that_was_given_up_changes_nothing(parts: Parts, prove: Prove, is_proof: bool) -> None:
    frozen, other = parts.instances
    lost = 0
    async with httpx.AsyncClient(base_url=frozen.url) as there, httpx.AsyncClient(base_url=other.url) as here:
        for number in range(6 if is_proof else 2):
            ada = await sign_up(here, {"email": f"late-{number}@example.com", "password": "a long enough phrase"})
            await _be_late(ada, there, frozen, steps=1 + number % 2)
            lost += (await ada.refresh()).status_code != 200
    prove(
        "F-late-request",
        "a refresh reaches the service long after its client has hung up and asked elsewhere",
        number=lost,
        bar="0 sessions lost",
        passed=lost == 0,
    )


async def _be_late(ada: Person, there: httpx.AsyncClient, frozen: Instance, *, steps: int) -> None:
    """Of the tokens that came since then, the newest was never used."""
    before, late = await _refreshes(there), ada.refresh_token
    frozen.send(signal.SIGSTOP)
    try:
        await there.post(f"{PREFIX}/refresh", json={"refresh_token": late}, timeout=GIVEN_UP)
    except httpx.TimeoutException:
        for _ in range(steps):
            assert (await ada.refresh()).status_code == 200
        await asyncio.sleep(LATE)
    finally:
        frozen.send(signal.SIGCONT)
    async with asyncio.timeout(20):
        while await _refreshes(there) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _refreshes(api: httpx.AsyncClient) -> int:
    """How many the instance has dealt with."""
    lines = (await api.get("/metrics", timeout=20)).text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if "requests_total{" in line and "/refresh" in line)
