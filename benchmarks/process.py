"""Memory over 100,000 requests, and how long `authapi --help` takes."""

import subprocess
import time
from collections.abc import Callable

from benchmarks import people, proc
from benchmarks.contestant import pinned, running
from benchmarks.load import load as put
from benchmarks.peers import Peer, load
from benchmarks.servers import Backends

REQUESTS = 100_000
LONGEST = 240.0
"""Seconds."""

Say = Callable[[str], None]


def probe(backends: Backends, say: Say, peer: Peer | None = None) -> dict[str, float]:
    """PSS after 100,000 requests as a multiple of that after the first tenth; `growth` 1 is flat."""
    ours = peer or load("authapi")
    with running(ours, "none", backends, 14) as contestant:
        few = people.sign_up(contestant, people.FEW)
        done, first, begin = 0, 0.0, time.monotonic()
        while done < REQUESTS and time.monotonic() - begin < LONGEST:
            for name in ("refresh", "session"):
                seeds = people.signed_in(contestant, few, people.FEW, name)
                done += put(contestant, ours.operations[name], seeds, 4)[0].requests
            if not first and done >= REQUESTS / 10:
                first = proc.pss(contestant.pid)
        last = proc.pss(contestant.pid)
    say(f"  PSS {first / 2**20:.1f} MiB, {last / 2**20:.1f} MiB after {done} requests")
    return {"growth": last / first if first else 0.0, "requests": done, "help_seconds": _help(ours)}


def _help(peer: Peer) -> float:
    """The median of five."""
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        command = pinned([peer.environment()["PYTHON"], "-m", "authapi", "--help"])
        subprocess.run(command, env=peer.environment(), check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - begin)
    return sorted(took)[2]
