"""Ids, log lines, headers, rescued errors, CORS and the deadline, around a small app."""

import asyncio
import json
import logging
from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import get_contextvars

from authapi.core import metrics
from authapi.core.middleware import Deadline, Rescue, route_templates
from tests.support.armour import build, call, connect, empty, never, read


async def test_every_answer_has_an_id_and_the_security_headers() -> None:
    api = connect(public_url="https://auth.example.com")
    for path, status in (("/api/v1/things/1", 200), ("/nothing", 404), ("/api/v1/things/1/fail", 500)):
        answer = await api.get(path)
        assert answer.status_code == status
        assert UUID(answer.headers["x-request-id"]).version == 7
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (
            answer.headers["content-security-policy"]
            == "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"


async def test_plain_http_has_no_hsts_and_the_documentation_may_run_its_scripts() -> None:
    answer = await connect().get("/docs")
    assert "strict-transport-security" not in answer.headers
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_an_answer_may_be_cacheable() -> None:
    answer = await connect().get("/api/v1/things/1/cached")
    assert answer.headers.get_list("cache-control") == ["max-age=60"]


async def test_the_request_id_is_taken_from_a_trusted_peer_only() -> None:
    trusting = connect(peer="10.0.0.1", trusted_proxies="10.0.0.0/8")
    answer = await trusting.get("/api/v1/things/1", headers={"x-request-id": "edge.7_a-B"})
    assert answer.headers["x-request-id"] == "edge.7_a-B"
    assert answer.json()["bound"] == {"request_id": "edge.7_a-B"}
    for bad in ("", "a b", "x" * 65, "a;b"):
        answer = await trusting.get("/nothing", headers={"x-request-id": bad})
        assert UUID(answer.headers["x-request-id"])
    answer = await connect(trusted_proxies="10.0.0.0/8").get("/nothing", headers={"x-request-id": "forged"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"] != "forged"


async def test_one_line_is_logged_with_the_template_and_without_the_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "authapi.access")
    api = connect()
    await api.get("/api/v1/things/secret-thing?token=hunter2")
    await api.get("/no/such/secret-path")
    found, missing = [record for record in caplog.records if isinstance(record.args, dict)]
    assert isinstance(found.args, dict)
    assert isinstance(missing.args, dict)
    assert (found.args["route"], found.args["status"]) == ("/api/v1/things/{thing}", 200)
    assert (missing.args["route"], missing.args["status"]) == ("none", 404)
    assert found.args["ip"] == "192.0.2.1"
    shown = str([record.__dict__ for record in caplog.records])
    assert "hunter2" not in shown
    assert "secret-thing" not in shown
    assert "secret-path" not in shown
    assert get_contextvars() == {}


async def test_requests_are_counted_by_template() -> None:
    await connect().request("BREW", "/api/v1/things/1")
    assert b'http_requests_total{method="other",route="/api/v1/things/{thing}",status="405"}' in metrics.render()


def test_templates_carry_the_prefix_of_included_routers() -> None:
    assert route_templates(build())[read] == "/api/v1/things/{thing}"


async def test_an_unexpected_error_is_logged_and_says_nothing_to_the_client(caplog: pytest.LogCaptureFixture) -> None:
    answer = await connect().get("/api/v1/things/hunter2/fail")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
    assert "hunter2" not in answer.text
    assert any(record.exc_info for record in caplog.records)


async def test_a_database_that_is_away_is_503_with_cors_headers() -> None:
    api = connect(allowed_origins="https://app.example.com")
    answer = await api.get("/api/v1/things/1/unavailable", headers={"origin": "https://app.example.com"})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert answer.headers["access-control-allow-credentials"] == "true"


async def test_only_named_origins_pass_the_preflight() -> None:
    api = connect(allowed_origins="https://app.example.com")
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, x-csrf-token"}
    good = await api.options("/api/v1/things", headers=ask | {"origin": "https://app.example.com"})
    bad = await api.options("/api/v1/things", headers=ask | {"origin": "https://evil.example"})
    assert good.status_code == 200
    assert bad.status_code == 400
    assert "access-control-allow-origin" not in bad.headers


async def test_an_app_that_takes_too_long_is_503() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(5)

    start, body = await call(Rescue(Deadline(slow, deadline=0.01)), never)
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["action"] == "retry"


async def test_an_answer_that_began_is_not_answered_again() -> None:
    async def torn(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    app = build()
    app.router.default = torn
    sent = await call(app, empty, method="GET", path="/torn", raw_path=b"/torn", client=("192.0.2.1", 1))
    assert [message.get("status") for message in sent] == [200]


async def test_cancelling_passes_through() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(5)

    app = build()
    app.router.default = slow
    task = asyncio.create_task(call(app, empty, method="GET", path="/slow", raw_path=b"/slow"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
