"""A small app inside the whole armour, and ways to call it without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.contextvars import get_contextvars

from authapi.core import problems
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.core.stack import install

router = APIRouter(prefix="/things")


@router.get("/{thing}")
async def read(thing: str, request: Request) -> dict[str, Any]:
    client = request.client.host if request.client else None
    return {"thing": thing, "client": client, "scheme": request.url.scheme, "bound": get_contextvars()}


@router.post("")
async def write(request: Request) -> Any:
    return {"body": (await request.body()).decode()}


@router.get("/{thing}/fail")
async def fail(thing: str) -> None:
    raise ZeroDivisionError(thing)


@router.get("/{thing}/unavailable")
async def unavailable(thing: str) -> None:
    raise PoolTimeout()


@router.get("/{thing}/cached")
async def cached(thing: str) -> Response:
    return Response("{}", headers={"Cache-Control": "max-age=60"})


def settings(**values: Any) -> Settings:
    required: dict[str, Any] = {
        "env": "development",
        "database_url": "postgresql://x@127.0.0.1/x",
        "redis_url": "redis://127.0.0.1/0",
        "secret": "x" * 40,
    }
    return Settings(_env_file=None, **required | values)


def build(**values: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    problems.install(app)
    install(app, settings(**values), SystemRandom())
    return app


def connect(app: Any = None, *, peer: str = "192.0.2.1", **values: Any) -> httpx.AsyncClient:
    """A client of the app, or of the small one with these settings. Nothing is open, so nothing needs closing."""
    transport = httpx.ASGITransport(app or build(**values), client=(peer, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


Sent = list[dict[str, Any]]


def scope(**more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []} | more


async def call(app: Any, receive: Callable[[], Awaitable[Any]], **more: Any) -> Sent:
    sent: Sent = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope(**more), receive, send)
    return sent


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


async def empty() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}
