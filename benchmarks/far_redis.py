"""How much of its rate the session check keeps when each round trip to Redis takes a millisecond more."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks import people
from benchmarks.contestant import running
from benchmarks.measure import Sample, measure, medians
from benchmarks.peers import ROOT, Peer, load
from benchmarks.servers import Backends

ROUNDS, SECONDS = 3, 3.0
DELAY = 1.0
"""Milliseconds."""

Say = Callable[[str], None]


def probe(backends: Backends, say: Say, peer: Peer | None = None) -> dict[str, float]:
    """Both sides go through the same proxy, one without its delay, so that only the delay makes the difference."""
    ours = peer or load("authapi")
    near, far = (replace(ours, name=f"authapi_{name}", title=name) for name in ("near", "far"))
    samples: dict[str, list[Sample]] = {"near": [], "far": []}
    with (
        _proxied(backends, 12, 0) as to_near,
        _proxied(backends, 13, DELAY) as to_far,
        running(near, "none", backends, 12, REDIS_URL=to_near) as one,
        running(far, "none", backends, 13, REDIS_URL=to_far) as other,
    ):
        for _ in range(ROUNDS):
            for each in (one, other):
                seeds = people.signed_in(each, people.sign_up(each, people.FEW), people.FEW, "session")
                sample = measure(each, each.peer.operations["session"], seeds, SECONDS, backends)
                samples[each.peer.title].append(sample)
    near_rate, far_rate = medians(samples["near"]).rate, medians(samples["far"]).rate
    others = max(sample.foreign for rounds in samples.values() for sample in rounds)
    say(f"  session {near_rate:.0f}/s, {far_rate:.0f}/s with Redis {DELAY} ms further away")
    return {"share": far_rate / near_rate, "near": near_rate, "far": far_rate, "others": others}


@contextmanager
def _proxied(backends: Backends, number: int, delay: float) -> Iterator[str]:
    """A Redis URL that leads through a proxy."""
    command = [sys.executable, "-m", "benchmarks.delay", str(backends.valkey.port), str(delay)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"redis://127.0.0.1:{int(process.stdout.readline())}/{number}"
    finally:
        process.terminate()
        process.wait()
