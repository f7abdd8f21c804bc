"""The bars of the issue: what was asked, what was measured, and whether that is enough."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Sample
from benchmarks.results import BARE, Results

PYTHON = ("allauth", "fastapi_users", "simplejwt")
NEVER = "not in this run"


@dataclass(frozen=True, slots=True)
class Bar:
    area: str
    asked: str
    measured: str
    passed: bool | None
    """None: this run has not measured what it takes."""


Figure = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    return sample.rate


def thrift(sample: Sample) -> float:
    """Requests a second of CPU time: like the rate, but steadier where others work on the machine, too."""
    return 1e6 / sample.cpu if sample.cpu else 0.0


def all_bars(results: Results) -> list[Bar]:
    return [
        *_refresh(results),
        *_session(results),
        *_sign_in(results),
        *_logout(results),
        *_process(results),
        *_probes(results),
    ]


def _refresh(results: Results) -> Iterator[Bar]:
    us = results.median("refresh", results.us)
    peers = dict(results.peers("refresh"))
    node = peers.get("oidc_provider")
    python = _best(peers[name] for name in PYTHON if name in peers)
    yield _against("refresh", "2 × oidc-provider (then 3.3)", us, node, 2)
    yield _against("refresh", "8 × the best Python peer (then 14)", us, python, 8)
    yield _against("refresh", "0.33 × bare FastAPI POST (then 0.55)", us, results.median("refresh", BARE), 0.33)
    if us is None:
        return
    yield _most("refresh", "p99 ≤ 2.5 × p50", us.p99 / us.p50 if us.p50 else 99, 2.5, " ×")
    yield _most("refresh", "one statement", us.statements, 1.1, "")
    yield _most("refresh", "one commit", us.writes, 1.1, "")
    yield _most("refresh", "no Redis in its path", us.commands, 0.1, " commands")
    yield _most("refresh", "Postgres ≤ 75 µs", us.postgres, 75, " µs")
    yield _most("refresh", "WAL ≤ 250 bytes", us.wal, 250, " bytes")
    yield _most("refresh", "no growth of any table", median(results.growth.get(results.us, [0.0])), 2, " bytes each")


def _session(results: Results) -> Iterator[Bar]:
    us = results.median("session", results.us)
    honest = _best(sample for _, sample in results.peers("session"))
    stateless = _best(sample for _, sample in results.peers("session_stateless"))
    yield _against("session", "3 × the best peer that can revoke", us, honest, 3)
    yield _against("session", "1.0 × the stateless one (then 3)", us, stateless, 1)
    yield _against("session", "0.33 × bare FastAPI GET", us, results.median("session", BARE), 0.33)


def _sign_in(results: Results) -> Iterator[Bar]:
    for operation in ("login", "signup"):
        yield _hashed(results, operation)
        best = _best(sample for _, sample in results.peers(operation))
        yield _against(operation, "5 × the best peer, without the hash", results.median(operation, results.us), best, 5)


def _hashed(results: Results, operation: str) -> Bar:
    """Each round against Argon2 just before it. The rate decides, which is what was asked; CPU time is shown, too."""
    asked = "0.90 × the raw Argon2 rate on the same core"
    own = results.samples.get(f"{operation}_own", {}).get(results.us, ())
    if not own:
        return Bar(operation, asked, NEVER, None)
    rates, costs = results.argon2[f"{operation}_own"], results.argon2_cpu[f"{operation}_own"]
    by_cpu = median(cost / each.cpu for each, cost in zip(own, costs, strict=True))
    by_rate = median(each.rate / rate for each, rate in zip(own, rates, strict=True))
    return Bar(operation, asked, f"{by_cpu:.2f} × by CPU, {by_rate:.2f} × by rate", by_rate >= 0.9)


def _logout(results: Results) -> Iterator[Bar]:
    best = _best(sample for _, sample in results.peers("logout"))
    yield _against("logout", "5 × the best peer", results.median("logout", results.us), best, 5)


def _process(results: Results) -> Iterator[Bar]:
    other = "fastapi_users"
    sizes = (results.after.get(results.us), results.after.get(other))
    share = sizes[0] / sizes[1] if sizes[0] and sizes[1] else None
    yield _most("memory", "PSS ≤ fastapi-users' after the same load", share, 1, " ×")
    ours, theirs = results.cold.get(results.us), results.cold.get(other)
    slower = median(ours) / median(theirs) if ours and theirs else None
    yield _most("cold start", "≤ fastapi-users'", slower, 1, " ×")
    yield _most("memory", "flat over 100,000 requests", _probe(results, "process", "growth"), 1.03, " ×")
    yield _most("cold start", "`authapi --help` ≤ 0.3 s", _probe(results, "process", "help_seconds"), 0.3, " s")


def _probes(results: Results) -> Iterator[Bar]:
    for operation in ("refresh", "session", "login", "list"):
        asked = f"{operation}: cost at 10^6 sessions ≤ 1.15 × that at 10^4"
        yield _most("scale", asked, _probe(results, "scale", operation), 1.15, " ×")
    yield _most("scale", "housekeeping of 10^6 rows: refresh p99 ≤ 1.5 ×", _probe(results, "scale", "sweep"), 1.5, " ×")
    asked = "login: 0.85 × the raw Argon2 rate when Postgres and load share the cores"
    yield _least("login", asked, _probe(results, "storm", "login_shared"), 0.85)
    yield _most("storm", "session p99 while 8 log in ≤ 20 ms", _probe(results, "storm", "p99"), 20, " ms")
    yield _least("storm", "0.50 × its own rate then", _probe(results, "storm", "share"), 0.5)
    yield _most("storm", "200 logins queued: the last 503 ≤ 2 s", _probe(results, "storm", "refused_within"), 2, " s")
    for operation in ("login", "signup", "forgot", "resend"):
        asked = f"{operation}: five kinds of address, medians no further apart than chance"
        yield _most("enumeration", asked, _enumeration(results, operation), 1, " × the noise")
    yield _least("far Redis", "session keeps 0.70 × its rate at +1 ms", _probe(results, "far_redis", "share"), 0.7)


def _probe(results: Results, name: str, figure: str) -> float | None:
    return results.probes.get(name, {}).get(figure)


def _enumeration(results: Results, operation: str) -> float | None:
    spread, noise = (_probe(results, "enumeration", f"{operation}_{name}") for name in ("spread", "noise"))
    return spread / noise if spread is not None and noise else None


def _best(samples: Iterator[Sample]) -> Sample | None:
    return max(samples, key=rate, default=None)


def _against(area: str, asked: str, us: Sample | None, other: Sample | None, factor: float) -> Bar:
    """By CPU time, which decides, and by rate, which is shown, too."""
    if us is None or other is None or not other.cpu or not us.cpu:
        return Bar(area, asked, NEVER, None)
    by_cpu, by_rate = thrift(us) / thrift(other), us.rate / other.rate if other.rate else 0.0
    return Bar(area, asked, f"{by_cpu:.2f} × by CPU, {by_rate:.2f} × by rate", by_cpu >= factor)


def _most(area: str, asked: str, value: float | None, limit: float, unit: str) -> Bar:
    if value is None:
        return Bar(area, asked, NEVER, None)
    return Bar(area, asked, f"{value:.2f}{unit}", value <= limit)


def _least(area: str, asked: str, value: float | None, limit: float) -> Bar:
    if value is None:
        return Bar(area, asked, NEVER, None)
    return Bar(area, asked, f"{value:.2f} ×", value >= limit)
