"""An answer in one message is, on the wire, the answer that uvicorn would have sent in two."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from authapi.core import problems
from authapi.core.hot import hot
from authapi.core.protocol import GuardedProtocol
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.core.stack import install

HEAD = b"%s /%s HTTP/1.%d\r\nHost: x\r\n%s\r\n"
CLOSE = b"Connection: close\r\n"


async def answer() -> dict[str, int]:
    return {"n": 1}


async def quick() -> dict[str, int]:
    return {"n": 1}


def build() -> FastAPI:
    settings: Any = Settings
    values = {"env": "development", "secret": "x" * 40, "limits_scale": 1000}
    values |= {"database_url": "postgresql://x@h/x", "redis_url": "redis://h/0"}
    app = FastAPI()
    app.get("/plain")(answer)
    app.get("/quick")(hot(quick))
    problems.install(app)
    install(app, settings(_env_file=None, **values), SystemRandom())
    return app


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off"}
    config = uvicorn.Config(build(), port=0, http=GuardedProtocol, ws="none", proxy_headers=False, **quiet)
    server = uvicorn.Server(config)
    server.capture_signals = suppress  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    yield server
    server.should_exit = server.force_exit = True
    await running


async def said(server: uvicorn.Server, data: bytes) -> bytes:
    """All that comes back until the connection is closed, without what differs each time."""
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(10):
        told = await reader.read()
    writer.close()
    return re.sub(rb"(x-request-id|date): [^\r]+", rb"\1", told)


def lines(told: bytes) -> list[bytes]:
    """The order of headers means nothing."""
    return sorted(told.split(b"\r\n"))


@pytest.mark.parametrize(
    "requests",
    [
        ((b"GET", 1, CLOSE),),
        ((b"GET", 0, b""),),
        ((b"HEAD", 1, CLOSE),),
        ((b"GET", 1, b""), (b"GET", 1, CLOSE)),
        ((b"GET", 1, b""), (b"HEAD", 1, b""), (b"GET", 1, CLOSE)),
    ],
    ids=["close", "HTTP/1.0", "HEAD", "pipelined", "pipelined with HEAD"],
)
async def test_it_is_the_same_answer(server: uvicorn.Server, requests: tuple[tuple[bytes, int, bytes], ...]) -> None:
    whole, parts = [
        await said(server, b"".join(HEAD % (method, path, minor, more) for method, minor, more in requests))
        for path in (b"quick", b"plain")
    ]
    assert whole.count(b"HTTP/1.1 200") == len(requests)
    assert lines(whole) == lines(parts)


async def test_a_server_that_takes_its_leave_says_so(server: uvicorn.Server) -> None:
    """It announces the end in its default headers (`serving`): then the connection is closed with the answer."""
    await said(server, HEAD % (b"GET", b"quick", 1, CLOSE))
    server.server_state.default_headers.append((b"connection", b"close"))
    told = await said(server, HEAD % (b"GET", b"quick", 1, b""))
    assert told.count(b"connection: close") == 1
    assert told.endswith(b'{"n":1}')
