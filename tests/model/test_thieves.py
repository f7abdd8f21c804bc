"""A bearer thief is found within two changes of party (I8): many at the decision, some over HTTP."""

import pytest

from tests.conftest import Instance
from tests.support.model.instances import open_instances
from tests.support.model.services import Application, Decision
from tests.support.model.thieves import KINDS, heist
from tests.support.outside import MovedClock

THEFTS, OVER_HTTP = 300, 5


@pytest.mark.parametrize("window", [0, 1, 10, 60])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_thief_is_found_by_the_decision(kind: str, window: int) -> None:
    async with open_instances(window) as instances:
        changes = {seed: await heist(Decision(instances), kind, window=window, seed=seed) for seed in range(THEFTS)}
    assert {seed: found for seed, found in changes.items() if found > 2} == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_thief_is_found_over_http(kind: str, instance: Instance, clock: MovedClock) -> None:
    application = Application(instance[1], clock)
    for seed in range(OVER_HTTP):
        assert await heist(application, kind, window=10, seed=seed) <= 2, f"seed {seed}"
