"""The armour in its order, from the outside to the inside."""

from fastapi import FastAPI, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from authapi.core import flood, hot, problems
from authapi.core.body import BodyGuard
from authapi.core.limits import LimitHeaders
from authapi.core.middleware import Deadline, HeadAsGet, RequestLog, Rescue, SecurityHeaders, route_templates
from authapi.core.problems import Problem
from authapi.core.proxies import ClientAddress
from authapi.core.secrets import Random
from authapi.core.settings import Settings

CORS_METHODS = ("GET", "POST", "PATCH", "DELETE")
CORS_HEADERS = ("authorization", "content-type", "x-request-id", "x-auth-mode", "x-csrf-token", "idempotency-key")
CORS_MAX_AGE = 7200
"""Seconds that a browser may go by a preflight; the most that Chromium does."""
CORS_EXPOSED = ("x-request-id", "ratelimit", "ratelimit-policy", "retry-after")


class Application(FastAPI):
    """FastAPI's, begun at RequestLog. What stands before it would answer what was raised, which RequestLog does, limit
    bodies, which BodyGuard does, and look for spans; with telemetry all of it stays."""

    def build_middleware_stack(self) -> ASGIApp:
        layer = whole = super().build_middleware_stack()
        if self.state.context.settings.telemetry:
            return whole
        while not isinstance(layer, RequestLog):
            layer = layer.app  # type: ignore[attr-defined]
        return layer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(self.middleware_stack, RequestLog):
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Cors(CORSMiddleware):
    """Starlette's, with its refusals as problems."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        allowed = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return Refusal(OriginRefused(headers=allowed))


class Refusal(Response):
    """A problem that learns only when it is sent which request it answers."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(status_code=problem.status)
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problems.answer(self._problem, scope)(scope, receive, send)


class OriginRefused(Problem):
    code = "origin_refused"
    status = 400
    title = "This origin, method or header is not allowed in a call from a browser (AUTHAPI_ALLOWED_ORIGINS)."
    action = "fix_request"


def install(app: FastAPI, settings: Settings, random: Random) -> None:
    """RequestLog > SecurityHeaders > ClientAddress > CORS > LimitHeaders > Rescue > FloodGuard > BodyGuard > Deadline.

    `add_middleware` puts each around those before it, so they stand here from the inside to the outside.
    uvicorn must run with `proxy_headers=False`: the addresses are resolved here.
    """
    app.add_middleware(hot.ShortCut, routes=lambda: {} if settings.telemetry else hot.routes(app))
    app.add_middleware(HeadAsGet)
    app.add_middleware(Deadline)
    app.add_middleware(BodyGuard)
    app.add_middleware(flood.FloodGuard, limiter=flood.limiter(settings))
    app.add_middleware(Rescue)
    app.add_middleware(LimitHeaders)
    if settings.allowed_origins:
        app.add_middleware(
            Cors,
            allow_origins=frozenset(settings.allowed_origins),
            allow_credentials=True,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
            max_age=CORS_MAX_AGE,
        )
    app.add_middleware(ClientAddress, trusted=settings.trusted_proxies)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https://"))
    app.add_middleware(
        RequestLog, random=random, trusted=settings.trusted_proxies, templates=lambda: route_templates(app)
    )
