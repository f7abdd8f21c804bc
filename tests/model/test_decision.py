"""What a refresh token means, decided against the reference in virtual time: 200,000 steps of every kind in a proof.

After each step: I1 (one current token, no more than two that move it), I2, I3, I4, I5, I9, I11, I16, and that row and
answer are what the contract says. A failure is made small by hypothesis and told as the list of what was done; the
scripts are the same in every run. I7, I10, I12, I13, I14, I15 and I17 need processes: see `test_service.py`; for I6 and
I8 see `test_clients.py` and `test_thieves.py`.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authapi.core.context import Context
from tests.support.model.decision import World
from tests.support.model.instances import open_instances
from tests.support.model.mutants import MUTANTS, Mutant
from tests.support.model.reference import CASES
from tests.support.model.watch import Violation

ACTIONS = 400
"""In one script; each is two bytes."""

WINDOWS = (0, 1, 10, 60)
STEPS, PROOF = 12_000, 200_000
"""In all windows together."""

Explore = Callable[[int, int, Counter[str], Sequence[Phase]], None]


@pytest.fixture(scope="module")
async def instances() -> AsyncIterator[dict[int, Sequence[Context]]]:
    """For each window two of them, of which one already has a newer root secret."""
    async with AsyncExitStack() as stack:
        yield {window: await stack.enter_async_context(open_instances(window)) for window in WINDOWS}


@pytest.fixture(scope="module")
def explore(instances: dict[int, Sequence[Context]]) -> Explore:
    """Plays scripts until that many steps are done, or raises Violation with the smallest one that fails."""

    def explore(window: int, steps: int, seen: Counter[str], phases: Sequence[Phase]) -> None:
        @settings(
            max_examples=-(-steps // ACTIONS),
            derandomize=True,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.binary(min_size=2 * ACTIONS, max_size=2 * ACTIONS))
        def play(script: bytes) -> None:
            World(instances[window], seen).play(script)

        play()

    return explore


def explore_all(explore: Explore) -> None:
    """As many steps as a short run has, without making small what fails."""
    for window in WINDOWS:
        explore(window, STEPS // len(WINDOWS), Counter(), [Phase.generate])


@pytest.mark.parametrize("window", WINDOWS)
def test_the_service_decides_as_the_contract_says(explore: Explore, window: int, is_proof: bool) -> None:
    seen: Counter[str] = Counter()
    explore(window, (PROOF if is_proof else STEPS) // len(WINDOWS), seen, tuple(Phase))
    never = {"replayed", "displaced", "reload"} if window == 0 else set()
    assert set(seen) == set(CASES) - never


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_in_the_decision_is_found(explore: Explore, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    with pytest.raises(Violation):
        explore_all(explore)
