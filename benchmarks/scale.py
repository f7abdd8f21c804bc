"""What a request costs, and a session weighs, with 10^4, 10^5 and 10^6 sessions in the database."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from benchmarks import people
from benchmarks.contestant import Contestant, running
from benchmarks.load import Vars
from benchmarks.measure import Sample, measure
from benchmarks.peers import Peer, load
from benchmarks.rounds import Side
from benchmarks.servers import Backends

SIZES = (10_000, 100_000, 1_000_000)
OPERATIONS = ("refresh", "session", "login", "list")
EACH = 4
"""Sessions a person."""

SECRET = "a secret for nothing but measurements, 48 characters"
"""As in peers/authapi/start.sh."""

ROUNDS, SECONDS = 3, 2.0
ENDED = "UPDATE sessions SET ended_at = now() - interval '90 days', end_reason = 'logout' WHERE label = 'ballast'"
PURGE = """
import asyncio
from authapi.core import settings
from authapi.core.context import open_context
from authapi.sessions import jobs
async def main():
    async with open_context(settings.load()) as ctx:
        await jobs.purge(ctx)
asyncio.run(main())
"""
SIZE = "SELECT pg_total_relation_size('sessions')"
COLUMNS = """
SELECT string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = '{}'
"""

Say = Callable[[str], None]


def probe(backends: Backends, say: Say, peer: Peer | None = None) -> dict[str, float]:
    """The cost at 10^6 as a multiple of that at 10^4; bytes a session; what the purge does to the p99 of refresh."""
    ours = peer or load("authapi")
    with ExitStack() as stack:
        sides = [_side(stack, ours, backends, 10 + place, size) for place, size in enumerate(SIZES)]
        sizes = [
            backends.value(side.contestant.database, "SELECT pg_total_relation_size('sessions')") for side in sides
        ]
        found = {}
        for name in OPERATIONS:
            costs = _costs(sides, name, backends)
            found[name] = costs[-1] / costs[0]
            say(f"  {name}: " + ", ".join(f"{cost:.0f} µs" for cost in costs) + " with 10^4, 10^5, 10^6 sessions")
        found["bytes_a_session"] = (sizes[-1] - sizes[0]) / (SIZES[-1] - SIZES[0])
        found["sweep"] = _sweep(sides[-1].contestant, sides[-1].people, backends)
        say(f"  {found['bytes_a_session']:.0f} bytes a session; purge of 10^6: refresh p99 {found['sweep']:.2f} ×")
        return found


def _side(stack: ExitStack, ours: Peer, backends: Backends, number: int, size: int) -> Side:
    peer = replace(ours, name=f"authapi_of_{size}", title=f"{size} sessions")
    contestant = stack.enter_context(running(peer, "none", backends, number))
    few = people.sign_up(contestant, people.FEW)
    people.signed_in(contestant, few, people.FEW, "refresh")
    _fill(contestant, backends, size)
    return Side(contestant, few, {})


def _costs(sides: Sequence[Side], name: str, backends: Backends) -> list[float]:
    """µs of CPU of server and Postgres together, for either may pay where there is more to search; in turns."""
    samples: list[list[Sample]] = [[] for _ in sides]
    for number in range(ROUNDS + 1):
        for side, rounds in zip(sides, samples, strict=True):
            contestant = side.contestant
            seeds = side.people if name == "login" else people.signed_in(contestant, side.people, people.FEW, name)
            sample = measure(contestant, contestant.peer.operations[name], seeds, SECONDS, backends)
            rounds.extend([sample] if number else [])  # the first one warms up
            _forget(contestant, backends)
    return [median(sample.cpu + sample.postgres for sample in rounds) for rounds in samples]


def _forget(contestant: Contestant, backends: Backends) -> None:
    """The sessions of those who logged in for the measurement: they would grow beyond what a person has."""
    newest = "SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC) AS place FROM sessions"
    mine = "label IS DISTINCT FROM 'ballast'"
    backends.run(
        contestant.database,
        f"DELETE FROM sessions USING ({newest} WHERE {mine}) AS old WHERE old.id = sessions.id AND old.place > {EACH}",
    )


def _fill(contestant: Contestant, backends: Backends, size: int) -> None:
    """Copies of a real person with their credentials and sessions, until there are so many sessions."""
    have = int(backends.value(contestant.database, "SELECT count(*) FROM sessions"))
    first = int(backends.value(contestant.database, "SELECT count(*) FROM users"))
    wanted = max(0, size - have) // EACH
    email = "'ballast' || g || '@example.com'"
    chosen = f"generate_series({first}, {first + wanted - 1}) AS g"
    new = "users AS u WHERE u.email LIKE 'ballast%' AND NOT EXISTS (SELECT FROM {} AS t WHERE t.user_id = u.id)"
    bare = "credentials AS c WHERE NOT EXISTS (SELECT FROM passwords AS t WHERE t.credential_id = c.id)"
    four = new.format("sessions").replace(" AS u WHERE", f" AS u, generate_series(1, {EACH}) WHERE")
    label = {"id": "uuidv7()", "user_id": "u.id", "label": "'ballast'"}
    copies = (
        ("users", {"id": "uuidv7()", "email": email, "email_key": email}, chosen),
        ("credentials", {"id": "uuidv7()", "user_id": "u.id"}, new.format("credentials")),
        ("passwords", {"credential_id": "c.id"}, bare),
        ("sessions", label, four),
    )
    for table, changed, source in copies:
        backends.run(contestant.database, _copy(contestant, backends, table, changed, source))
    backends.run(contestant.database, "VACUUM ANALYZE", "CHECKPOINT")


def _copy(contestant: Contestant, backends: Backends, table: str, changed: dict[str, str], source: str) -> str:
    """Every column as in some row that is there, but for the changed ones: this outlives changes of the schema."""
    names = backends.text(contestant.database, COLUMNS.format(table)).split(",")
    values = ", ".join(changed.get(name, f"s.{name}") for name in names)
    tables, _, condition = source.partition(" WHERE ")
    where = f"WHERE {condition}" if condition else ""
    sample = f"(SELECT * FROM {table} LIMIT 1) AS s"
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {sample}, {tables} {where}"


def _sweep(contestant: Contestant, few: list[Vars], backends: Backends) -> float:
    """p99 of refresh while housekeeping deletes 10^6 rows, as a multiple of that before."""
    operation = contestant.peer.operations["refresh"]

    def p99() -> float:
        seeds = people.signed_in(contestant, few, people.FEW, "refresh")
        return measure(contestant, operation, seeds, 4, backends).p99

    backends.run(contestant.database, ENDED, "VACUUM ANALYZE sessions", "CHECKPOINT")
    before = sorted(p99() for _ in range(ROUNDS))[ROUNDS // 2]
    environment = contestant.peer.environment(**contestant.environment)
    environment |= {f"AUTHAPI_{name}": environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    environment |= {"AUTHAPI_ENV": "development", "AUTHAPI_SECRET": SECRET}
    purge = subprocess.Popen([environment["PYTHON"], "-c", PURGE], env=environment)
    during: list[float] = []
    try:
        while purge.poll() is None and len(during) < ROUNDS:
            during.append(p99())
    finally:
        purge.terminate()
        purge.wait()
    return sorted(during)[len(during) // 2] / before if during else 0.0
