"""Three minutes of `make soak`."""

from pathlib import Path

import pytest

from tests.faults import soak
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults-soak")

SEED = 20261121
MINUTES = 3.0
USERS = 100


@pytest.mark.in_full
@pytest.mark.timeout(900)
async def test_a_fault_at_random_every_twenty_seconds(prove: Prove, tmp_path: Path) -> None:
    outcome = await soak.run(MINUTES, SEED, tmp_path, print, users=USERS)
    assert outcome.violations == [], "\n".join(outcome.violations)
    prove(
        "F-soak",
        f"a fault at random every 20 s, {outcome.faults.total()} in all (`make soak` goes on for 20 minutes)",
        number=outcome.summary,
        bar="0 violations, well again within 5 s",
        passed=outcome.violations == [],
    )
