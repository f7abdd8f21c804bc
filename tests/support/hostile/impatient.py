"""A real server that waits for nobody for long, and raw connections to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from authapi.core import problems
from authapi.core.protocol import GuardedProtocol
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.core.stack import install

WAIT = 2.0
LARGE = 1024 * 1024
BUFFER = 16 * 1024
"""Bytes that the kernel keeps of what was sent, on each side; Linux doubles it."""
STUCK = 5 * BUFFER
"""An answer that does not fit in there, but leaves too little to pause writing."""


class Impatient(GuardedProtocol):
    IDLE = 0.15
    HEAD = 0.15
    BODY = 0.15
    LINGER = 0.05
    UNREAD = 0.3
    TICK = 0.02


def build() -> FastAPI:
    """`app.state.asked` is how often /thing was."""
    settings: Any = Settings
    values = {"env": "development", "secret": "x" * 40, "limits_scale": 1000}
    values |= {"database_url": "postgresql://x@h/x", "redis_url": "redis://h/0"}
    app = FastAPI()
    app.state.asked = 0

    @app.get("/thing")
    async def read(wait: float = 0) -> dict[str, float]:
        app.state.asked += 1
        await asyncio.sleep(wait)
        return {"waited": wait}

    @app.post("/thing")
    async def write(request: Request) -> int:
        return len(await request.body())

    @app.get("/large")
    async def large(size: int = LARGE) -> Response:
        return Response(b"x" * size)

    problems.install(app)
    install(app, settings(_env_file=None, **values), SystemRandom())
    return app


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[uvicorn.Server]:
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off"}
    config = uvicorn.Config(app, port=0, http=Impatient, ws="none", proxy_headers=False, **quiet)
    config.timeout_keep_alive = 0.15  # type: ignore[assignment]
    server = uvicorn.Server(config)
    server.capture_signals = suppress  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    _listener(server).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # connections inherit it
    try:
        yield server
    finally:
        server.should_exit = server.force_exit = True
        await running


@asynccontextmanager
async def connected(server: uvicorn.Server) -> AsyncIterator["Wire"]:
    reader, writer = await asyncio.open_connection("127.0.0.1", _port(server))
    yield Wire(reader, writer)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def deaf(server: uvicorn.Server, data: bytes) -> AsyncIterator[socket.socket]:
    """A connection that has sent the data, and reads only where a test does."""
    loop = asyncio.get_running_loop()
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", _port(server)))
        await loop.sock_sendall(peer, data)
        yield peer


async def is_rid_of_all(server: uvicorn.Server) -> bool:
    """Waits until it holds no connection and no task of a request."""
    async with asyncio.timeout(WAIT):
        while server.server_state.connections or server.server_state.tasks:  # noqa: ASYNC110 (nor for these)
            await asyncio.sleep(0.01)
    return True


def _port(server: uvicorn.Server) -> int:
    return int(_listener(server).getsockname()[1])


def _listener(server: uvicorn.Server) -> Any:
    return server.servers[0].sockets[0]


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
