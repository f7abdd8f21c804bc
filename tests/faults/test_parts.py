"""A part of the service fails under load, and comes back (issue 5 §2).

Nothing that was acknowledged is lost (I5, I14), nothing that was revoked is accepted (I10, I12), no failure looks like
bad credentials or clears a cookie (I15), and all is well within five seconds without a restart of anything else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.faults import breaking
from tests.support.faults.breaking import Fault
from tests.support.faults.load import Load
from tests.support.faults.parts import Parts
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults")

SEED = 20261121
RECOVERY = 5.0
"""Seconds."""

PATIENCE = 60.0
"""The same in the short form, which runs beside other tests."""


@dataclass(frozen=True)
class Case:
    """`seconds` that the part is away, each of three times in full."""

    id: str
    injected: str
    fault: Fault
    seconds: float = 4.0
    is_always: bool = False
    """Also in the short form."""


def _chosen(cases: Sequence[Case]) -> list[Any]:
    return [pytest.param(each, id=each.id, marks=[] if each.is_always else pytest.mark.in_full) for each in cases]


ON_PARTS = (
    Case("F-kill-app", "kill -9 of an instance", breaking.kill_app),
    Case("F-kill-postgres", "kill -9 of Postgres, which writes through to the disk", breaking.kill_postgres, 4, True),
    Case("F-kill-valkey", "kill -9 of Valkey, which comes back empty", breaking.kill_valkey, 4, True),
    Case(
        "F-freeze-app", "SIGSTOP of an instance, for longer than lost answers are given again", breaking.freeze_app, 6
    ),
    Case(
        "F-freeze-postgres", "SIGSTOP of Postgres and all its processes: the pools run dry", breaking.freeze_postgres, 6
    ),
    Case("F-freeze-valkey", "SIGSTOP of Valkey", breaking.freeze_valkey),
    Case("F-flush", "FLUSHALL five times a second", breaking.flush),
    Case("F-valkey-full", "Valkey out of memory: every write is refused", breaking.fill_valkey),
    Case("F-read-only", "Postgres read-only", breaking.read_only),
    Case("F-pool-exhausted", "a foreign lock on `sessions`: more requests than the pool has", breaking.lock_tables, 6),
)
ON_THE_NETWORK = (
    Case("F-network-cut", "every connection to Postgres and Valkey cut, ten times a second", breaking.cut_connections),
    Case("F-network-stalled", "Postgres and Valkey accept, and answer nothing", breaking.stall_network, 6),
    Case("F-network-slow", "20 ms more for every chunk to and from Postgres and Valkey", breaking.slow_network),
    Case("F-network-refused", "connections to Postgres and Valkey refused", breaking.refuse_connections),
)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", _chosen(ON_PARTS))
async def test_a_part_fails(case: Case, parts: Parts, prove: Prove, is_proof: bool) -> None:
    wrong, figures = await _suffer(case, parts, is_proof)
    prove(case.id, case.injected, number=figures, bar="0 violations, well again within 5 s", passed=wrong == [])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", _chosen(ON_THE_NETWORK))
async def test_the_network_fails(case: Case, proxied: Parts, prove: Prove, is_proof: bool) -> None:
    wrong, figures = await _suffer(case, proxied, is_proof)
    prove(case.id, case.injected, number=figures, bar="0 violations, well again within 5 s", passed=wrong == [])


async def _suffer(case: Case, parts: Parts, is_proof: bool) -> tuple[list[str], str]:
    users, times, seconds = (40, 3, case.seconds) if is_proof else (12, 1, 1.0)
    load, took = Load(parts.urls, users=users, seed=SEED, pause=0.5), 0.0
    await load.begin()
    async with load.running():
        for _ in range(times):
            await asyncio.sleep(seconds / 2)
            async with case.fault(parts):
                await asyncio.sleep(seconds)
            took = max(took, await load.recover(within=RECOVERY if is_proof else PATIENCE))
    await load.settle(parts.rows)
    await load.close()
    refreshed = load.town.done["rotated"] + load.town.done["replayed"] + load.town.done["displaced"]
    figures = f"{len(load.violations)} violations in {load.network.seen.total()} requests, well after {took:.1f} s"
    assert load.violations == [], "\n".join(load.violations)
    assert refreshed > 0
    return load.violations, figures
