"""What surrounds every request: id and log line, headers of every answer, rescue of errors, deadline.

What only looks on is a plain function that returns what the next one is to be awaited for: the layers are many, and
each coroutine between the server and the endpoint is paid for at every step of a request.
"""

import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from time import perf_counter
from typing import TypeAlias

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from authapi.core import metrics, problems
from authapi.core.logs import access
from authapi.core.problems import Unavailable
from authapi.core.proxies import canonical, trust
from authapi.core.secrets import Random
from authapi.core.settings import Network
from authapi.core.timer import Within

CLIENT_GONE = 499
"""The status in logs and metrics of a request that got no answer, because the client left (as nginx has it)."""

NO_ROUTE = "none"
REQUEST_ID = b"x-request-id"
REQUEST_ID_LENGTH = 64
REQUEST_ID_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

STRICT_CONTENT = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
DOCS_CONTENT = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; font-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
HTTPS_ONLY = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
CONTENT_POLICY = b"content-security-policy"
NO_STORE = (b"cache-control", b"no-store")

Templates: TypeAlias = Mapping[Hashable, str]

log = logging.getLogger(__name__)


def route_templates(app: FastAPI) -> Templates:
    """The full path template of every endpoint. `scope["route"].path` lacks the prefix of an included router."""
    templates: dict[Hashable, str] = {}
    for route in iter_route_contexts(app.routes):
        endpoint = route.endpoint or getattr(route.route, "app", None)
        path = route.path_format or route.path
        if endpoint is not None and path:
            templates.setdefault(endpoint, path)
    return templates


class RequestLog:
    """The outermost: gives the request its id, logs one line and counts it when it has ended, and answers what escaped.

    An `X-Request-ID` is taken over from a trusted peer only. Neither raw path nor query string are ever logged.
    `templates` is asked once, at the start or the first request, when all routes are there.
    """

    def __init__(
        self, app: ASGIApp, *, random: Random, trusted: tuple[Network, ...], templates: Callable[[], Templates]
    ) -> None:
        self._app = app
        self._random = random
        self._is_trusted = trust(trusted)
        self._templates = templates
        self._known: Templates | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._known is None:
            self._known = self._templates()
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = perf_counter()
        status = 0
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        header = (REQUEST_ID, request_id.encode())

        def identified(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            return send(message)

        tokens = bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, identified)
        except Exception as error:
            problem = problems.as_problem(error)
            if status == 0:
                await problems.answer(problem, scope)(scope, receive, identified)
            else:
                log.warning("an answer was cut", extra={"problem": problem.code})
        finally:
            self._record(scope, request_id, status or CLIENT_GONE, perf_counter() - started)
            reset_contextvars(**tokens)

    def _request_id(self, scope: Scope) -> str:
        peer = scope.get("client")
        if peer is not None and self._is_trusted(canonical(peer[0])):
            for name, value in scope["headers"]:
                if name == REQUEST_ID and is_request_id(value):
                    return str(value, "ascii")
        return self._random.id_text()

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = NO_ROUTE if self._known is None else self._known.get(scope.get("endpoint"), NO_ROUTE)
        method = scope["method"] if scope["method"] in metrics.METHODS else "other"
        metrics.observe(method, route, status, seconds)
        client = scope.get("client")
        line = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
            "ip": client[0] if client else "",
        }
        access.request(request_id, line)


def is_request_id(value: bytes) -> bool:
    return 0 < len(value) <= REQUEST_ID_LENGTH and not value.translate(None, REQUEST_ID_BYTES)


class SecurityHeaders:
    """The same headers on every answer, but for those that it has itself; `Cache-Control: no-store` among them."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._strict = security_headers(https=https)
        self._docs = security_headers(https=https, content=DOCS_CONTENT)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        added = self._docs if is_docs(scope["path"]) else self._strict

        def secured(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = {name for name, _ in headers}
                headers += [header for header in (*added, NO_STORE) if header[0] not in own]
                message["headers"] = headers
            return send(message)

        return self._app(scope, receive, secured)


def security_headers(*, https: bool, content: bytes = STRICT_CONTENT) -> list[tuple[bytes, bytes]]:
    return [*SECURITY, (CONTENT_POLICY, content), *([HTTPS_ONLY] if https else [])]


def is_docs(path: str) -> bool:
    return path in ("/docs", "/redoc") or path.startswith(("/docs/", "/redoc/"))


class Rescue:
    """Turns what is raised inside into an answer, here rather than outermost, so that it gets the CORS headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        def noted(message: Message) -> Awaitable[None]:
            nonlocal started
            started = True
            return send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if started:
                raise
            await problems.answer(problems.as_problem(error), scope)(scope, receive, send)


class Deadline:
    """Raises Unavailable when the app needs longer than `deadline` seconds. The body has been read by then."""

    def __init__(self, app: ASGIApp, *, deadline: float = 3.0) -> None:
        self._app = app
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        timer = Within(self._deadline)
        try:
            with timer:
                await self._app(scope, receive, send)
        except TimeoutError:
            if not timer.is_over:
                raise
            log.warning("a request was given up", extra={"seconds": self._deadline})
            raise Unavailable() from None


class HeadAsGet:
    """Answers HEAD as GET without the body (RFC 9110 §9.3.2); FastAPI's routes do not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self._app(scope, receive, send)
        return self._headless(scope, receive, send)

    async def _headless(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bodiless(message: Message) -> None:
            scope["method"] = "HEAD"  # as the server and the log know it
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        scope["method"] = "GET"
        try:
            await self._app(scope, receive, bodiless)
        finally:
            scope["method"] = "HEAD"
