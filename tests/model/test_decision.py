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
from tests.support.proof import Prove

ACTIONS, SURE = 400, 370
"""In one script, each two bytes; and how many of them are steps, at least in the mean. The rest does nothing."""

WINDOWS = (0, 1, 10, 60)
STEPS, PROOF = 12_000, 200_000
"""In all windows together."""

Explore = Callable[[int, int, Counter[str], Sequence[Phase]], int]


@pytest.fixture(scope="module")
async def instances() -> AsyncIterator[dict[int, Sequence[Context]]]:
    """For each window two of them, of which one already has a newer root secret."""
    async with AsyncExitStack() as stack:
        yield {window: await stack.enter_async_context(open_instances(window)) for window in WINDOWS}


@pytest.fixture(scope="module")
def explore(instances: dict[int, Sequence[Context]]) -> Explore:
    """Plays that many steps, and says how many they were; or raises Violation with the smallest script that fails."""

    def explore(window: int, steps: int, seen: Counter[str], phases: Sequence[Phase]) -> int:
        done = 0

        @settings(
            max_examples=-(-steps // SURE),
            derandomize=True,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.binary(min_size=2 * ACTIONS, max_size=2 * ACTIONS))
        def play(script: bytes) -> None:
            nonlocal done
            world = World(instances[window], seen)
            world.play(script)
            done += world.steps

        play()
        return done

    return explore


def first_violation(explore: Explore) -> str | None:
    """In as many steps as a short run has, without making small what fails."""
    try:
        for window in WINDOWS:
            explore(window, STEPS // len(WINDOWS), Counter(), [Phase.generate])
    except Violation as violation:
        return str(violation).partition("\n")[0]
    return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("window", WINDOWS)
def test_the_service_decides_as_the_contract_says(explore: Explore, window: int, is_proof: bool, prove: Prove) -> None:
    seen: Counter[str] = Counter()
    steps = (PROOF if is_proof else STEPS) // len(WINDOWS)
    done = explore(window, steps, seen, tuple(Phase))
    never = {"replayed", "displaced", "reload"} if window == 0 else set()
    assert set(seen) == set(CASES) - never
    prove(
        f"M-decision-{window}s",
        f"steps of every kind against the reference, in virtual time, reuse window {window} s",
        number=done,
        bar=f"≥ {steps:,} steps in this window, {steps * len(WINDOWS):,} in all; 0 violations",
        passed=done >= steps,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_in_the_decision_is_found(
    explore: Explore, mutant: Mutant, monkeypatch: pytest.MonkeyPatch, prove: Prove
) -> None:
    mutant.plant(monkeypatch)
    found = first_violation(explore)
    prove(
        f"M-mutant-{1 + MUTANTS.index(mutant):02}",
        f"a fault planted in the decision, one of {len(MUTANTS)}: {mutant.name}",
        number=found or "not found",
        bar=f"found within {STEPS:,} steps",
        passed=found is not None,
    )
