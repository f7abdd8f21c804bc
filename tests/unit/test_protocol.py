"""The protocol on a real server and raw sockets: what the clock and the size limits do to a connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request

from authapi.core import problems
from authapi.core.protocol import GuardedProtocol
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.core.stack import install

GET = b"GET /thing HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /thing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WAIT = 2.0


class Impatient(GuardedProtocol):
    IDLE = 0.15
    HEAD = 0.15
    BODY = 0.15
    LINGER = 0.05
    TICK = 0.02


def build() -> FastAPI:
    settings: Any = Settings
    values = {"env": "development", "secret": "x" * 40}
    values |= {"database_url": "postgresql://x@h/x", "redis_url": "redis://h/0"}
    app = FastAPI()

    @app.get("/thing")
    async def read(wait: float = 0) -> dict[str, float]:
        await asyncio.sleep(wait)
        return {"waited": wait}

    @app.post("/thing")
    async def write(request: Request) -> int:
        return len(await request.body())

    problems.install(app)
    install(app, settings(_env_file=None, **values), SystemRandom())
    return app


@pytest.fixture
async def port() -> AsyncIterator[int]:
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off"}
    config = uvicorn.Config(build(), port=0, http=Impatient, ws="none", proxy_headers=False, **quiet)
    config.timeout_keep_alive = 0.15  # type: ignore[assignment]
    server = uvicorn.Server(config)
    server.capture_signals = suppress  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    await running


class Wire:
    """A raw connection. Answers are read by their Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> "Wire":
        self.writer.write(data)
        await self.writer.drain()
        return self

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        async with asyncio.timeout(WAIT):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, json.loads(body) if body else None

    async def is_closed(self) -> bool:
        """Waits for the end; nothing more may arrive before it."""
        async with asyncio.timeout(WAIT):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@pytest.fixture
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Wire(reader, writer)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_connection_that_says_nothing_is_closed(wire: Wire) -> None:
    assert await wire.is_closed()


async def test_empty_lines_do_not_count_as_something(wire: Wire) -> None:
    async def drip() -> None:
        with suppress(ConnectionError):
            while True:
                await wire.send(b"\r\n")
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await wire.is_closed()
    dripping.cancel()


async def test_slow_headers_are_answered_408_and_closed(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nHost: x\r\n")
    status, headers, body = await wire.answer()
    assert (status, body["code"], headers["connection"]) == (408, "request_timeout", "close")
    assert await wire.is_closed()


async def test_a_drip_of_headers_does_not_move_the_deadline(wire: Wire) -> None:
    async def drip() -> None:
        with suppress(ConnectionError):
            await wire.send(b"GET /thing HTTP/1.1\r\n")
            for n in range(1000):
                await wire.send(b"X-%d: 1\r\n" % n)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await wire.answer())[0] == 408
    dripping.cancel()


async def test_a_slow_body_is_cut(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 10\r\n\r\n{")
    assert await wire.is_closed()


@pytest.mark.parametrize("line", [b"X-Large: " + b"x" * 20_000, b"X: 1\r\n" * 3000])
async def test_huge_headers_are_refused_before_they_end(wire: Wire, line: bytes) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\n" + line)
    status, headers, body = await wire.answer()
    assert (status, body["code"]) == (431, "headers_too_large")
    assert headers["content-type"] == "application/problem+json"
    assert await wire.is_closed()


async def test_huge_headers_in_pieces_are_refused_too(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nX-Large: ")
    for _ in range(20):
        await wire.send(b"x" * 1024)
        await asyncio.sleep(0)
    assert (await wire.answer())[0] == 431


async def test_huge_headers_that_end_are_refused_by_the_app(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 20_000 + b"\r\n\r\n")
    assert (await wire.answer())[0] == 431


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /thing HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    ],
)
async def test_garbage_gets_a_problem_and_the_security_headers(wire: Wire, garbage: bytes) -> None:
    await wire.send(garbage)
    status, headers, body = await wire.answer()
    assert (status, body["code"], body["request_id"]) == (400, "malformed_request", headers["x-request-id"])
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert await wire.is_closed()


async def test_a_connection_is_reused_and_closed_when_idle(wire: Wire) -> None:
    for _ in range(3):
        assert (await (await wire.send(GET)).answer())[0] == 200
        await asyncio.sleep(0.08)
    await wire.send(POST + b"Content-Length: 2\r\n\r\n{}")
    assert (await wire.answer())[2] == 2
    assert await wire.is_closed()


async def test_the_clock_of_the_next_request_starts_with_its_first_byte(wire: Wire) -> None:
    await (await wire.send(GET)).answer()
    await asyncio.sleep(0.1)
    await wire.send(GET[:20])
    await asyncio.sleep(0.1)
    await wire.send(GET[20:])
    assert (await wire.answer())[0] == 200
    await wire.send(GET[:20])
    assert (await wire.answer())[0] == 408


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.05") + GET + POST + b"Content-Length: 2\r\n\r\n{}")
    assert [(await wire.answer())[2] for _ in range(3)] == [{"waited": 0.05}, {"waited": 0.0}, 2]
    assert await wire.is_closed()


async def test_a_long_handler_is_not_mistaken_for_a_slow_client(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.2"))
    assert (await wire.answer())[0] == 200


async def test_garbage_behind_a_request_does_not_tear_its_answer(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.02") + b"\x16\x03garbage\r\n\r\n")
    status, headers, body = await wire.answer()
    assert (status, headers["connection"], body) == (200, "close", {"waited": 0.02})
    assert await wire.is_closed()


async def test_half_a_request_behind_a_slow_one_does_not_tear_its_answer(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.2") + GET[:20])
    assert (await wire.answer())[0] == 200
    assert (await wire.answer())[0] == 408


async def test_the_rest_of_a_refused_body_is_read_and_the_connection_lives_on(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert (await wire.answer())[2]["code"] == "body_too_large"
    assert (await (await wire.send(GET)).answer())[0] == 200


async def test_but_not_without_end(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 90000000\r\n\r\n")
    assert (await wire.answer())[0] == 413
    with suppress(ConnectionError):
        async with asyncio.timeout(WAIT):
            for _ in range(1000):
                await wire.send(b"x" * 65_536)
            pytest.fail("all of it was read")


async def test_an_idle_connection_is_closed_after_a_refused_body_too(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000)
    assert (await wire.answer())[0] == 413
    await wire.send(b"x" * 50_000)
    assert await wire.is_closed()


async def test_a_refusal_instead_of_100_continue_closes(wire: Wire) -> None:
    await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
    assert (await wire.answer())[0] == 413
    assert await wire.is_closed()


async def test_100_continue_works(wire: Wire) -> None:
    await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (await wire.answer())[0] == 100
    assert (await (await wire.send(b"{}")).answer())[2] == 2
    assert (await (await wire.send(GET)).answer())[0] == 200


async def test_an_upgrade_is_ignored_and_what_follows_is_no_request(wire: Wire) -> None:
    await wire.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET)
    status, headers, _ = await wire.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert await wire.is_closed()


async def test_the_body_of_an_upgrade_is_never_taken_for_a_request(wire: Wire) -> None:
    await wire.send(POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(GET))
    await wire.send(GET)
    assert (await wire.answer())[0] == 400
    assert await wire.is_closed()
