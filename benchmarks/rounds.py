"""The run: contestants side by side, each operation in rounds A/B/A/B, and what else is asked of them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import people, proc, raw
from benchmarks.contestant import Contestant, Hash, running
from benchmarks.load import CONNECTIONS, FEW_CONNECTIONS, KINDS, Failed, Vars, load
from benchmarks.measure import measure, settle
from benchmarks.peers import CannotRun, Peer, is_ours
from benchmarks.results import Results
from benchmarks.servers import Backends

SIZE = """
SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
"""


@dataclass(frozen=True, slots=True)
class Plan:
    operations: tuple[str, ...]
    own_hash: tuple[str, ...]
    """Operations that are also measured with each contestant's own hash."""
    rounds: int
    seconds: float
    logins: int
    """People who log in, and so sessions each may get."""
    logouts: int
    """A round, at most."""
    starts: int


@dataclass(slots=True)
class Side:
    """A contestant with what its next round begins with."""

    contestant: Contestant
    people: list[Vars]
    seeds: dict[str, list[Vars]]


Say = Callable[[str], None]


def run(plan: Plan, peers: Sequence[Peer], backends: Backends, results: Results, say: Say) -> None:
    """Fills the results. Raises Failed if ours gives a wrong answer; a peer that does is left out from then on."""
    if plan.operations:
        _phase(plan, peers, "none", plan.operations, backends, results, say)
    if plan.own_hash:
        hashing = [peer for peer in peers if peer.hashes]
        _phase(plan, hashing, "own", plan.own_hash, backends, results, say)


def _phase(
    plan: Plan,
    peers: Sequence[Peer],
    hash: Hash,
    operations: Sequence[str],
    backends: Backends,
    results: Results,
    say: Say,
) -> None:
    with ExitStack() as stack:
        sides = []
        for number, peer in enumerate(peers):
            try:
                starts = plan.starts if hash == "none" else 1
                contestant = stack.enter_context(running(peer, hash, backends, number, starts))
                sides.append(_ready(contestant, plan, hash))
            except CannotRun as error:
                if is_ours(peer.name):
                    raise
                results.left_out.append(str(error))
                say(str(error))
        for operation in operations:
            _rounds(plan, sides, operation, hash, backends, results, say)
        for side in sides:
            if hash == "none":
                name = side.contestant.peer.name
                results.cold[name] = side.contestant.cold
                results.idle[name], results.after[name] = side.contestant.idle, proc.pss(side.contestant.pid)


def _ready(contestant: Contestant, plan: Plan, hash: Hash) -> Side:
    return Side(contestant, people.sign_up(contestant, plan.logins if hash == "none" else people.FEW), {})


def _rounds(
    plan: Plan, sides: list[Side], operation: str, hash: Hash, backends: Backends, results: Results, say: Say
) -> None:
    for side in [side for side in sides if operation in side.contestant.peer.operations]:
        _or_leave(sides, side, results, say, lambda side=side: _begin(plan, side, operation, hash, backends))  # type: ignore[misc]
    backends.run("postgres", "CHECKPOINT")
    for side in [side for side in sides if operation in side.contestant.peer.operations]:
        _or_leave(sides, side, results, say, lambda side=side: _warm(side, operation, hash))  # type: ignore[misc]
    for number in range(plan.rounds):
        if hash == "own":
            alone = raw.argon2(seconds=plan.seconds)
            results.argon2.setdefault(f"{operation}_own", []).append(alone.rate)
            results.argon2_cpu.setdefault(f"{operation}_own", []).append(alone.cpu)
        for side in [side for side in sides if operation in side.contestant.peer.operations]:
            _or_leave(
                sides,
                side,
                results,
                say,
                lambda side=side: _round(plan, side, operation, hash, backends, results, say),  # type: ignore[misc]
            )
        say(f"  {operation}, {hash} hash: round {number + 1} of {plan.rounds}")


def _or_leave(sides: list[Side], side: Side, results: Results, say: Say, deed: Callable[[], None]) -> None:
    try:
        deed()
    except Failed as error:
        if is_ours(side.contestant.peer.name):
            raise
        sides.remove(side)
        results.left_out.append(f"{error}; it is left out from there on.")
        say(results.left_out[-1])


def _begin(plan: Plan, side: Side, operation: str, hash: Hash, backends: Backends) -> None:
    _seed(plan, side, operation, hash)
    backends.run(side.contestant.database, "VACUUM ANALYZE")


def _warm(side: Side, operation: str, hash: Hash) -> None:
    """A second of load after the checkpoint, so that the first write of each page is over."""
    if KINDS[operation] == "once":
        return
    connections = CONNECTIONS if hash == "none" else FEW_CONNECTIONS
    definition = side.contestant.peer.operations[operation]
    load(side.contestant, definition, side.seeds[operation], 1, connections=connections)
    settle(side.contestant.pid)  # hashes that nobody waits for any more would take the core from whoever is next


def _seed(plan: Plan, side: Side, operation: str, hash: Hash) -> None:
    few = side.people[: people.FEW]
    match KINDS[operation]:
        case "unique":
            side.seeds[operation] = []
        case "once":
            count = plan.logouts if hash == "none" else people.FEW
            side.seeds[operation] = people.signed_in(side.contestant, side.people, count, operation)
        case "round" if operation == "login":
            side.seeds[operation] = side.people
        case _:
            side.seeds[operation] = people.signed_in(side.contestant, few, people.FEW, operation)


def _round(plan: Plan, side: Side, operation: str, hash: Hash, backends: Backends, results: Results, say: Say) -> None:
    contestant = side.contestant
    definition = contestant.peer.operations[operation]
    if KINDS[operation] in ("once", "chain"):  # tokens under way at the end of a load are lost
        _seed(plan, side, operation, hash)
    size = backends.value(contestant.database, SIZE)
    sample = measure(contestant, definition, side.seeds[operation], plan.seconds, backends)
    name = operation if hash == "none" else f"{operation}_own"
    if operation == "refresh":
        grown = backends.value(contestant.database, SIZE) - size
        results.growth.setdefault(contestant.peer.name, []).append(grown / max(1.0, sample.rate * plan.seconds))
    results.add(name, contestant.peer.name, sample)
    say(
        f"{name:18} {contestant.peer.title:22} {sample.rate:8.0f}/s  {sample.p50:6.1f}/{sample.p99:6.1f} ms  "
        f"{sample.cpu:6.0f} µs  pg {sample.postgres:5.0f} µs  wal {sample.wal:5.0f}  "
        f"statements {sample.statements:4.1f}  others {sample.foreign:4.0%}"
    )
