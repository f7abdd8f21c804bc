"""What a run has found, and reads and writes as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.measure import Sample, medians
from benchmarks.peers import is_ours

BARE = "bare"


@dataclass(slots=True)
class Results:
    date: str
    machine: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    checks: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    """By operation, then contestant: a sample a round. `login_own` is login with the contestant's own hash."""
    cold: dict[str, list[float]] = field(default_factory=dict)
    """Seconds."""
    idle: dict[str, int] = field(default_factory=dict)
    """PSS in bytes."""
    after: dict[str, int] = field(default_factory=dict)
    argon2: dict[str, list[float]] = field(default_factory=dict)
    """Hashes a second of our build and parameters on the server's core, by operation: a figure a round, before it."""
    argon2_cpu: dict[str, list[float]] = field(default_factory=dict)
    """The same, µs of CPU time a hash."""
    growth: dict[str, list[float]] = field(default_factory=dict)
    """Bytes that tables and indexes have grown for each refresh, a figure a round."""
    probes: dict[str, dict[str, float]] = field(default_factory=dict)
    """What scale, storm and far_redis have found."""

    @property
    def us(self) -> str:
        """What lies in the tree; without it, the first revision that was measured."""
        return next((name for name in self.titles if name.startswith("authapi")), "authapi")

    def add(self, operation: str, contestant: str, sample: Sample) -> None:
        self.samples.setdefault(operation, {}).setdefault(contestant, []).append(sample)

    def median(self, operation: str, contestant: str) -> Sample | None:
        rounds = self.samples.get(operation, {}).get(contestant)
        return medians(rounds) if rounds else None

    def peers(self, operation: str) -> Iterator[tuple[str, Sample]]:
        """All but ours."""
        for name in self.samples.get(operation, {}):
            if not is_ours(name) and (found := self.median(operation, name)):
                yield name, found

    def bare(self, operation: str) -> Sample | None:
        """What the operation is held against: GET for checks of a session, POST with models for all else."""
        return self.median("session" if operation.startswith("session") else "refresh", BARE)


def write(results: Results, path: Path) -> None:
    path.write_text(json.dumps(asdict(results), indent=1, default=str) + "\n")


def read(path: Path) -> Results:
    raw = json.loads(path.read_text())
    raw["samples"] = {
        operation: {name: [Sample(**each) for each in rounds] for name, rounds in found.items()}
        for operation, found in raw["samples"].items()
    }
    return Results(**raw)
