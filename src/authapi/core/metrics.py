"""What Prometheus is told. Labels only ever take values that this code chooses, so their number stays bounded."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Counter("http_requests_total", "Requests that ended.", ["method", "route", "status"])
DURATION = Histogram("http_request_duration_seconds", "From headers to answer.", ["method", "route"], buckets=SECONDS)
REFRESH = Counter("authapi_refresh_total", "Refreshes by what became of the token.", ["rotation"])
SIGN_INS = Counter("authapi_sign_ins_total", "Attempts to sign in.", ["method", "outcome"])
REVOCATION_CHECKS = Counter("authapi_revocation_checks_total", "Where a revocation was looked up.", ["source"])
HASH_QUEUE = Gauge("authapi_hash_queue", "Passwords that wait to be hashed.", multiprocess_mode="livesum")
LIMITED = Counter("authapi_limited_total", "Requests that a limit refused.", ["limit"])

_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
_rotations: dict[str, Counter] = {}
_sign_ins: dict[tuple[str, str], Counter] = {}


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """One request that ended. `route` is a template or "none", never a raw path."""
    method = method if method in METHODS else "other"
    found = _children.get((method, route, status))
    if found is None:
        found = REQUESTS.labels(method, route, status), DURATION.labels(method, route)
        _children[method, route, status] = found
    count, duration = found
    count.inc()
    duration.observe(seconds)


def refreshed(rotation: str) -> None:
    """What became of the presented token, as `Verdict` names it."""
    found = _rotations.get(rotation)
    if found is None:
        found = _rotations[rotation] = REFRESH.labels(rotation)
    found.inc()


def signed_in(method: str, outcome: str) -> None:
    """An attempt to sign in, `passed` or `refused`."""
    found = _sign_ins.get((method, outcome))
    if found is None:
        found = _sign_ins[method, outcome] = SIGN_INS.labels(method, outcome)
    found.inc()


def render() -> bytes:
    """The page that Prometheus scrapes; of all processes together where PROMETHEUS_MULTIPROC_DIR is set.

    That variable is prometheus-client's own, read when the client is imported; the directory must be empty at start.
    """
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
