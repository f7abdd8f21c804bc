"""The same rules over HTTP: two processes, Postgres and Valkey of their own, and whatever clients may do to them.

After each step the rows of all sessions, and every answer, are what the reference says; what ran at the same time, in
some order. So are checked

- I1 to I5, I11 and I16 from the answers and the rows; I9 from all other rows: nothing changes that nobody asked for
- I7, I10, I12 when a session ends: its access tokens at both instances, by the denylist and by Postgres; again after
  FLUSHALL, and after an instance, Valkey or Postgres was killed and started again; and from time to time
- I13 after refreshes: an older access token; I14 after each kill, with refreshes under way; I15 while Postgres is gone

I6 and I8 are in `test_clients.py` and `test_thieves.py`, I17 and I18 are not here. What happens depends on the seed,
which a failure names; how requests that run at the same time are ordered does not.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.model import deeds, faults
from tests.support.model.machines import Machines
from tests.support.model.reference import CASES
from tests.support.model.site import Site
from tests.support.proof import Prove

SEED = 20261121
WINDOW = 10
STEPS, FAULTS = 240, 6
PROOF_STEPS, PROOF_FAULTS = 5_000, 18

FURTHER, LONGEST = 20, 3
"""Steps that are added at a time, in the short form, where something has not happened yet; how many times as many at
most."""

EXPECTED = set(CASES) - {"state_lost"}


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(window=WINDOW, folder=tmp_path)
    try:
        machines.start()
        yield machines
    finally:
        machines.stop()


@pytest.fixture
async def site(machines: Machines) -> AsyncIterator[Site]:
    yield Site(machines, SEED)
    await machines.leave()


@pytest.mark.timeout(900)
async def test_the_service_keeps_the_contract_whatever_clients_do_and_parts_fail(
    site: Site, is_proof: bool, prove: Prove
) -> None:
    await deeds.begin(site)
    steps, planned = (PROOF_STEPS, PROOF_FAULTS) if is_proof else (STEPS, FAULTS)
    done = await faults.play(site, steps, planned)
    while (
        EXPECTED - set(site.seen) and not is_proof and done < LONGEST * steps
    ):  # what comes of a step is up to others, too
        done += await faults.play(site, FURTHER, 0)
    assert EXPECTED - set(site.seen) == set()
    assert {fault.__name__ for fault in faults.FAULTS} <= set(site.seen)
    prove(
        "M-http",
        f"two processes, Postgres and Valkey: every deed of a client, and {planned} kills and flushes among them",
        number=done,
        bar=f"≥ {steps:,} steps, 0 violations",
        passed=done >= steps,
    )
