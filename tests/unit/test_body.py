"""What a request must look like to reach the app."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from authapi.core.body import BodyGuard
from authapi.core.middleware import Rescue
from tests.support.armour import Sent, call, connect, never

JSON = {"content-type": "application/json"}


async def test_a_json_body_reaches_the_app_unchanged() -> None:
    for kind in ("application/json", "Application/JSON; charset=UTF-8", 'application/json; x=1; charset="utf-8"'):
        answer = await connect().post("/api/v1/things", content=b' {"a": 1}', headers={"content-type": kind})
        assert answer.json() == {"body": ' {"a": 1}'}


async def test_an_empty_body_needs_no_type() -> None:
    assert (await connect().post("/api/v1/things")).json() == {"body": ""}


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({}, b"{}", 415, "unsupported_media_type"),
        ({"content-type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ({"content-type": "application/jsonp"}, b"{}", 415, "unsupported_media_type"),
        ({"content-type": "application/json; charset=utf-16"}, b"{}", 415, "unsupported_media_type"),
        (JSON | {"content-encoding": "gzip"}, b"{}", 415, "unsupported_media_type"),
        (JSON | {"transfer-encoding": "gzip, chunked"}, b"{}", 400, "malformed_request"),
        (JSON, b'{"a": NaN}', 400, "malformed_request"),
        (JSON, b'"' + b"x" * 65_536 + b'"', 413, "body_too_large"),
        (JSON | {"x-large": "x" * 17_000}, b"{}", 431, "headers_too_large"),
        (JSON | {f"x-{n}": "1" for n in range(101)}, b"{}", 431, "headers_too_large"),
    ],
)
async def test_a_bad_body_or_head_is_refused(headers: dict[str, str], content: bytes, status: int, code: str) -> None:
    answer = await connect().post("/api/v1/things", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_without_a_length_is_counted() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    answer = await connect().post("/api/v1/things", content=chunks(), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Authorization", "Content-Type"])
async def test_a_header_that_decides_may_stand_once(name: str) -> None:
    answer = await connect().get("/api/v1/things/1", headers=[(name, "2"), (name, "2")])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/api/v1/things/%C3%A9?q=%C3%A9", 200),
        (b"/api/v1/things/%FF", 400),
        (b"/api/v1/things/%00", 400),
        (b"/api/v1/things/1?q=%ED%A0%80", 400),
        (b"/api/v1/things/1?q=%00", 400),
        (b"/api/v1/things/1?q=" + b"x" * 8192, 414),
    ],
)
async def test_the_target_must_be_short_and_utf8(target: bytes, status: int) -> None:
    url = httpx.URL(scheme="http", host="test", raw_path=target)
    assert (await connect().get(url)).status_code == status


async def test_a_slow_body_is_answered_408_and_the_connection_closed() -> None:
    start, body = await call(Rescue(BodyGuard(never, timeout=0.01)), never)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["code"] == "request_timeout"


async def test_a_client_that_leaves_gets_no_answer() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    assert await call(BodyGuard(never), gone) == []


async def test_after_the_body_the_app_still_hears_that_the_client_left() -> None:
    messages = [
        {"type": "http.request", "body": b'{"a":', "more_body": True},
        {"type": "http.request", "body": b" 1}", "more_body": False},
        {"type": "http.disconnect"},
    ]
    heard: Sent = []

    async def receive() -> Any:
        return messages.pop(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([await receive(), await receive()])

    await call(BodyGuard(app), receive, headers=[(b"content-type", b"application/json")])
    assert heard == [{"type": "http.request", "body": b'{"a": 1}', "more_body": False}, {"type": "http.disconnect"}]
