"""What everybody else notices while many log in at once, on all cores, with the real hash."""

import asyncio
import threading
import time
from collections.abc import Callable

import httpx

from benchmarks import people, raw
from benchmarks.contestant import Contestant, running
from benchmarks.load import Loaded, Vars
from benchmarks.load import load as put
from benchmarks.peers import Peer, load
from benchmarks.servers import Backends

QUEUED = 200
CORES = "0,1"
CONNECTIONS = 8
SECONDS, ROUNDS = 4.0, 3

Say = Callable[[str], None]


def probe(backends: Backends, say: Say, peer: Peer | None = None) -> dict[str, float]:
    with running(peer or load("authapi"), "own", backends, 11, cores=CORES) as contestant:
        few = people.sign_up(contestant, people.FEW)
        seeds = people.signed_in(contestant, few, people.FEW, "session")
        rounds = [(_session(contestant, seeds), *_stormed(contestant, seeds, few)) for _ in range(ROUNDS)]
        alone, during, logins = (
            sorted(column, key=lambda each: each.rate)[ROUNDS // 2] for column in zip(*rounds, strict=True)
        )
        say(
            f"  session {alone.rate:.0f}/s, {during.rate:.0f}/s while {logins.rate:.0f} log in; p99 {during.p99:.1f} ms"
        )
        found = {"share": during.rate / alone.rate, "p99": during.p99, "p99_alone": alone.p99, "logins": logins.rate}
        found["login_shared"] = _shared(contestant, few)
        found |= asyncio.run(_queued(contestant, few))
        say(f"  {QUEUED} logins at once: {found['refused']:.0f} refused within {found['refused_within']:.2f} s")
        return found


def _shared(contestant: Contestant, few: list[Vars]) -> float:
    """Logins a second on all cores as a share of what as many threads hash there, with nothing else to do."""
    operation = contestant.peer.operations["login"]
    shares = []
    for _ in range(ROUNDS):
        alone = raw.argon2(CORES, threads=2, seconds=2).rate
        shares.append(put(contestant, operation, few, SECONDS, connections=CONNECTIONS)[0].rate / alone)
    return sorted(shares)[ROUNDS // 2]


def _session(contestant: Contestant, seeds: list[Vars]) -> Loaded:
    return put(contestant, contestant.peer.operations["session"], seeds, SECONDS)[0]


def _stormed(contestant: Contestant, seeds: list[Vars], few: list[Vars]) -> tuple[Loaded, Loaded]:
    logins: list[Loaded] = []

    def log_in() -> None:
        operation = contestant.peer.operations["login"]
        logins.append(put(contestant, operation, few, SECONDS + 1, connections=CONNECTIONS, strict=False)[0])

    storm = threading.Thread(target=log_in)
    storm.start()
    time.sleep(0.5)
    session = _session(contestant, seeds)
    storm.join()
    return session, logins[0]


async def _queued(contestant: Contestant, few: list[Vars]) -> dict[str, float]:
    """All at once: how many were refused, when the last of them knew, and when the last one was in."""
    operation = contestant.peer.operations["login"]
    limits = httpx.Limits(max_connections=QUEUED)
    answers: dict[int, list[float]] = {200: [], 503: []}

    async def log_in(client: httpx.AsyncClient, person: Vars) -> None:
        body = people.fill(operation.body or "", person)
        answer = await client.post(operation.path, content=body, headers=operation.headers)
        answers.setdefault(answer.status_code, []).append(time.perf_counter() - begin)

    async with httpx.AsyncClient(base_url=contestant.url, limits=limits, timeout=60) as client:
        begin = time.perf_counter()
        await asyncio.gather(*(log_in(client, few[number % len(few)]) for number in range(QUEUED)))
    return {
        "admitted": len(answers[200]),
        "refused": len(answers[503]),
        "other_answers": sum(len(times) for status, times in answers.items() if status not in (200, 503)),
        "refused_within": max(answers[503], default=0.0),
        "admitted_within": max(answers[200], default=0.0),
    }
