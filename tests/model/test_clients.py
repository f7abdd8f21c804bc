"""Honest clients are never logged out (I5, I6): 500 virtual days of each; over HTTP all of them in a proof only.

Over HTTP means the application in this process, with its own Postgres and Redis and a clock that is moved.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from authapi.core.context import Context
from tests.conftest import Instance
from tests.support.model.clients import Client, LoggedOut, careless_tabs, mobile, renders, simulate, tabs
from tests.support.model.instances import open_instances
from tests.support.model.services import Application, Decision
from tests.support.outside import MovedClock
from tests.support.proof import Prove

DAYS, SHORT = 500, 15
SEEDS = (6, 7)

WANTED: dict[Client, tuple[str, ...]] = {
    mobile: ("lost", "replayed", "displaced"),
    tabs: ("lost", "replayed", "displaced", "reload"),
    renders: ("lost", "replayed", "displaced"),
}
"""What each must meet in 500 days, or it was an idle one."""

clients = pytest.mark.parametrize("client", WANTED, ids=lambda client: client.__name__)


@pytest.fixture
async def instances(window: float) -> AsyncIterator[Sequence[Context]]:
    async with open_instances(window) as instances:
        yield instances


def was_busy(seen: Counter[str], client: Client) -> bool:
    return seen["rotated"] > DAYS and all(seen[each] for each in WANTED[client])


def refreshes(seen: Counter[str]) -> int:
    return seen["rotated"] + seen["replayed"] + seen["displaced"]


def told(seen: Counter[str]) -> str:
    return ", ".join(f"{number:,} {case}" for case, number in sorted(seen.items()))


@clients
@pytest.mark.parametrize("window", [10])
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_decision_logs_nobody_out(
    instances: Sequence[Context], client: Client, seed: int, prove: Prove
) -> None:
    seen = await simulate(Decision(instances), client, seed=seed, days=DAYS)
    prove(
        f"M-client-{client.__name__}-{seed}",
        f"{DAYS} virtual days at the decision: {told(seen)}",
        number=refreshes(seen),
        bar="0 false logouts, and each way to lose an answer met",
        passed=was_busy(seen, client),
    )


@clients
@pytest.mark.timeout(900)
async def test_nobody_is_logged_out_over_http(
    instance: Instance, clock: MovedClock, client: Client, is_proof: bool, prove: Prove
) -> None:
    days = DAYS if is_proof else SHORT
    seen = await simulate(Application(instance[1], clock), client, seed=SEEDS[0], days=days)
    prove(
        f"M-client-{client.__name__}-http",
        f"{days} virtual days over HTTP: {told(seen)}",
        number=refreshes(seen),
        bar="0 false logouts, and each way to lose an answer met",
        passed=was_busy(seen, client) or (not is_proof and seen["rotated"] > days),
    )


@clients
@pytest.mark.parametrize("window", [0])
async def test_strict_rotation_would_log_each_of_them_out(instances: Sequence[Context], client: Client) -> None:
    with pytest.raises(LoggedOut):
        await simulate(Decision(instances), client, seed=SEEDS[0], days=DAYS)


@pytest.mark.parametrize("window", [10])
async def test_a_late_answer_that_overwrites_a_newer_one_would_log_out(instances: Sequence[Context]) -> None:
    """Why tabs that share a store need a lock, or must compare before they set."""
    with pytest.raises(LoggedOut):
        await simulate(Decision(instances), careless_tabs, seed=SEEDS[0], days=DAYS)
