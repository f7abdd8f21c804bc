"""What is counted, and that nobody outside can make it grow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from authapi.core import metrics


def test_a_request_is_counted_and_timed() -> None:
    metrics.observe("GET", "/counted", 200, 0.004)
    page = metrics.render().decode()
    assert 'http_requests_total{method="GET",route="/counted",status="200"} 1.0' in page
    assert 'http_request_duration_seconds_bucket{le="0.005",method="GET",route="/counted"} 1.0' in page


def test_unknown_methods_share_one_label() -> None:
    for method in ("BREW", "X" * 1000, "get"):
        metrics.observe(method, "/odd", 405, 0.001)
    assert 'http_requests_total{method="other",route="/odd",status="405"} 3.0' in metrics.render().decode()


def test_the_counters_of_the_services_have_their_names() -> None:
    metrics.REFRESH.labels("rotated").inc()
    metrics.SIGN_INS.labels("password", "succeeded").inc()
    metrics.REVOCATION_CHECKS.labels("redis").inc()
    metrics.HASH_QUEUE.inc()
    metrics.LIMITED.labels("a.limit").inc()
    page = metrics.render().decode()
    for line in (
        'authapi_refresh_total{rotation="rotated"}',
        'authapi_sign_ins_total{method="password",outcome="succeeded"}',
        'authapi_revocation_checks_total{source="redis"}',
        "authapi_hash_queue ",
        'authapi_limited_total{limit="a.limit"}',
    ):
        assert line in page


@pytest.mark.timeout(20)
def test_several_processes_are_added_up(tmp_path: Path) -> None:
    count = "from authapi.core import metrics; metrics.observe('GET', '/shared', 200, 0.1); metrics.HASH_QUEUE.inc();"
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for code in (count, count + "print(metrics.render().decode())"):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert 'http_requests_total{method="GET",route="/shared",status="200"} 2.0' in done.stdout
