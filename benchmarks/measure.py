"""One measured load: what it did to the server's, Postgres's and Redis's counters, a request."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from benchmarks import proc
from benchmarks.contestant import Contestant
from benchmarks.load import CONNECTIONS, FEW_CONNECTIONS, Loaded, Vars, load
from benchmarks.peers import Operation
from benchmarks.servers import SERVER_CORE, Backends

QUIET = 0.15
"""Seconds without CPU time after which what was under way at the end of a load is taken to be done."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round, or the medians of several. CPU in µs a request, times in ms, the rest as in `servers.Counted`."""

    rate: float
    p50: float
    p99: float
    cpu: float
    postgres: float
    redis: float
    wal: float
    statements: float
    writes: float
    commands: float
    foreign: float
    """Share of the server's core that others took, so a measure of how much to believe the rest."""


def measure(
    contestant: Contestant, operation: Operation, seeds: Sequence[Vars], seconds: float, backends: Backends
) -> Sample:
    """Raises Failed."""
    counted = backends.counted(contestant.database)
    time.sleep(0.05)
    roots = (contestant.pid, backends.postgres.pid, backends.valkey.pid)
    before = [proc.cpu_seconds(root) for root in roots]
    busy, clock = proc.busy_seconds(SERVER_CORE), time.perf_counter()
    connections = CONNECTIONS if contestant.hash == "none" else FEW_CONNECTIONS
    loaded, _ = load(contestant, operation, seeds, seconds, connections=connections)
    settle(contestant.pid)
    elapsed = time.perf_counter() - clock
    used = [proc.cpu_seconds(root) - start for root, start in zip(roots, before, strict=True)]
    foreign = (proc.busy_seconds(SERVER_CORE) - busy - used[0]) / elapsed
    change = backends.counted(contestant.database) - counted
    return _sample(loaded, used, foreign, asdict(change))


def medians(samples: Sequence[Sample]) -> Sample:
    return Sample(*(statistics.median(getattr(sample, field.name) for sample in samples) for field in fields(Sample)))


def _sample(loaded: Loaded, used: Sequence[float], foreign: float, change: dict[str, int]) -> Sample:
    server, postgres, redis = (1e6 * each / max(1, loaded.sent) for each in used)
    return Sample(
        rate=loaded.rate,
        p50=loaded.p50,
        p99=loaded.p99,
        cpu=server,
        postgres=postgres,
        redis=redis,
        foreign=max(0.0, foreign),
        **{name: change[name] / max(1, loaded.sent) for name in ("wal", "statements", "writes", "commands")},
    )


def settle(pid: int, longest: float = 3.0) -> None:
    """Returns when the server has nothing left to do."""
    end = time.monotonic() + longest
    last = proc.cpu_seconds(pid)
    while time.monotonic() < end:
        time.sleep(QUIET)
        now = proc.cpu_seconds(pid)
        if now - last <= 2 / proc.TICK:
            return
        last = now
