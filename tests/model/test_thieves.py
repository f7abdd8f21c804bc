"""A bearer thief is found within two changes of party (I8): many at the decision, some over HTTP."""

import pytest

from tests.conftest import Instance
from tests.support.model.instances import open_instances
from tests.support.model.services import Application, Decision
from tests.support.model.thieves import KINDS, heist
from tests.support.outside import MovedClock
from tests.support.proof import Prove

THEFTS, OVER_HTTP = 300, 5


@pytest.mark.parametrize("window", [0, 1, 10, 60])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_thief_is_found_by_the_decision(kind: str, window: int, prove: Prove) -> None:
    async with open_instances(window) as instances:
        changes = {seed: await heist(Decision(instances), kind, window=window, seed=seed) for seed in range(THEFTS)}
    all_are_found(prove, f"{kind.replace(' ', '-')}-{window}s", f", {kind}, reuse window {window} s", changes)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_thief_is_found_over_http(kind: str, instance: Instance, clock: MovedClock, prove: Prove) -> None:
    application = Application(instance[1], clock)
    changes = {seed: await heist(application, kind, window=10, seed=seed) for seed in range(OVER_HTTP)}
    all_are_found(prove, f"{kind.replace(' ', '-')}-http", f" over HTTP, {kind}, reuse window 10 s", changes)


def all_are_found(prove: Prove, id: str, how: str, changes: dict[int, int]) -> None:
    """`changes` of party by the seed of each theft."""
    assert {seed: found for seed, found in changes.items() if found > 2} == {}
    prove(
        f"M-thief-{id}",
        f"{len(changes)} thieves of a bearer token{how}",
        number=max(changes.values()),
        bar="found within 2 changes of party",
        passed=max(changes.values()) <= 2,
    )
