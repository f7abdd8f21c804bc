"""`python -m tests.faults.soak --minutes 20`: a crowd of people, and a fault at random every twenty seconds."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.faults import breaking
from tests.support.faults.breaking import Fault
from tests.support.faults.load import Load
from tests.support.faults.parts import Parts

FAULTS: tuple[Fault, ...] = (
    *(breaking.kill_app, breaking.kill_worker, breaking.kill_postgres, breaking.kill_valkey),
    *(breaking.freeze_app, breaking.freeze_worker, breaking.freeze_postgres, breaking.freeze_valkey),
    *(breaking.flush, breaking.fill_valkey, breaking.read_only, breaking.lock_tables),
)
"""Not those of the network: a proxy in this process, which has a crowd to drive, would be a fault of its own."""
EVERY = 20.0
SHORTEST, LONGEST = 1.0, 8.0
RECOVERY = 5.0
USERS, PAUSE = 200, 2.0
"""People, and the seconds that each waits between two calls on average."""

Say = Callable[[str], None]


@dataclass
class Outcome:
    """`slowest` is how many seconds it took at most until all was well again."""

    violations: list[str]
    summary: str
    slowest: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)


async def run(minutes: float, seed: int, folder: Path, say: Say, *, users: int = USERS) -> Outcome:
    chance = random.Random(seed)  # noqa: S311
    parts = Parts(folder, is_durable=True)
    try:
        await parts.start()
        await asyncio.to_thread(parts.worker.start)
        load = Load(parts.urls, users=users, seed=seed, pause=PAUSE)
        outcome = Outcome(load.violations, "")
        await load.begin()
        say(f"seed {seed}; {load.summary()}")
        async with load.running():
            until = time.monotonic() + minutes * 60
            while time.monotonic() < until:
                await _suffer(parts, load, outcome, chance, say)
        await load.settle(parts.rows)
        await load.close()
        outcome.summary = load.summary()
        return outcome
    finally:
        await parts.stop()


async def _suffer(parts: Parts, load: Load, outcome: Outcome, chance: random.Random, say: Say) -> None:
    fault, seconds, began = chance.choice(FAULTS), chance.uniform(SHORTEST, LONGEST), time.monotonic()
    known = len(load.violations)
    async with fault(parts):
        await asyncio.sleep(seconds)
    took = await load.recover(within=RECOVERY)
    outcome.faults[fault.__name__] += 1
    outcome.slowest = max(outcome.slowest, took)
    say(f"{fault.__name__} for {seconds:.1f} s, well after {took:.1f} s; {load.summary()}")
    for violation in load.violations[known:]:
        say(f"  VIOLATION {violation}")
    await asyncio.sleep(max(0.0, began + EVERY - time.monotonic()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--users", type=int, default=USERS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="authapi-soak-") as folder:
        outcome = asyncio.run(run(asked.minutes, asked.seed, Path(folder), _say, users=asked.users))
    for violation in outcome.violations:
        _say(f"VIOLATION {violation}")
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items()))
    _say(f"{outcome.faults.total()} faults ({kinds}), well again after {outcome.slowest:.1f} s at most")
    _say(outcome.summary)
    return 1 if outcome.violations else 0


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
